/** From what an operator writes to a key of 32 bytes, and the refusal of keys that anyone could guess. */
import { INSPECT, nodeCrypto } from '../base/builtin.ts'
import { ConfigError } from '../core/errors.ts'
import { isKid } from './envelope.ts'
import { KEY_BYTES, XaesKey } from './xaes.ts'

/** A key: 32 random bytes, the same as base64 or hex text, or a passphrase with the salt stored beside it. */
export type KeyInput =
  | Uint8Array
  | string
  | {
      readonly passphrase: string
      /** At least 16 bytes, the same for as long as the key is used; not secret. Text is taken as UTF-8. */
      readonly salt: Uint8Array | string
    }

/** A key in use. What it was made from cannot be read back, and inspecting it shows its name only. */
export class SealingKey {
  readonly kid: string
  readonly xaes: XaesKey
  /** The HMAC key for blinded columns. */
  readonly blind: Buffer

  constructor(kid: string, bytes: Uint8Array) {
    this.kid = kid
    this.xaes = new XaesKey(bytes)
    this.blind = Buffer.from(nodeCrypto().hkdfSync('sha256', bytes, '', 'millrace-blind-v1', KEY_BYTES))
    // Neither console.log nor a JSON log line shows it.
    Object.defineProperty(this, 'blind', { enumerable: false })
  }

  [INSPECT](): string {
    return `SealingKey(${this.kid})`
  }

  toJSON(): unknown {
    return { kid: this.kid }
  }
}

/** The key that `input` stands for. Throws ConfigError KEY_INVALID, which never holds any part of the key. */
export function readKey(kid: string, input: KeyInput): SealingKey {
  if (!isKid(kid)) {
    throw new ConfigError('KEY_INVALID', `${JSON.stringify(kid.slice(0, 64))} cannot name a key`, {
      hint: 'use 1 to 32 of the characters A-Z a-z 0-9 _ . -',
    })
  }
  const bytes = keyBytes(kid, input)
  if (bytes.length !== KEY_BYTES) {
    throw invalid(kid, `has ${bytes.length} bytes instead of ${KEY_BYTES}`)
  }
  const why = weakness(bytes)
  if (why !== undefined) throw invalid(kid, why)
  const key = new SealingKey(kid, bytes)
  bytes.fill(0)
  return key
}

/** A copy of the key's bytes, so that it can be wiped. */
function keyBytes(kid: string, input: KeyInput): Buffer {
  if (input instanceof Uint8Array) return Buffer.from(input)
  if (typeof input === 'string') return textBytes(kid, input.trim())
  if (typeof input === 'object' && input !== null && typeof input.passphrase === 'string') {
    return passphraseBytes(kid, input.passphrase, input.salt)
  }
  throw invalid(kid, 'is neither bytes, text nor a passphrase with its salt')
}

function textBytes(kid: string, text: string): Buffer {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex')
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return Buffer.from(text, 'base64')
  throw invalid(kid, `is text of ${text.length} characters that is neither base64 nor hex of ${KEY_BYTES} bytes`)
}

function passphraseBytes(kid: string, passphrase: string, salt: Uint8Array | string): Buffer {
  if (new Set(passphrase).size < 8 || passphrase.length < 12) {
    throw invalid(kid, 'is made from a passphrase that is too short or too plain')
  }
  if (!(salt instanceof Uint8Array || typeof salt === 'string') || Buffer.byteLength(salt) < 16) {
    throw invalid(kid, 'needs a salt of at least 16 bytes beside its passphrase')
  }
  // OWASP's figures for scrypt with 32 MiB; about 0.2 s, once at start.
  const cost = { N: 2 ** 15, r: 8, p: 3, maxmem: 64 * 1024 * 1024 }
  return nodeCrypto().scryptSync(passphrase.normalize('NFC'), salt, KEY_BYTES, cost)
}

/** Why no random source would have given these bytes; undefined when one might. */
function weakness(bytes: Uint8Array): string | undefined {
  // 32 random bytes have 30 different ones on average; fewer than 16 has a chance of less than 2^-60.
  if (new Set(bytes).size < 16) return 'is not random: it has few different bytes'
  const step = ((bytes[1] ?? 0) - (bytes[0] ?? 0)) & 0xff
  if (bytes.every((byte, i) => i === 0 || ((byte - (bytes[i - 1] ?? 0)) & 0xff) === step)) {
    return 'is not random: its bytes count up or down'
  }
  if (bytes.every((byte, i) => i < 16 || byte === bytes[i - 16])) return 'is not random: its halves are equal'
  if (bytes.every((byte) => byte >= 0x20 && byte < 0x7f)) return 'is text; pass { passphrase, salt } instead'
  if (exampleKeys().has(sha256(bytes))) return 'is printed in public as an example'
  return undefined
}

/** SHA-256 of keys that are printed in standards, or that are the hash of nothing or of a common word. */
function exampleKeys(): ReadonlySet<string> {
  const printed = [
    '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4', // NIST SP 800-38A, AES-256
    'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308', // GCM specification, test case 14
    '8000000000000000000000000000000000000000000000000000000000000000',
    ...['', 'password', 'secret', 'test', 'changeme', 'millrace', 'key'].map((word) => sha256(Buffer.from(word))),
  ]
  return new Set(printed.map((key) => sha256(Buffer.from(key, 'hex'))))
}

function sha256(bytes: Uint8Array): string {
  return nodeCrypto().createHash('sha256').update(bytes).digest('hex')
}

function invalid(kid: string, why: string): ConfigError {
  return new ConfigError('KEY_INVALID', `the key ${kid} ${why}`, {
    fields: { kid },
    hint: `make one with: node -p "require('crypto').randomBytes(32).toString('base64')"`,
  })
}
