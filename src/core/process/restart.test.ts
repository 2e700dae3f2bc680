import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countShortLives, NO_SHORT_LIVES, nextStart, restAfterMs } from './restart.ts'

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('countShortLives', () => {
  test('counts those that ended within 10 s, and of these the last that had not worked', () => {
    const failed = { livedMs: 50, hasWorked: false }
    const worked = { livedMs: 9_999, hasWorked: true }
    const lives = (...ends: (typeof failed)[]) => ends.reduce(countShortLives, NO_SHORT_LIVES)
    expect(lives(failed, failed)).toEqual({ inARow: 2, failed: 2 })
    expect(lives(failed, worked)).toEqual({ inARow: 2, failed: 0 })
    expect(lives(failed, worked, failed)).toEqual({ inARow: 3, failed: 1 })
    for (const hasWorked of [true, false]) expect(lives(failed, { livedMs: 10_000, hasWorked })).toEqual(NO_SHORT_LIVES)
  })
})

describe('nextStart', () => {
  const lives = (inARow: number, failed: number) => ({ inARow, failed })

  test('is at once, and nothing is said, after a process that has worked', () => {
    for (const inARow of [0, 1, 4])
      expect(nextStart(lives(inARow, 0), 1, 0.5)).toEqual({
        afterMs: 0,
        isFailing: false,
        isLoop: false,
        starts: 0,
        hasWorked: false,
      })
  })

  test('is a second after the start before from the fifth short life on, and that is a crash loop', () => {
    const loop = { isFailing: true, isLoop: true, hasWorked: true }
    expect(nextStart(lives(5, 0), 200.5, 0.5)).toEqual({ afterMs: 800, starts: 5, ...loop })
    expect(nextStart(lives(900, 0), 5_000, 0.5)).toEqual({ afterMs: 0, starts: 900, ...loop })
  })

  test('is so too where every other start fails, and later when more fail in a row', () => {
    const loop = { isFailing: true, isLoop: true, hasWorked: true }
    expect(nextStart(lives(8, 1), 200, 0.5)).toEqual({ afterMs: 800, starts: 8, ...loop })
    expect(nextStart(lives(9, 6), 200, 0)).toEqual({ afterMs: 1_600, starts: 9, ...loop })
    expect(nextStart(lives(3, 1), 200, 0)).toMatchObject({ afterMs: 50, starts: 1, isLoop: false, hasWorked: false })
  })

  test('doubles after failed starts from 50–100 ms to 15–30 s, and no further', () => {
    expect([1, 2, 3, 4].map((n) => nextStart(lives(n, n), 50, 0).afterMs)).toEqual([50, 100, 200, 400])
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), random, (n, r) => {
        const { afterMs } = nextStart(lives(n, n), 50, r)
        const full = Math.min(30_000, 100 * 2 ** (n - 1))
        return afterMs >= full / 2 && afterMs <= full
      }),
    )
  })

  test('after failed starts is said each time, and called a crash loop from the third in a row, or the fifth short life', () => {
    const said = (inARow: number, failed: number) => {
      const { isFailing, isLoop } = nextStart(lives(inARow, failed), 50, 0)
      return [isFailing, isLoop]
    }
    expect([said(1, 1), said(2, 2), said(3, 3)]).toEqual([
      [true, false],
      [true, false],
      [true, true],
    ])
    expect(said(5, 1)).toEqual([true, true])
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
