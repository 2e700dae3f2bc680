/** I9 on histories made by hand: a queue or a worker that is paused. */
import { expect, test } from 'vitest'
import type { FaultLine } from '../ledgers.ts'
import { judge } from './checker.ts'
import { GOOD, job, W2, withJobs } from './hand-made.ts'
import type { History } from './history.ts'

const WITHIN_MS = GOOD.terms.pauseWithinMs
/** When one began that waits for a second run. */
const AGAIN_AT = 1_220
const pause = (from: number, to: number | null, queue = 'default'): FaultLine => ({
  kind: 'pause',
  pid: null,
  queue,
  from,
  to,
})
const withFaults = (...faults: readonly FaultLine[]): History => ({ ...GOOD, faults: [...GOOD.faults, ...faults] })
const violations = (history: History) => judge(history).violations

test('a start while its queue is paused is told, with how late it was', () => {
  const from = AGAIN_AT - WITHIN_MS - 5
  const told = { invariant: 'I9', text: 'released began under 2 25 ms after the pause of default was acknowledged' }

  expect(violations(withFaults(pause(from, 1_400)))).toEqual([told])
  expect(violations(withFaults(pause(from, null)))).toContainEqual(told)
})

test('one that had been claimed, or that came before the pause or after its end, may begin', () => {
  expect(violations(withFaults(pause(AGAIN_AT - WITHIN_MS, 1_400)))).toEqual([])
  expect(violations(withFaults(pause(AGAIN_AT + 1, 1_400)))).toEqual([])
  expect(violations(withFaults(pause(100, 1_199)))).toEqual([])
})

test('the pause of another queue holds up nobody', () => {
  expect(violations(withFaults(pause(100, 1_400, 'other')))).toEqual([])
  expect(
    violations({ ...withFaults(pause(100, 1_400)), jobs: GOOD.jobs.map((each) => ({ ...each, queue: 'mine' })) }),
  ).toEqual([])
  expect(withJobs(job('once', [])).jobs.at(-1)?.queue).toBe('default')
})

test('a start in a paused worker is told, and one in its neighbour is none', () => {
  const from = AGAIN_AT - WITHIN_MS - 5
  const worker = (pid: number): FaultLine => ({ kind: 'pause', pid, from, to: 1_400 })

  expect(violations(withFaults(worker(W2)))).toEqual([
    { invariant: 'I9', text: `released began under 2 25 ms after the pause of worker ${W2} was acknowledged` },
  ])
  expect(violations(withFaults(worker(W2 + 100)))).toEqual([])
})

test('the time in which the process stood still does not count', () => {
  const from = AGAIN_AT - WITHIN_MS - 15
  const stall = (pid: number): FaultLine => ({ kind: 'stall', pid, from: from + 1, to: from + 40 })

  expect(violations(withFaults(pause(from, 1_400), stall(W2)))).toEqual([])
  expect(violations(withFaults(pause(from, 1_400), stall(W2 + 100)))).not.toEqual([])
})
