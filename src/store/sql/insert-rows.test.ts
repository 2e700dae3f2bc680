import { expect, it } from 'vitest'
import { batchesOf } from './insert-rows.ts'

const MIB = 1024 * 1024

it('makes one batch of rows that come to less than a mebibyte', () => {
  expect(lengthsOf(batchesOf(rows(500, 100)))).toEqual([500])
  expect(batchesOf([])).toEqual([])
})

it('begins another batch where the bytes come to more, and leaves a larger row alone', () => {
  expect(lengthsOf(batchesOf(rows(5, MIB / 2)))).toEqual([2, 2, 1])
  expect(lengthsOf(batchesOf([...rows(1, 3 * MIB), ...rows(3, 10), ...rows(1, 2 * MIB)]))).toEqual([1, 3, 1])
})

it('takes no other lengths than those that were named', () => {
  expect(lengthsOf(batchesOf(rows(82, 10), [64, 8, 1]))).toEqual([64, 8, 8, 1, 1])
  expect(lengthsOf(batchesOf(rows(10, MIB / 4), [64, 8, 1]))).toEqual(Array.from({ length: 10 }, () => 1))
})

it('keeps the order', () => {
  const all = rows(100, 10)
  expect(batchesOf(all, [64, 8, 1]).flat()).toEqual(all)
})

function rows(count: number, bytes: number) {
  return Array.from({ length: count }, (_, seq) => ({ seq, message: new Uint8Array(bytes) }))
}

function lengthsOf(batches: readonly (readonly unknown[])[]): readonly number[] {
  return batches.map(({ length }) => length)
}
