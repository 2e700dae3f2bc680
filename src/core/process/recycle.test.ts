import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isBeyondHardLimit, type RecycleLimits, recycleReason, spreadLimits } from './recycle.ts'

const NONE: RecycleLimits = {
  memoryBytes: Number.POSITIVE_INFINITY,
  jobs: Number.POSITIVE_INFINITY,
  ageMs: Number.POSITIVE_INFINITY,
}
const MB = 1_000_000
const fresh = { grownBytes: 0, jobsDone: 0, ageMs: 0 }

describe('recycleReason', () => {
  test('is none without limits, whatever the worker has used', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat(), (grownBytes, jobsDone, ageMs) => {
        return recycleReason({ grownBytes, jobsDone, ageMs }, NONE) === undefined
      }),
    )
  })

  test('names what was used up', () => {
    expect(recycleReason({ ...fresh, grownBytes: 50 * MB + 1 }, { ...NONE, memoryBytes: 50 * MB })).toBe('memory')
    expect(recycleReason({ ...fresh, grownBytes: 50 * MB }, { ...NONE, memoryBytes: 50 * MB })).toBeUndefined()
    expect(recycleReason({ ...fresh, grownBytes: null }, { ...NONE, memoryBytes: 50 * MB })).toBeUndefined()
    expect(recycleReason({ ...fresh, jobsDone: 10 }, { ...NONE, jobs: 10 })).toBe('jobs')
    expect(recycleReason({ ...fresh, ageMs: 10 }, { ...NONE, ageMs: 10 })).toBe('age')
  })
})

describe('spreadLimits', () => {
  test('lowers jobs and age by a tenth at most, and leaves memory as it was asked for', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e9 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (n, r) => {
          const spread = spreadLimits({ memoryBytes: n, jobs: n, ageMs: n }, r)
          return (
            spread.memoryBytes === n &&
            spread.jobs >= Math.max(1, n * 0.9) &&
            spread.jobs <= n &&
            spread.ageMs >= n * 0.9
          )
        },
      ),
    )
    expect(spreadLimits(NONE, 0.5)).toEqual(NONE)
  })
})

describe('isBeyondHardLimit', () => {
  test('is twice the growth that is allowed', () => {
    const limits = { ...NONE, memoryBytes: 50 * MB }
    expect([null, 50 * MB, 100 * MB, 100 * MB + 1].map((bytes) => isBeyondHardLimit(bytes, limits))).toEqual([
      false,
      false,
      false,
      true,
    ])
    expect(isBeyondHardLimit(1e12, NONE)).toBe(false)
  })
})
