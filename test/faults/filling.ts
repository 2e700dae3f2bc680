/** Texts for large payloads: the same for the same number, so that nobody has to keep them to know what should come back. */
import { createCipheriv, createHash } from 'node:crypto'

const KEY = Buffer.alloc(16, 33)
// All that JSON writes as one byte for itself: no text of JSON compresses to less than four fifths of its length.
const CHARACTERS = Array.from({ length: 95 }, (_, i) => 32 + i).filter((code) => code !== 34 && code !== 92)

/** So many characters that hardly compress, another text for each number. As JSON it has two bytes more. */
export function noise(number: number, characters: number): string {
  const counter = Buffer.alloc(16)
  counter.writeUInt32BE(number)
  const bytes = createCipheriv('aes-128-ctr', KEY, counter).update(Buffer.alloc(characters))
  for (let i = 0; i < bytes.length; i++) bytes[i] = CHARACTERS[(bytes[i] ?? 0) % CHARACTERS.length] ?? 0
  return bytes.toString('latin1')
}

/** What tells two values apart without keeping them. */
export function hashOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(value) ?? '')
    .digest('hex')
}
