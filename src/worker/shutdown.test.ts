import { expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { inTime, shutDown } from './shutdown.ts'

/** Shuts a worker down that has 20 s, and notes with the millisecond what it is told. */
function shuttingDown(softMs = 20_000) {
  const clock = new ManualClock()
  const idle = Promise.withResolvers<void>()
  const hurry = Promise.withResolvers<void>()
  const steps: [step: string, atMs: number][] = []
  const note = (step: string) => steps.push([step, clock.monotonic()])
  const worker = { idle: () => idle.promise, abortAll: () => note('abort'), abandonAll: () => note('abandon') }
  void shutDown(worker, { clock, softMs, hurry: hurry.promise }).then(() => note('end'))
  /** Lets so much time pass, and everybody act who waited for it. */
  const pass = async (ms: number) => {
    await new Promise(setImmediate)
    clock.advance(ms)
    await new Promise(setImmediate)
  }
  return { idle, hurry, steps, pass }
}

test('what ends by itself within the soft stop is never told to stop', async () => {
  const { idle, steps, pass } = shuttingDown()

  await pass(19_999)
  idle.resolve()
  await pass(60_000)

  expect(steps).toEqual([['end', 19_999]])
})

test('what goes on is aborted at the end of that, and one that heeds it is not abandoned', async () => {
  const { idle, steps, pass } = shuttingDown()

  await pass(20_000)
  await pass(4_999)
  idle.resolve()
  await pass(60_000)

  expect(steps).toEqual([
    ['abort', 20_000],
    ['end', 24_999],
  ])
})

test('what does not heed it is abandoned after five seconds, and the store has five more to take that', async () => {
  const { steps, pass } = shuttingDown()

  for (const ms of [20_000, 5_000, 5_000]) await pass(ms)

  expect(steps).toEqual([
    ['abort', 20_000],
    ['abandon', 25_000],
    ['end', 30_000],
  ])
})

test('without a soft stop all is aborted at once', async () => {
  const { steps, pass } = shuttingDown(0)

  await pass(0)

  expect(steps).toEqual([['abort', 0]])
})

test('in a hurry handlers have a tenth of a second for each step', async () => {
  const { hurry, steps, pass } = shuttingDown()

  await pass(1_000)
  hurry.resolve()
  await pass(0)
  await pass(100)

  expect(steps).toEqual([
    ['abort', 1_100],
    ['abandon', 1_100],
  ])
})

test('what does not end holds up nobody for more than five seconds', async () => {
  const clock = new ManualClock()
  let isOver = false

  void inTime(clock, new Promise(() => undefined)).then(() => {
    isOver = true
  })
  clock.advance(4_999)
  await new Promise(setImmediate)
  expect(isOver).toBe(false)
  clock.advance(1)
  await new Promise(setImmediate)

  expect(isOver).toBe(true)
})
