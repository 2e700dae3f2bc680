import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManualClock } from './clock.ts'
import { SteadyTime } from './steady-time.ts'

test('is the wall clock while that does not go back', () => {
  const clock = new ManualClock(1_000)
  const time = new SteadyTime(clock)

  const first = time.now()
  clock.advance(500)
  clock.step(10_000)

  expect([first, time.now()]).toEqual([1_000, 11_500])
})

test('goes on at half its pace after the clock was set back, until that has caught up', () => {
  const clock = new ManualClock(1_000_000)
  const time = new SteadyTime(clock)
  time.now()
  clock.step(-60_000)
  const told = [time.now()]

  for (let i = 0; i < 4; i++) {
    clock.advance(40_000)
    told.push(time.now())
  }

  expect(told).toEqual([1_000_000, 1_020_000, 1_040_000, 1_060_000, 1_100_000])
})

test('property: never goes back, and moves whenever 2 ms have passed', () => {
  const moves = fc.array(
    fc.oneof(
      fc.record({ advance: fc.integer({ min: 0, max: 100_000 }) }),
      fc.record({ step: fc.integer({ min: -10_000_000, max: 10_000_000 }) }),
    ),
    { maxLength: 50 },
  )
  fc.assert(
    fc.property(moves, (all) => {
      const clock = new ManualClock()
      const time = new SteadyTime(clock)
      let last = time.now()
      for (const move of all) {
        if ('step' in move) clock.step(move.step)
        const before = time.now()
        if ('advance' in move) clock.advance(move.advance)
        const now = time.now()
        expect(before).toBeGreaterThanOrEqual(last)
        expect(now).toBeGreaterThanOrEqual(before)
        if ('advance' in move && move.advance >= 4) expect(now).toBeGreaterThan(before)
        last = now
      }
    }),
    { seed: 20261128, numRuns: 500 },
  )
})
