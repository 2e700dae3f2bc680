import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Codec, createCodec, type SealedField } from './codec.ts'
import { createKeyRing, type KeyRing } from './key-ring.ts'
import { type RekeyField, rekeyRow } from './rekey.ts'

const [K1, K2] = [randomBytes(32), randomBytes(32)]
const ring = (active: string, ...kids: string[]): KeyRing => {
  const all: Record<string, Uint8Array> = { k1: K1, k2: K2 }
  return createKeyRing({ active, keys: Object.fromEntries(kids.map((kid) => [kid, all[kid] ?? K1])) })
}
const before = createCodec({ keys: ring('k1', 'k1') })
const during = createCodec({ keys: ring('k2', 'k1', 'k2') })
const after = createCodec({ keys: ring('k2', 'k2') })
const plain = createCodec({})
const FIELDS: readonly SealedField['field'][] = ['payload', 'result', 'error', 'progress', 'log:7']
const place = (field: SealedField['field']): SealedField => ({ jobId: 'a', jobName: 'n', field, epoch: 4 })
const long = Array.from({ length: 5_000 }, (_, i) => `row ${i}`)

async function rowOf(codec: Codec, value: unknown) {
  const fields: RekeyField[] = []
  for (const field of FIELDS) fields.push({ field, epoch: 4, bytes: await codec.encode(place(field), value) })
  fields.push({ field: 'history:2', epoch: 2, bytes: await codec.encode(place('error'), value) })
  return { id: 'a', name: 'n', fields }
}

describe('rekeying a row', () => {
  it.each([
    ['under the old key', before, 'x'],
    ['in the clear', plain, { a: 1 }],
    ['compressed, under the old key', before, long],
    ['compressed, in the clear', plain, long],
    ['empty', before, undefined],
  ])('seals every field under the active key: %s', async (_, from, value) => {
    const row = await rowOf(from, value)

    const { changed, unreadable, missingKids } = await rekeyRow(during, row)

    expect([unreadable, missingKids]).toEqual([[], []])
    expect(changed.map(({ field }) => field)).toEqual(row.fields.map(({ field }) => field))
    for (const { field, bytes } of changed) {
      const named = field.startsWith('history:') ? 'error' : (field as SealedField['field'])
      expect(after.inspect(bytes).kid).toBe('k2')
      expect(after.inspect(bytes).compression).toBe(from.inspect(row.fields[0]?.bytes ?? Buffer.alloc(0)).compression)
      expect(await after.decode(place(named), bytes)).toEqual(value)
    }
  })

  it('changes nothing the second time', async () => {
    const row = await rowOf(before, 'x')
    const { changed } = await rekeyRow(during, row)

    expect((await rekeyRow(during, { ...row, fields: changed })).changed).toEqual([])
  })

  it('leaves and names what it cannot open, and goes on', async () => {
    const row = await rowOf(before, 'x')
    const [payload, ...rest] = row.fields
    const broken = Buffer.from(payload?.bytes ?? [])
    broken[30] = (broken[30] ?? 0) ^ 1

    const result = await rekeyRow(during, { ...row, fields: [{ field: 'payload', epoch: 4, bytes: broken }, ...rest] })
    const keyless = await rekeyRow(after, row)

    expect(result.unreadable).toEqual(['payload'])
    expect(result.changed).toHaveLength(rest.length)
    expect(keyless).toEqual({ changed: [], unreadable: [], missingKids: ['k1'] })
  })

  it('does not seal what is in the clear and cannot be read', async () => {
    const bytes = Buffer.from('MR\x01\x00\x00\x00{"a":', 'latin1')

    expect(await rekeyRow(during, { id: 'a', name: 'n', fields: [{ field: 'payload', epoch: 1, bytes }] })).toEqual({
      changed: [],
      unreadable: ['payload'],
      missingKids: [],
    })
  })

  it('does nothing without keys, and nothing to what is no envelope', async () => {
    const row = await rowOf(before, 'x')
    const garbage = {
      id: 'a',
      name: 'n',
      fields: [{ field: 'payload', epoch: 1, bytes: Buffer.from('garbage') } as const],
    }

    expect((await rekeyRow(plain, row)).changed).toEqual([])
    expect((await rekeyRow(during, garbage)).changed).toEqual([])
  })
})

describe('C9: a rotation', () => {
  it('keeps every value readable by every node at every step', async () => {
    // 1: k1 alone; 2: k2 opens everywhere; 3: k2 seals; 4: rows are sealed anew; 5: k1 is gone.
    const reads = createCodec({ keys: ring('k1', 'k1', 'k2') })
    const steps: readonly (readonly Codec[])[] = [
      [before, reads],
      [reads, during],
      [during, after],
    ]
    let bytes = await before.encode(place('payload'), 'kept')
    for (const nodes of steps.slice(0, 2)) {
      for (const node of nodes) expect(await node.decode(place('payload'), bytes)).toBe('kept')
      for (const writer of nodes.slice(0, 1)) {
        for (const reader of nodes) {
          const written = await writer.encode(place('result'), 'new')
          expect(await reader.decode(place('result'), written)).toBe('new')
        }
      }
    }
    bytes = await during.rekey(place('payload'), bytes)
    for (const node of steps[2] ?? []) expect(await node.decode(place('payload'), bytes)).toBe('kept')
  })
})
