import type { FieldPacket } from 'mysql2'
import { expect, test } from 'vitest'
import { resultOf } from './values.ts'

// The driver's description of a column, of which only the name and the type are read.
const FIELDS = ['id', 'payload'].map((name) => ({ name })) as unknown as FieldPacket[]

test('text becomes a string, and bytes a copy that the driver cannot change', () => {
  const [id, payload] = [Buffer.from('a–b'), Buffer.from([1, 2, 3])]
  const { rows } = resultOf([[id, payload]], FIELDS)
  payload.fill(9)
  expect(rows).toEqual([['a–b', new Uint8Array([1, 2, 3])]])
})

test('values that share memory do not overlap, whatever their sizes', () => {
  const sizes = [0, 1, 1_024, 1_025, 7_000, 300, 1_024, 1_024, 1_024, 1_024, 1_024, 1_024, 1_024, 1_024, 5]
  const sent = sizes.map((size, i) => Buffer.alloc(size, i + 1))
  const { rows } = resultOf(
    sent.map((bytes) => [Buffer.from('id'), Buffer.from(bytes)]),
    FIELDS,
  )
  const got = rows.map((row) => row[1] as Uint8Array)
  expect(got).toEqual(sent.map((bytes) => new Uint8Array(bytes)))
  for (const bytes of got) expect(bytes.buffer.byteLength).toBeLessThanOrEqual(8_192)
})

test('a large value has memory of its own', () => {
  const { rows } = resultOf([[Buffer.from('id'), Buffer.alloc(1_025)]], FIELDS)
  const [[, payload] = []] = rows
  expect((payload as Uint8Array).buffer.byteLength).toBe(1_025)
})

test('a whole number that no number can hold is a bigint, and text of digits stays text', () => {
  const fields = [{ name: 'run_at', columnType: 8 }, { name: 'tags' }] as unknown as FieldPacket[]
  const { rows } = resultOf(
    [
      ['9223372036854775807', '9223372036854775807'],
      [5, null],
    ],
    fields,
  )
  expect(rows).toEqual([
    [9_223_372_036_854_775_807n, '9223372036854775807'],
    [5, null],
  ])
})
