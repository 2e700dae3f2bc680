import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { writeNonce, XaesKey } from './xaes.ts'

const NONCE = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX')
const TEXT = Buffer.from('XAES-256-GCM')
const seal = (key: Uint8Array, nonce: Uint8Array, text: Uint8Array, additional: Uint8Array) =>
  Buffer.concat(new XaesKey(key).seal(nonce, text, additional))

describe('C2: XAES-256-GCM', () => {
  it.each([
    [0x01, '', 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271'],
    [0x03, 'c2sp.org/XAES-256-GCM', '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d'],
  ])('gives the published vector for a key of %i', (byte, additional, expected) => {
    const sealed = seal(Buffer.alloc(32, byte), NONCE, TEXT, Buffer.from(additional))

    expect(sealed.toString('hex')).toBe(expected)
  })

  it('gives the published sum of 10,000 random messages', () => {
    // As in the reference implementation: SHAKE128 of nothing is the source, SHAKE128 of all ciphertexts the sum.
    const source = createHash('shake128', { outputLength: 4_000_000 }).digest()
    const sum = createHash('shake128', { outputLength: 32 })
    let at = 0
    const take = (length: number) => {
      at += length
      return source.subarray(at - length, at)
    }
    const takeSome = () => take(take(1)[0] ?? 0)
    for (let i = 0; i < 10_000; i++) {
      const [key, nonce, text, additional] = [take(32), take(24), takeSome(), takeSome()]
      const sealed = seal(key, nonce, text, additional)
      sum.update(sealed)
      const opened = new XaesKey(key).open(nonce, sealed.subarray(0, -16), sealed.subarray(-16), additional)
      if (opened?.equals(text) !== true) throw new Error(`message ${i} did not open`)
    }

    expect(sum.digest('hex')).toBe('e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939')
  })

  it('C4: refuses every tag that has not 16 bytes', () => {
    const key = new XaesKey(randomBytes(32))
    const [ciphertext, tag] = key.seal(NONCE, TEXT, Buffer.alloc(0))

    for (let length = 0; length < 16; length++) {
      expect(key.open(NONCE, ciphertext, tag.subarray(0, length), Buffer.alloc(0))).toBeUndefined()
    }
    expect(key.open(NONCE, ciphertext, Buffer.concat([tag, tag]), Buffer.alloc(0))).toBeUndefined()
    expect(key.open(NONCE, ciphertext, tag, Buffer.alloc(0))).toEqual(TEXT)
  })

  it('hands out a million nonces of which no two are equal', () => {
    const count = 1_000_000
    const all = Buffer.alloc(count * 24)
    for (let i = 0; i < count; i++) writeNonce(all, i * 24)
    const firstHalves = new BigUint64Array(count)
    for (let i = 0; i < count; i++) firstHalves[i] = all.readBigUInt64LE(i * 24)
    firstHalves.sort()

    expect(firstHalves.some((each, i) => i > 0 && each === firstHalves[i - 1])).toBe(false)
  })
})
