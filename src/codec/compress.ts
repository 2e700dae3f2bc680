/**
 * Compression with a cap. The length that a compressed body declares is its cap: one that gives more, holds a second
 * member or anything behind the first, or fails its checksum is refused, so a bomb costs no more than it declares.
 * Above 32 KiB the asynchronous forms of zlib keep the work off the event loop.
 */
import { nodeZlib } from '../base/builtin.ts'
import type { Compression } from './envelope.ts'

/** Bodies up to this length are handled at once; longer ones in zlib's threads. */
const SYNC_BYTES = 32_768
const GZIP_HEADER_BYTES = 10
const GZIP_TRAILER_BYTES = 8
const ZSTD_MAGIC = 0xfd2fb528
// What is allocated before the declared length has been believed.
const FIRST_CHUNK_BYTES = 1_048_576
// 16 MiB: a frame may otherwise ask for a window of 128 MiB.
const MAX_WINDOW_LOG = 24

/** The compressed body. */
export function compress(kind: Compression, body: Buffer): Buffer | Promise<Buffer> {
  const zlib = nodeZlib()
  const zstdOptions = { params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 }, pledgedSrcSize: body.length }
  if (body.length <= SYNC_BYTES) return kind === 'gzip' ? zlib.gzipSync(body) : zlib.zstdCompressSync(body, zstdOptions)
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, out: Buffer) => (error === null ? resolve(out) : reject(error))
    if (kind === 'gzip') zlib.gzip(body, done)
    else zlib.zstdCompress(body, zstdOptions, done)
  })
}

/** The body that was compressed, or undefined when it is damaged or longer than `maxBytes`. */
export function decompress(
  kind: Compression,
  body: Buffer,
  maxBytes: number,
): Buffer | undefined | Promise<Buffer | undefined> {
  const declared = kind === 'gzip' ? gzipLength(body) : zstdLength(body)
  if (declared === undefined || declared === 0 || declared > maxBytes) return undefined
  const zlib = nodeZlib()
  const options = {
    info: true,
    maxOutputLength: declared,
    chunkSize: chunkSize(declared),
    params: kind === 'zstd' ? { [zlib.constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG } : {},
  }
  const deflated = kind === 'gzip' ? body.subarray(GZIP_HEADER_BYTES, -GZIP_TRAILER_BYTES) : body
  const accept = (given: unknown): Buffer | undefined => {
    const { buffer, engine } = given as Inflated
    const isWhole = engine.bytesWritten === deflated.length && buffer.length === declared
    if (!isWhole || (kind === 'gzip' && zlib.crc32(buffer) !== body.readUInt32LE(body.length - 8))) return undefined
    return buffer
  }
  if (declared <= SYNC_BYTES && body.length <= SYNC_BYTES) {
    try {
      return accept(
        kind === 'gzip' ? zlib.inflateRawSync(deflated, options) : zlib.zstdDecompressSync(deflated, options),
      )
    } catch {
      // Damaged, or longer than it declared: both are unreadable.
      return undefined
    }
  }
  return new Promise((resolve) => {
    const done = (error: Error | null, given: unknown) => resolve(error === null ? accept(given) : undefined)
    if (kind === 'gzip') zlib.inflateRaw(deflated, options, done)
    else zlib.zstdDecompress(deflated, options, done)
  })
}

/** What `info: true` makes zlib return; its types know only the buffer. */
interface Inflated {
  readonly buffer: Buffer
  readonly engine: { readonly bytesWritten: number }
}

function chunkSize(declared: number): number {
  return Math.min(Math.max(declared, 64), FIRST_CHUNK_BYTES)
}

/** The length in the trailer of a gzip member (RFC 1952) that has the plain header of ten bytes, as ours have. */
function gzipLength(body: Buffer): number | undefined {
  if (body.length <= GZIP_HEADER_BYTES + GZIP_TRAILER_BYTES) return undefined
  if (body[0] !== 0x1f || body[1] !== 0x8b || body[2] !== 8 || body[3] !== 0) return undefined
  return body.readUInt32LE(body.length - 4)
}

/** The content size in the header of a zstd frame (RFC 8878 §3.1.1); ours always have one, and no dictionary. */
function zstdLength(body: Buffer): number | undefined {
  if (body.length < 14 || body.readUInt32LE(0) !== ZSTD_MAGIC) return undefined
  const descriptor = body[4] ?? 0
  const isSingleSegment = (descriptor & 0x20) !== 0
  const hasChecksum = (descriptor & 0x04) !== 0
  if ((descriptor & 0x0b) !== 0 || !hasChecksum) return undefined
  const at = isSingleSegment ? 5 : 6
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? body[at] : undefined
    case 1:
      return body.readUInt16LE(at) + 256
    case 2:
      return body.readUInt32LE(at)
    default:
      return Number(body.readBigUInt64LE(at))
  }
}
