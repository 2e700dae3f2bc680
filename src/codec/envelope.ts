/**
 * The envelope that every stored field travels in:
 *
 *     magic "MR" (2) · version (1) · alg (1) · flags (1) · kidLen (1) · kid · [nonce (24)] · body · [tag (16)]
 *
 * alg 0 is plain: no kid, nonce or tag. alg 1 is XAES-256-GCM. flags: bit 0 gzip, bit 1 zstd. What this reader does not
 * know it refuses: a later version must be able to change anything after the magic.
 */

/** Bytes before the name of the key. */
export const FIXED_BYTES = 6
/** Bytes of a nonce. */
export const NONCE_BYTES = 24
/** Bytes of a tag. */
export const TAG_BYTES = 16
/** `MR`, version 1, plain, no flags, no kid: all ASCII, so that header and JSON are written in one go. */
export const PLAIN_HEADER = 'MR\x01\x00\x00\x00'

const VERSION = 1
const GZIP = 1
const ZSTD = 2
const KID = /^[A-Za-z0-9_.-]{1,32}$/

/** How a body may be compressed. */
export type Compression = 'gzip' | 'zstd'

/** What an envelope says about itself; none of it is secret, and none of it is proven before the envelope is opened. */
export interface EnvelopeInfo {
  readonly version: number
  readonly alg: 'none' | 'XAES-256-GCM'
  /** The id of the key that sealed it; null when it is plain. */
  readonly kid: string | null
  readonly compression: Compression | 'none'
  /** Length of the whole envelope. */
  readonly bytes: number
}

/** An envelope taken apart; the parts are views into its bytes. */
export interface Envelope {
  readonly info: EnvelopeInfo
  /** Everything before the nonce or, when plain, before the body. */
  readonly header: Buffer
  readonly nonce: Buffer
  readonly body: Buffer
  readonly tag: Buffer
}

/** Whether the text may name a key: 1–32 of `A-Z a-z 0-9 _ . -`. */
export function isKid(text: string): boolean {
  return KID.test(text)
}

/** The bytes before the nonce or the body. */
export function headerOf(kid: string | null, compression: Compression | 'none'): Buffer {
  const flags = compression === 'gzip' ? GZIP : compression === 'zstd' ? ZSTD : 0
  const fixed = [0x4d, 0x52, VERSION, kid === null ? 0 : 1, flags, kid?.length ?? 0]
  return Buffer.concat([Buffer.from(fixed), Buffer.from(kid ?? '', 'latin1')])
}

/** Takes an envelope apart without a copy, or returns undefined when it is not one that this version writes. */
export function parseEnvelope(bytes: Uint8Array): Envelope | undefined {
  const all = asBuffer(bytes)
  const [m, r, version, alg, flags, kidLength] = all
  if (m !== 0x4d || r !== 0x52 || version !== VERSION) return undefined
  if (flags === undefined || flags > ZSTD || kidLength === undefined) return undefined
  const compression = flags === GZIP ? 'gzip' : flags === ZSTD ? 'zstd' : 'none'
  const info = { version, compression, bytes: all.length } as const
  const none = all.subarray(0, 0)
  if (alg === 0) {
    if (kidLength !== 0) return undefined
    const header = all.subarray(0, FIXED_BYTES)
    return {
      info: { ...info, alg: 'none', kid: null },
      header,
      nonce: none,
      body: all.subarray(FIXED_BYTES),
      tag: none,
    }
  }
  const start = FIXED_BYTES + kidLength
  const kid = all.toString('latin1', FIXED_BYTES, start)
  if (alg !== 1 || !isKid(kid) || all.length < start + NONCE_BYTES + TAG_BYTES) return undefined
  return {
    info: { ...info, alg: 'XAES-256-GCM', kid },
    header: all.subarray(0, start),
    nonce: all.subarray(start, start + NONCE_BYTES),
    body: all.subarray(start + NONCE_BYTES, all.length - TAG_BYTES),
    tag: all.subarray(all.length - TAG_BYTES),
  }
}

/** The same bytes as a Buffer; no copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
