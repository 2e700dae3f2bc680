/** Whoever can write to the database cannot make an envelope open as something else. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { tally } from '../../test/support/tally.ts'
import { MillraceError } from '../core/errors.ts'
import { createCodec, type SealedField } from './codec.ts'
import { createKeyRing } from './key-ring.ts'

const keys = createKeyRing({ active: 'k1', keys: { k1: randomBytes(32), k2: randomBytes(32) } })
const codec = createCodec({ keys, compress: false, requireEncryption: true })
const FIELD: SealedField = { jobId: 'job-1', jobName: 'resize', field: 'payload' }
const VALUE = { text: randomBytes(768).toString('base64').slice(0, 1_013) }
const sealed = Buffer.from(await codec.encode(FIELD, VALUE))
const KID = { from: 5, to: 8 }

/** All of an error that anyone could see, but where it was thrown. */
async function faceOf(act: () => unknown): Promise<string> {
  try {
    await act()
    return 'accepted'
  } catch (error) {
    if (!(error instanceof MillraceError)) return `not typed: ${String(error)}`
    const { code, message, fields, hint, cause, name } = error
    return JSON.stringify({ code, message, fields, hint, cause, name, own: Object.keys(error) })
  }
}
const open = async (bytes: Uint8Array, field = FIELD, by = codec) => {
  const face = await faceOf(() => by.decode(field, bytes))
  if (face === REFUSED) tally({ 'envelopes refused': 1 })
  return face
}
const changed = (at: number, to: (byte: number) => number) => {
  const copy = Buffer.from(sealed)
  copy[at] = to(copy[at] ?? 0)
  return copy
}
const REFUSED = await faceOf(() => codec.decode(FIELD, Buffer.alloc(0)))

describe('an envelope of 1 KiB', () => {
  it('opens as it was sealed', async () => {
    expect(JSON.stringify(VALUE).length).toBe(1_024)
    expect(await codec.decode(FIELD, sealed)).toEqual(VALUE)
    expect(REFUSED).toContain('"code":"PAYLOAD_UNREADABLE"')
  })

  it('C11: is refused with the one error after every flip of a single bit', async () => {
    const faces = new Map<string, number>()
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const at = bit >> 3
      const face = await open(changed(at, (byte) => byte ^ (1 << (bit & 7))))
      // In the key's name a flip may give the name of a key that is not there, which operators are told.
      const isName = at >= KID.from && at < KID.to && face.includes('"code":"KEY_UNKNOWN"')
      const kind = isName ? 'unknown key' : face
      faces.set(kind, (faces.get(kind) ?? 0) + 1)
    }

    expect([...faces.keys()].filter((face) => face !== 'unknown key')).toEqual([REFUSED])
    expect(faces.get(REFUSED)).toBeGreaterThan(8_192)
  })

  it('is refused when cut to any length, at either end', async () => {
    const faces = new Set<string>()
    for (let length = 0; length < sealed.length; length++) {
      faces.add(await open(sealed.subarray(0, length)))
      if (length > 0) faces.add(await open(sealed.subarray(length)))
    }

    expect([...faces]).toEqual([REFUSED])
  })

  it('is refused with anything behind or before it', async () => {
    const additions = [Buffer.alloc(1), Buffer.from('x'), Buffer.alloc(16), randomBytes(64), sealed]

    for (const more of additions) {
      expect(await open(Buffer.concat([sealed, more]))).toBe(REFUSED)
      if (more !== sealed) expect(await open(Buffer.concat([more, sealed]))).toBe(REFUSED)
    }
  })

  it('is refused with any other version, algorithm or flags', async () => {
    for (const at of [0, 1, 2, 3, 4]) {
      for (let byte = 0; byte < 256; byte++) {
        if (byte !== sealed[at]) expect(await open(changed(at, () => byte))).toBe(REFUSED)
      }
    }
  })

  it('is refused with its parts exchanged for those of another', async () => {
    const other = Buffer.from(await codec.encode(FIELD, VALUE))
    const nonceFrom = KID.to
    const bodyFrom = nonceFrom + 24
    const cuts = [nonceFrom + 12, bodyFrom, bodyFrom + 100, sealed.length - 16, sealed.length - 8]

    for (const cut of cuts) {
      expect(await open(Buffer.concat([sealed.subarray(0, cut), other.subarray(cut)]))).toBe(REFUSED)
    }
  })
})

