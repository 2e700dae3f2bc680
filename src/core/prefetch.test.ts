import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { prefetchCount } from './prefetch.ts'

describe('prefetchCount', () => {
  test.each([
    ['as many as the slots when a job takes one round trip', 10, 2, 2, 10],
    ['twice the slots when two fit into a round trip', 10, 2, 1, 20],
    ['one more for a part of a job', 10, 3, 2, 15],
    ['a part rounded up', 1, 3, 2, 2],
    ['none when jobs are slower than a round trip', 10, 2, 2.1, 0],
    ['the cap for very short jobs', 100, 5, 0.01, 256],
    ['the cap for jobs that take no time at all', 10, 2, 0, 256],
    ['none without slots', 0, 2, 1, 0],
  ])('is %s', (_, slots, roundTripMs, meanRunMs, count) => {
    expect(prefetchCount({ slots, roundTripMs, meanRunMs, maxPrefetch: 256 })).toBe(count)
  })

  test('is none when prefetching is turned off', () => {
    expect(prefetchCount({ slots: 10, roundTripMs: 2, meanRunMs: 1, maxPrefetch: 0 })).toBe(0)
  })

  test('is a whole number from 0 to the cap for any numbers', () => {
    fc.assert(
      fc.property(
        fc.double(),
        fc.double(),
        fc.double(),
        fc.nat(10_000),
        (slots, roundTripMs, meanRunMs, maxPrefetch) => {
          const count = prefetchCount({ slots, roundTripMs, meanRunMs, maxPrefetch })

          expect(Number.isInteger(count)).toBe(true)
          expect(count).toBeGreaterThanOrEqual(0)
          expect(count).toBeLessThanOrEqual(maxPrefetch)
        },
      ),
    )
  })

  const times = fc.double({ min: 0.001, max: 1000, noNaN: true })

  test('covers one round trip: the slots are never idle for want of a job, nor is a job fetched too many', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), times, times, (slots, roundTripMs, meanRunMs) => {
        fc.pre(meanRunMs <= roundTripMs)
        const count = prefetchCount({ slots, roundTripMs, meanRunMs, maxPrefetch: Number.MAX_SAFE_INTEGER })
        const freed = (slots * roundTripMs) / meanRunMs

        expect(count).toBeGreaterThanOrEqual(freed)
        expect(count).toBeLessThan(freed + 1)
      }),
    )
  })

  test('never falls when the store gets slower', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), times, times, times, (slots, roundTripMs, more, meanRunMs) => {
        const before = prefetchCount({ slots, roundTripMs, meanRunMs, maxPrefetch: 256 })
        const after = prefetchCount({ slots, roundTripMs: roundTripMs + more, meanRunMs, maxPrefetch: 256 })

        expect(after).toBeGreaterThanOrEqual(before)
      }),
    )
  })
})
