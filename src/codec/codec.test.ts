import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { tally } from '../../test/support/tally.ts'
import { MillraceError } from '../core/errors.ts'
import { type CodecOptions, createCodec, type SealedField } from './codec.ts'
import { createKeyRing } from './key-ring.ts'

const FIELD: SealedField = { jobId: '0197c0de-0000-7000-8000-000000000001', jobName: 'resize', field: 'payload' }
const [K1, K2] = [randomBytes(32), randomBytes(32)]
const ringOf = (active: 'k1' | 'k2') => createKeyRing({ active, keys: { k1: K1, k2: K2 } })
const rows = (count: number) => Array.from({ length: count }, (_, i) => ({ id: i, name: `user ${i}` }))
const errorOf = async (act: () => unknown): Promise<MillraceError> => {
  try {
    await act()
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

afterEach(() => vi.restoreAllMocks())

const SETUPS: readonly [string, CodecOptions][] = [
  ['plain', {}],
  ['plain with zstd', { compress: 'zstd', compressAbove: 0 }],
  ['sealed', { keys: ringOf('k1') }],
  ['sealed with gzip', { keys: ringOf('k1'), compressAbove: 0 }],
  ['sealed with zstd', { keys: ringOf('k1'), compress: 'zstd', compressAbove: 0, storeId: 'a store' }],
  ['sealed and padded', { keys: ringOf('k1'), pad: true, requireEncryption: true }],
]

describe.each(SETUPS)('a codec: %s', (_, options) => {
  const codec = createCodec(options)

  it('gives back every value', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ stringUnit: 'binary' }), async (value) => {
        fc.pre(!/__proto__|"prototype"/.test(JSON.stringify(value)))
        const bytes = await codec.encode(FIELD, value)
        expect(await codec.decode(FIELD, new Uint8Array(bytes))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
      { numRuns: 200 },
    )
  })

  it.each([undefined, null, '', 0, false, [], {}])('gives back %j', async (value) => {
    expect(await codec.decode(FIELD, await codec.encode(FIELD, value))).toEqual(value)
  })

  it('gives back a large value', async () => {
    const value = rows(4_000)

    expect(await codec.decode(FIELD, await codec.encode(FIELD, value))).toEqual(value)
  })

  it('answers at once for a small value', () => {
    const bytes = codec.encode(FIELD, { a: 1 })

    expect(bytes).toBeInstanceOf(Uint8Array)
    expect(codec.decode(FIELD, bytes as Uint8Array)).toEqual({ a: 1 })
  })
})

