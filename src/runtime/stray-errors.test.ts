import { expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { SuccessorRequests } from './stray-errors.ts'

/** A process of that age, and what it has asked for: each with the monotonic instant at which it did. */
function processOf(ageMs: number) {
  const clock = new ManualClock()
  const asked: [atMs: number, why: string][] = []
  const requests = new SuccessorRequests({ clock, ageMs, ask: (why) => asked.push([clock.monotonic(), why]) })
  /** Leaves errors at these monotonic instants. */
  const strayAt = (...instants: readonly number[]) => {
    for (const at of instants) {
      clock.advance(at - clock.monotonic())
      requests.strayed(`error of ${at}`)
    }
    clock.advance(0)
  }
  return { clock, asked, strayAt }
}

test('the first error of a process that has worked for a while asks at once', () => {
  const { asked, strayAt } = processOf(10_000)

  strayAt(5)

  expect(asked).toEqual([[5, 'error of 5']])
})

test('a young process asks when it is ten seconds old, once, for the first of its errors', () => {
  const { clock, asked, strayAt } = processOf(1_000)

  strayAt(500, 8_999)
  expect(asked).toEqual([])
  clock.advance(60_000)

  expect(asked).toEqual([[9_000, 'error of 500']])
})

test('errors within a minute of a request do not ask again, however many they are', () => {
  const { asked, strayAt } = processOf(10_000)

  strayAt(0, 1, 30_000, 59_999)

  expect(asked).toEqual([[0, 'error of 0']])
})

test('a process whose successor never came asks again at an error a minute after its last request, and so on', () => {
  const { asked, strayAt } = processOf(10_000)

  strayAt(0, 60_000, 61_000, 119_999, 500_000)

  expect(asked.map(([atMs]) => atMs)).toEqual([0, 60_000, 500_000])
})

test('the minute counts from the request, not from the error that had to wait with it', () => {
  const { asked, strayAt } = processOf(0)

  strayAt(0, 60_000, 69_999, 70_000)

  expect(asked.map(([atMs]) => atMs)).toEqual([10_000, 70_000])
})

test('without an error nothing is asked', () => {
  const { clock, asked } = processOf(0)

  clock.advance(3_600_000)

  expect(asked).toEqual([])
})
