import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_BATCH_BYTES, MAX_BATCH_ROWS, takeBatch } from './batch.ts'

const own = (size: number) => size

describe('takeBatch', () => {
  test.each([
    ['nothing of an empty list', [], 3, 10, 0],
    ['all when they fit', [1, 2, 3], 3, 10, 3],
    ['no more than the rows', [1, 1, 1, 1], 3, 10, 3],
    ['no more than the bytes', [4, 4, 4], 3, 10, 2],
    ['up to exactly the bytes', [4, 6, 1], 3, 10, 2],
    ['a larger row alone', [11, 1], 3, 10, 1],
    ['not a larger row behind others', [1, 11], 3, 10, 1],
    ['rows of no bytes by their count', [0, 0, 0, 0], 3, 10, 3],
    ['one when no row is allowed, so that lists get shorter', [1, 1], 0, 10, 1],
  ])('takes %s', (_, sizes, maxRows, maxBytes, count) => {
    expect(takeBatch(sizes, own, maxRows, maxBytes)).toBe(count)
  })

  test('is bounded by 1,000 rows and 1 MiB when nothing else is said', () => {
    expect(takeBatch(new Array(2000).fill(1), own)).toBe(MAX_BATCH_ROWS)
    expect(takeBatch([MAX_BATCH_BYTES - 1, 1, 1], own)).toBe(2)
    expect(MAX_BATCH_BYTES).toBe(1024 * 1024)
  })

  const sizes = fc.array(fc.nat(100), { maxLength: 50 })

  test('cuts any list into batches within bounds, each as long as it can be', () => {
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 200 }),
        (list, maxRows, maxBytes) => {
          const sum = (part: readonly number[]) => part.reduce((total, size) => total + size, 0)
          for (let rest = list; rest.length > 0; ) {
            const count = takeBatch(rest, own, maxRows, maxBytes)

            expect(count).toBeGreaterThanOrEqual(1)
            expect(count).toBeLessThanOrEqual(Math.min(maxRows, rest.length))
            if (count > 1) expect(sum(rest.slice(0, count))).toBeLessThanOrEqual(maxBytes)
            const isFull = count === maxRows || count === rest.length || sum(rest.slice(0, count + 1)) > maxBytes
            expect(isFull).toBe(true)
            rest = rest.slice(count)
          }
        },
      ),
    )
  })
})
