import { expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { WakeUps } from './wake-ups.ts'

/** The wake-ups of a worker that polls each 40 ms, and the instants at which they came. */
function wakeUpsOn({ remote }: { remote: boolean }) {
  const clock = new ManualClock()
  const wokenAt: number[] = []
  const listeners = new Set<() => void>()
  const subscribe = (listener: () => void) => {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  const wakeUps = new WakeUps({
    clock,
    store: { wake: { subscribe }, capabilities: { remote } },
    pollMs: 40,
    random: () => 1,
    onWake: () => wokenAt.push(clock.monotonic()),
  })
  return { clock, wakeUps, wokenAt, listeners }
}

/** Answers each poll with that, and says when the polls came. */
function pollsAnswered(found: readonly (boolean | undefined)[], { remote }: { remote: boolean }): readonly number[] {
  const { clock, wakeUps, wokenAt } = wakeUpsOn({ remote })
  for (const each of found) {
    wakeUps.answered(each)
    wakeUps.listen()
    for (const polls = wokenAt.length; wokenAt.length === polls; ) clock.advance(1)
  }
  return wokenAt.map((at, i) => at - (wokenAt[i - 1] ?? 0))
}

test.each<[string, boolean, readonly (boolean | undefined)[], readonly number[]]>([
  [
    'a server is asked soon after a job, and ever less often',
    true,
    [true, false, false, false, false, true],
    [5, 10, 20, 40, 40, 5],
  ],
  ['an answer about outcomes alone changes nothing', true, [false, undefined, false], [10, 10, 20]],
  ['a store of this machine is polled, its hints being quick', false, [true, false, true], [40, 40, 40]],
])('%s', (_, remote, found, apart) => {
  expect(pollsAnswered(found, { remote })).toEqual(apart)
})

test('polls of many workers are spread over the last fifth of their time', () => {
  const clock = new ManualClock()
  const store = { wake: { subscribe: () => () => undefined }, capabilities: { remote: false } }
  const wokenAt: number[] = []
  for (const at of [0, 0.5])
    new WakeUps({ clock, store, pollMs: 100, random: () => at, onWake: () => wokenAt.push(clock.monotonic()) }).listen()

  clock.advance(100)

  expect(wokenAt).toEqual([80, 90])
})

test('whoever listens again and again does not put the poll off, and hears each hint once', () => {
  const { clock, wakeUps, wokenAt, listeners } = wakeUpsOn({ remote: false })

  for (let i = 0; i < 5; i++) {
    wakeUps.listen()
    clock.advance(9)
  }

  expect(wokenAt).toEqual([40])
  expect(listeners.size).toBe(1)
})

test('nothing wakes one that has stopped', () => {
  const { clock, wakeUps, wokenAt, listeners } = wakeUpsOn({ remote: true })
  wakeUps.listen()

  wakeUps.stop()
  clock.advance(1_000)

  expect(wokenAt).toEqual([])
  expect(listeners.size).toBe(0)
})

test('one that is to be quiet at first polls, listens after that time by itself, and not at all once it is stopped', () => {
  const { clock, wakeUps, wokenAt, listeners } = wakeUpsOn({ remote: false })
  wakeUps.beQuiet(100)
  wakeUps.listen()
  clock.advance(99)
  expect([wokenAt, listeners.size]).toEqual([[40], 0])
  clock.advance(1)
  expect(listeners.size).toBe(1)

  const stopped = wakeUpsOn({ remote: false })
  stopped.wakeUps.beQuiet(100)
  stopped.wakeUps.stop()
  stopped.clock.advance(100)
  expect(stopped.listeners.size).toBe(0)
})
