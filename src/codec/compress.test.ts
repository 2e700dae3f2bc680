import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { generator, seedOf } from '../../test/support/random.ts'
import { tally } from '../../test/support/tally.ts'
import { compress, decompress } from './compress.ts'

const MIB = 1_048_576
const text = Buffer.from(JSON.stringify(Array.from({ length: 200 }, (_, i) => ({ id: i, name: `user ${i}` }))))
const long = Buffer.concat(Array.from({ length: 50 }, () => text))
const zstd = (body: Buffer) =>
  zstdCompressSync(body, { params: { [constants.ZSTD_c_checksumFlag]: 1 }, pledgedSrcSize: body.length })
const withLength = (gz: Buffer, length: number) => {
  const copy = Buffer.from(gz)
  copy.writeUInt32LE(length, copy.length - 4)
  return copy
}

describe.each(['gzip', 'zstd'] as const)('%s', (kind) => {
  it('gives back what it was given, short or long', async () => {
    for (const body of [text, long]) expect(await decompress(kind, await compress(kind, body), MIB)).toEqual(body)
  })

  it('is at once below 32 KiB and a promise above', async () => {
    const packed = await compress(kind, long)

    expect(compress(kind, text)).toBeInstanceOf(Buffer)
    expect(compress(kind, long)).toBeInstanceOf(Promise)
    expect(decompress(kind, packed, MIB)).toBeInstanceOf(Promise)
  })

  it('C14: refuses what is longer than the cap', async () => {
    const bomb = await compress(kind, Buffer.alloc(64 * MIB))

    expect(bomb.length).toBeLessThan(70_000)
    expect(await decompress(kind, bomb, 16 * MIB)).toBeUndefined()
    tally({ 'bombs refused': 1 })
  })

  it('refuses every truncation, every changed byte and anything behind', async () => {
    const packed = await compress(kind, text)
    const spoilt = [
      ...Array.from({ length: packed.length }, (_, i) => packed.subarray(0, i)),
      Buffer.concat([packed, Buffer.from([0])]),
      Buffer.concat([packed, Buffer.from('junkjunkjunk')]),
      Buffer.concat([packed, packed]),
      Buffer.concat([packed, await compress(kind, long)]),
      Buffer.concat(Array.from({ length: 10_000 }, () => packed)),
    ]

    for (const body of spoilt) expect(await decompress(kind, body, MIB)).toBeUndefined()
    tally({ 'bodies refused': spoilt.length })
    const random = generator(seedOf(43))
    for (let i = 0; i < packed.length; i++) {
      const changed = Buffer.from(packed)
      changed[i] = (changed[i] ?? 0) ^ (1 + Math.floor(random() * 255))
      const out = await decompress(kind, changed, MIB)
      // Some bytes of the frame say nothing about the content (a time stamp, a window size); all others are refused.
      if (out !== undefined) expect(out).toEqual(text)
    }
  })
})

describe('C14: bombs', () => {
  it('costs no more than its declared length when the trailer lies', async () => {
    const bomb = gzipSync(Buffer.alloc(256 * MIB))
    const before = process.memoryUsage().rss

    for (const length of [1, 1_000, 100_000, 16 * MIB]) {
      expect(await decompress('gzip', withLength(bomb, length), 16 * MIB)).toBeUndefined()
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * MIB)
  })

  it('refuses a gzip member with a wrong checksum', () => {
    const packed = gzipSync(text)
    packed.writeUInt32LE(1, packed.length - 8)

    expect(decompress('gzip', packed, MIB)).toBeUndefined()
  })

  it('refuses gzip members with a name, a comment or extra fields', () => {
    const packed = gzipSync(text)

    for (const flags of [1, 2, 4, 8, 16, 0xe0]) {
      packed[3] = flags
      expect(decompress('gzip', packed, MIB)).toBeUndefined()
    }
  })

  it('refuses zstd frames without a length or a checksum', () => {
    const noChecksum = zstdCompressSync(text, { pledgedSrcSize: text.length })

    expect(decompress('zstd', noChecksum, MIB)).toBeUndefined()
    expect(decompress('zstd', zstd(text), MIB)).toEqual(text)
  })

  it('refuses a gzip within a gzip as JSON would: it is opened once', async () => {
    const twice = gzipSync(gzipSync(Buffer.alloc(MIB)))

    expect((await decompress('gzip', twice, MIB))?.length).toBeLessThan(2_000)
  })
})