describe('what is stored', () => {
  const plain = createCodec({})
  const sealed = createCodec({ keys: ringOf('k1') })

  it('is the header and the JSON when there are no keys', () => {
    expect(Buffer.from(plain.encode(FIELD, { a: 1 }) as Uint8Array).toString('latin1')).toBe(
      'MR\x01\x00\x00\x00{"a":1}',
    )
  })

  it('C1: tells its algorithm, key and compression without a key', async () => {
    expect(plain.inspect(await sealed.encode(FIELD, rows(100)))).toMatchObject({
      version: 1,
      alg: 'XAES-256-GCM',
      kid: 'k1',
      compression: 'gzip',
    })
    expect(plain.inspect(await plain.encode(FIELD, 1))).toEqual({
      version: 1,
      alg: 'none',
      kid: null,
      compression: 'none',
      bytes: 7,
    })
    expect((await errorOf(() => plain.inspect(Buffer.from('no envelope')))).code).toBe('PAYLOAD_UNREADABLE')
  })

  it('C13: is compressed only above the limit and only when that saves a tenth', async () => {
    const compressionOf = async (value: unknown, options: CodecOptions = {}) =>
      plain.inspect(await createCodec(options).encode(FIELD, value)).compression

    expect(await compressionOf('x'.repeat(1_022))).toBe('none')
    expect(await compressionOf('x'.repeat(1_023))).toBe('gzip')
    expect(await compressionOf('no two letters alike', { compressAbove: 0 })).toBe('none')
    expect(await compressionOf('x'.repeat(9_000), { compress: 'zstd' })).toBe('zstd')
    expect(await compressionOf('x'.repeat(9_000), { compress: false })).toBe('none')
    expect(plain.inspect(await plain.encode(FIELD, 'x'.repeat(9_000), { compress: false })).compression).toBe('none')
  })

  it('is never the same twice when it is sealed', async () => {
    expect(await sealed.encode(FIELD, 1)).not.toEqual(await sealed.encode(FIELD, 1))
  })

  it('shows nothing of the value when it is sealed', async () => {
    const bytes = await createCodec({ keys: ringOf('k1'), compress: false }).encode(FIELD, {
      card: 'hunter2'.repeat(200),
    })

    expect(Buffer.from(bytes).includes('hunter2')).toBe(false)
  })

  it('C13: has a length that tells only a power of two when it is padded', async () => {
    const codec = createCodec({ keys: ringOf('k1'), pad: true })
    const lengths = await Promise.all(
      [1, 10, 50, 61].map(async (n) => (await codec.encode(FIELD, 'x'.repeat(n))).length),
    )

    expect(new Set(lengths).size).toBe(1)
    expect((await codec.encode(FIELD, undefined)).length).toBe(lengths[0])
    expect((await codec.encode(FIELD, 'x'.repeat(62))).length).toBe((lengths[0] ?? 0) + 64)
  })

  it('C7: does not change when the job moves, is retried or gets another priority', async () => {
    const bytes = await sealed.encode(FIELD, 'x')
    const seenLater = { ...FIELD, queue: 'other', priority: 10, attempts: 3 }

    expect(await sealed.decode(seenLater, bytes)).toBe('x')
  })
})

describe('D3: limits', () => {
  it('are those of the options, and of the call', async () => {
    const codec = createCodec({ maxBytes: 100 })

    expect(await errorOf(() => codec.encode(FIELD, 'x'.repeat(99)))).toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      fields: { what: 'payload', limit: 'bytes', max: 100 },
    })
    expect(codec.encode(FIELD, 'x'.repeat(98))).toBeDefined()
    expect(codec.encode(FIELD, 'x'.repeat(99), { maxBytes: 200 })).toBeDefined()
    expect((await errorOf(() => codec.encode(FIELD, [[1]], { maxDepth: 1 }))).code).toBe('PAYLOAD_TOO_LARGE')
    tally({ 'too large refused': 2 })
  })

  it('lets a payload of 16 MiB through when it is asked to', async () => {
    const codec = createCodec({ keys: ringOf('k1'), maxBytes: 16 * 1_048_576, maxString: 16 * 1_048_576 })
    const value = 'x'.repeat(16 * 1_048_576 - 2)

    expect(await codec.decode(FIELD, await codec.encode(FIELD, value))).toBe(value)
  })

  it.each<[string, CodecOptions]>([
    ['maxBytes', { maxBytes: 16 * 1_048_576 + 1 }],
    ['maxBytes', { maxBytes: 0 }],
    ['maxBytes', { maxBytes: Number.NaN }],
    ['maxDepth', { maxDepth: 513 }],
    ['maxDecoded', { maxDecoded: 10 }],
    ['compress', { compress: 'brotli' as 'gzip' }],
    ['compressAbove', { compressAbove: -1 }],
    ['requireEncryption', { requireEncryption: true }],
  ])('refuses %s when it cannot be: %o', async (option, options) => {
    const error = await errorOf(() => createCodec(options))

    expect(error.code).toBe('CONFIG_INVALID')
    expect(error.message).toContain(option)
  })

  it('refuses a key ring of another making rather than storing in the clear', async () => {
    const fake = { ...ringOf('k1') }

    expect((await errorOf(() => createCodec({ keys: fake }))).code).toBe('KEY_INVALID')
  })
})