describe('C6: an envelope in another place', () => {
  const places: readonly Partial<SealedField>[] = [
    { jobId: 'job-2' },
    { jobId: '' },
    { jobName: 'delete-account' },
    { jobName: 'resize ' },
    { jobId: 'job-1resize', jobName: '' },
    { jobName: '\ud800' },
    { field: 'result', epoch: 1 },
    { field: 'error' },
    { field: 'progress' },
    { field: 'checkpoint' },
    { field: 'log:0' },
    { field: 'step:payload', epoch: 1 },
  ]

  it.each(places)('is refused: %o', async (place) => {
    expect(await open(sealed, { ...FIELD, ...place })).toBe(REFUSED)
  })

  it('is refused when swapped between log lines, steps or results', async () => {
    const fields: SealedField[] = [
      { ...FIELD, field: 'log:1' },
      { ...FIELD, field: 'log:11' },
      { ...FIELD, field: 'step:a', epoch: 1 },
      { ...FIELD, field: 'step:a', epoch: 11 },
      { ...FIELD, field: 'step:a1', epoch: 1 },
      { ...FIELD, field: 'result', epoch: 1 },
    ]
    for (const from of fields) {
      const bytes = await codec.encode(from, 'x')
      for (const to of fields) expect(await open(bytes, to)).toBe(from === to ? 'accepted' : REFUSED)
    }
  })

  it('is refused in another store', async () => {
    const inA = createCodec({ keys, storeId: 'a' })
    const inB = createCodec({ keys, storeId: 'b' })

    expect(await open(await inA.encode(FIELD, 1), FIELD, inB)).toBe(REFUSED)
  })
})

describe('C10: the key', () => {
  it('is the one named, even where another would fit', async () => {
    const bytes = randomBytes(32)
    const twins = createCodec({ keys: createKeyRing({ active: 'k1', keys: { k1: bytes, k2: bytes } }) })
    const envelope = Buffer.from(await twins.encode(FIELD, 'x'))
    envelope.write('k2', 6)

    expect(await open(envelope, FIELD, twins)).toBe(REFUSED)
  })

  it('does not open what a key of the same name sealed elsewhere', async () => {
    const stranger = createCodec({ keys: createKeyRing({ active: 'k1', keys: { k1: randomBytes(32) } }) })

    expect(await open(await stranger.encode(FIELD, 1))).toBe(REFUSED)
  })
})

describe('bytes that are no envelope', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(2_000)],
    ['ones', Buffer.alloc(2_000, 0xff)],
    ['JSON', Buffer.from('{"a":1}')],
    ['10 MB of noise', randomBytes(10_000_000)],
    ['10 MB of noise behind our header', Buffer.concat([sealed.subarray(0, 8), randomBytes(10_000_000)])],
    ['a row in the clear', Buffer.from('MR\x01\x00\x00\x00{"a":1}', 'latin1')],
  ])('are refused: %s', async (_, bytes) => {
    expect(await open(bytes)).toBe(REFUSED)
  })

  it.each([
    ['not JSON', Buffer.from('MR\x01\x00\x00\x00{"a":', 'latin1')],
    ['not UTF-8', Buffer.from('MR\x01\x00\x00\x00"\xff\xfe"', 'latin1')],
    ['a header cut short', Buffer.from('MR\x01\x00\x00', 'latin1')],
    ['a key where there is no seal', Buffer.from('MR\x01\x00\x00\x02k1{}', 'latin1')],
    ['both compressions', Buffer.from('MR\x01\x00\x03\x00{}', 'latin1')],
    ['gzip that is none', Buffer.from('MR\x01\x00\x01\x00{"a":1}', 'latin1')],
    ['zstd that is none', Buffer.from('MR\x01\x00\x02\x00{"a":1,"b":2}', 'latin1')],
    ['a polluting key', Buffer.from('MR\x01\x00\x00\x00{"__proto__":{"x":1}}', 'latin1')],
    ['a text longer than may be read', Buffer.from(`MR\x01\x00\x00\x00"${'x'.repeat(17_000_000)}"`, 'latin1')],
  ])('are refused without encryption as well: %s', async (_, bytes) => {
    expect(await open(bytes, FIELD, createCodec({}))).toBe(REFUSED)
    expect(await open(bytes, FIELD, createCodec({ keys }))).toBe(REFUSED)
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  it('are refused alike when a sealed body cannot be read', async () => {
    const { sealBody } = await import('./seal.ts')
    const bodies = ['{"a":', '{"__proto__":1}', 'x'.repeat(50_000)].map((text) => Buffer.from(text))

    for (const body of bodies) {
      for (const compression of ['none', 'gzip', 'zstd'] as const) {
        expect(await open(sealBody(keys, '', FIELD, compression, body))).toBe(REFUSED)
      }
    }
  })
})
