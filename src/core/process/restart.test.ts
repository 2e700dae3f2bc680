import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countFailedStarts, isCrashLoop, restAfterMs, restartDelayMs } from './restart.ts'

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('countFailedStarts', () => {
  test('counts those that ended soon without having worked, and forgets them after one that did', () => {
    expect(countFailedStarts(0, { livedMs: 50, hasWorked: false })).toBe(1)
    expect(countFailedStarts(4, { livedMs: 9_999, hasWorked: false })).toBe(5)
    expect(countFailedStarts(4, { livedMs: 50, hasWorked: true })).toBe(0)
    expect(countFailedStarts(4, { livedMs: 10_000, hasWorked: false })).toBe(0)
  })
})

describe('restartDelayMs', () => {
  test('is none after a process that has worked', () => {
    fc.assert(fc.property(random, (r) => restartDelayMs(0, r) === 0))
  })

  test('doubles from 50–100 ms to 15–30 s, and no further', () => {
    expect([1, 2, 3, 4].map((n) => restartDelayMs(n, 0))).toEqual([50, 100, 200, 400])
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), random, (n, r) => {
        const delay = restartDelayMs(n, r)
        const full = Math.min(30_000, 100 * 2 ** (n - 1))
        return delay >= full / 2 && delay <= full
      }),
    )
  })
})

describe('isCrashLoop', () => {
  test('is said from the third failed start in a row', () => {
    expect([0, 1, 2, 3, 4].map(isCrashLoop)).toEqual([false, false, false, true, true])
  })
})

describe('restAfterMs', () => {
  test('leaves the machine nineteen twentieths of its cores, and never more than 5 s', () => {
    expect([1, 2, 4, 10, 20, 64].map((cores) => restAfterMs(100, cores))).toEqual([1_900, 900, 400, 100, 0, 0])
    const cores = fc.integer({ min: 1, max: 256 })
    fc.assert(
      fc.property(fc.double({ min: 1, max: 100_000, noNaN: true }), cores, (startMs, n) => {
        const rest = restAfterMs(startMs, n)
        const share = startMs / (startMs + rest) / n
        return rest <= 5_000 && (share <= 1 / 20 + 1e-9 || rest === 5_000)
      }),
    )
  })
})