describe('reading', () => {
  it('C12: names a key that is not there, and reads on when it is added', async () => {
    const bytes = await createCodec({ keys: ringOf('k2') }).encode(FIELD, 'x')
    const ring = createKeyRing({ active: 'k1', keys: { k1: K1 } })
    const codec = createCodec({ keys: ring })

    expect(await errorOf(() => codec.decode(FIELD, bytes))).toMatchObject({
      code: 'KEY_UNKNOWN',
      fields: { kid: 'k2' },
    })
    expect((await errorOf(() => createCodec({}).decode(FIELD, bytes))).code).toBe('KEY_UNKNOWN')
    ring.add('k2', K2)
    expect(await codec.decode(FIELD, bytes)).toBe('x')
  })

  it('C16: refuses rows in the clear when encryption is required', async () => {
    const keys = ringOf('k1')
    const strict = createCodec({ keys, requireEncryption: true })

    for (const value of [undefined, 1, rows(100)]) {
      const bytes = await createCodec({}).encode(FIELD, value)
      expect((await errorOf(() => strict.decode(FIELD, bytes))).code).toBe('PAYLOAD_UNREADABLE')
      expect((await errorOf(() => strict.rekey(FIELD, bytes))).code).toBe('PAYLOAD_UNREADABLE')
      expect(await createCodec({ keys }).decode(FIELD, bytes)).toEqual(value)
    }
  })

  it('C17: takes a result only with the epoch it was written under, and a payload with any', async () => {
    const codec = createCodec({ keys: ringOf('k1') })
    const result: SealedField = { ...FIELD, field: 'result', epoch: 3 }
    const step: SealedField = { ...FIELD, field: 'step:charge', epoch: 3 }

    for (const field of [result, step]) {
      const bytes = await codec.encode(field, 'paid')
      expect(await codec.decode(field, bytes)).toBe('paid')
      expect((await errorOf(() => codec.decode({ ...field, epoch: 4 }, bytes))).code).toBe('PAYLOAD_UNREADABLE')
    }
    // An old payload of the same job opens: nothing in it says how new it is.
    const payload = await codec.encode({ ...FIELD, epoch: 1 }, 'old')
    expect(await codec.decode({ ...FIELD, epoch: 2 }, payload)).toBe('old')
  })

  it('asks for the epoch of a result, sealed or not', async () => {
    const field: SealedField = { ...FIELD, field: 'result' }

    for (const options of [{}, { keys: ringOf('k1') }]) {
      expect((await errorOf(() => createCodec(options).encode(field, 1))).code).toBe('INTERNAL')
    }
  })

  it('C5: reads nothing of a sealed value before its tag has proven it', async () => {
    const codec = createCodec({ keys: ringOf('k1') })
    const bytes = Buffer.from(await codec.encode(FIELD, { a: 1 }))
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1
    const parse = vi.spyOn(JSON, 'parse')

    expect((await errorOf(() => codec.decode(FIELD, bytes))).code).toBe('PAYLOAD_UNREADABLE')
    expect(parse).not.toHaveBeenCalled()
  })

  it('C14: tells when a value had been compressed by more than 200 to 1', async () => {
    const seen: number[] = []
    const codec = createCodec({ onHighRatio: (field, ratio) => seen.push(field === FIELD ? ratio : 0) })

    await codec.decode(FIELD, await codec.encode(FIELD, rows(1_000)))
    expect(seen).toEqual([])
    await codec.decode(FIELD, await codec.encode(FIELD, 'x'.repeat(1_000_000)))
    expect(seen[0]).toBeGreaterThan(200)
    tally({ 'high ratios told': seen.length })
  })
})

describe('C15: blinding', () => {
  const codec = createCodec({ keys: ringOf('k1') })

  it('keeps equality and nothing else', () => {
    expect(codec.blind('unique', 'a')).toBe(createCodec({ keys: ringOf('k1') }).blind('unique', 'a'))
    expect(codec.blind('unique', 'a')).toMatch(/^[\w-]{43}$/)
    const others = [
      codec.blind('unique', 'b'),
      codec.blind('tags', 'a'),
      codec.blind('uniqu', 'ea'),
      createCodec({ keys: ringOf('k2') }).blind('unique', 'a'),
    ]
    expect(new Set([codec.blind('unique', 'a'), ...others]).size).toBe(5)
  })

  it('leaves the text alone without keys', () => {
    expect(createCodec({}).blind('unique', 'a')).toBe('a')
  })
})
