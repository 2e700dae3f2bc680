/** Text of errors made fit to be stored: short, without what looks like a secret, and obtained from anything thrown. */
import { nodeUtil } from '../base/builtin.ts'
import { maskSecrets } from './secrets.ts'

/** An error as it is stored. */
export interface ErrorText {
  readonly name: string
  readonly message: string
  readonly stack?: string
  readonly code?: string
}

const MAX_BYTES = 8_192
// Read beyond the cut, so that a secret that the cut goes through is still seen as one.
const MARGIN = 16_384
const CUT = '… [cut]'
const MOST_CAUSES = 3

/**
 * The text with what looks like a secret replaced by `[redacted]` (bearer tokens, `password=…`, user and password in
 * URLs, AWS keys, JWTs, PEM blocks and keys of known services), cut to `maxBytes` of UTF-8. Linear in `maxBytes`,
 * whatever the length of the text.
 */
export function redactText(text: string, maxBytes = MAX_BYTES): string {
  const window = maxBytes + MARGIN
  if (text.length <= window) return cutBytes(maskSecrets(text), maxBytes)
  const masked = maskSecrets(text.slice(0, window))
  // The last word may be the first half of a secret, too short to be seen as one.
  let end = masked.length
  while (end > 0 && !/\s/.test(masked[end - 1] ?? ' ') && masked.length - end < MARGIN) end--
  return cutBytes(`${masked.slice(0, end)}${CUT}`, maxBytes)
}

/** What is stored of anything that was thrown. Never throws, whatever the value's getters, proxies or length. */
export function errorText(error: unknown): ErrorText {
  const isError =
    isObject(error) && (typeof read(error, 'message') === 'string' || typeof read(error, 'stack') === 'string')
  if (!isError) return { name: kindOf(error), message: redactText(shown(error)) }
  const name = nameOf(error)
  const message = stringOf(read(error, 'message'))
  const stack = stackOf(error, name, message)
  const code = read(error, 'code')
  const hasCode = typeof code === 'string' || typeof code === 'number'
  return {
    name,
    message: redactText(message),
    ...(stack === undefined ? {} : { stack }),
    ...(hasCode ? { code: redactText(String(code), 64) } : {}),
  }
}

/** The frames, behind a first line of our own, since the one in `stack` may be as long as the message; then the causes. */
function stackOf(error: object, name: string, message: string): string | undefined {
  const stack = read(error, 'stack')
  if (typeof stack !== 'string') return undefined
  const at = stack.indexOf('\n    at ')
  const frames = at < 0 ? '' : stack.slice(at, at + MAX_BYTES)
  return redactText(`${name}: ${headline(message)}${frames}${causesOf(error)}`)
}

function causesOf(error: object): string {
  let text = ''
  let cause: unknown = read(error, 'cause')
  for (let i = 0; i < MOST_CAUSES && cause !== undefined; i++) {
    if (!isObject(cause)) return `${text}\nCaused by: ${headline(shown(cause))}`
    text += `\nCaused by: ${nameOf(cause)}: ${headline(stringOf(read(cause, 'message')))}`
    cause = read(cause, 'cause')
  }
  return text
}

function headline(message: string): string {
  return redactText(message, 512)
}

function nameOf(error: object): string {
  const name = read(error, 'name')
  return typeof name === 'string' && name !== '' ? redactText(name, 128) : 'Error'
}

function kindOf(thrown: unknown): string {
  return thrown === null ? 'null' : typeof thrown
}

function shown(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown
  try {
    return nodeUtil().inspect(thrown, { depth: 2, maxArrayLength: 20, maxStringLength: MAX_BYTES, breakLength: 120 })
  } catch {
    // Its own inspect method or a trap of a proxy threw; nothing more can be learnt.
    return `a ${kindOf(thrown)} that cannot be shown`
  }
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function read(value: object, key: string): unknown {
  try {
    return (value as Readonly<Record<string, unknown>>)[key]
  } catch {
    // A getter that throws has nothing to say.
    return undefined
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

function cutBytes(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text
  const bytes = Buffer.from(text)
  if (bytes.length <= maxBytes) return text
  let end = Math.max(0, maxBytes - Buffer.byteLength(CUT))
  // Back to the start of a character: continuation bytes are 10xxxxxx.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--
  return `${bytes.toString('utf8', 0, end)}${CUT}`
}
