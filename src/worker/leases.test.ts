import { expect, onTestFinished, test } from 'vitest'
import { type Clock, ManualClock } from '../base/clock.ts'
import { defineJob } from '../job/define-job.ts'
import { Registry } from '../job/registry.ts'
import type { ClaimedJob } from '../store/contract/index.ts'
import { createMemoryStore } from '../store/memory/store.ts'
import { Leases } from './leases.ts'
import { type Outlet, RunningJob } from './running-job.ts'
import { Slots } from './slots.ts'

const LEASE_MS = 30_000
const TRUSTED_MS = 27_000

/** A job that runs since its lease was asked for at 0, and time that can pass while the event loop stands still. */
function runningJob({ isKept }: { readonly isKept: boolean }) {
  const manual = new ManualClock()
  let standsUntil = 0
  const clock: Clock = {
    now: () => manual.now(),
    monotonic: () => Math.max(standsUntil, manual.monotonic()),
    after: (ms, fn) => manual.after(clock.monotonic() - manual.monotonic() + ms, fn),
  }
  const work = defineJob({ name: 'work', run: () => undefined })
  const handler = new Registry([work]).get('work')
  if (handler === undefined) throw new Error('there is no handler')
  // What is read of a claimed job here.
  const claimed = { id: 'a', epoch: 1, name: 'work', queue: 'q', payload: new Uint8Array(), timeoutMs: 3_600_000 }
  const job = new RunningJob(claimed as unknown as ClaimedJob, handler, TRUSTED_MS, {} as Outlet)
  const slots = new Slots(1, false)
  slots.take(job)
  job.deadline = job.timeoutMs
  let stalls = 0
  const leases = new Leases({
    ...{ workerId: 'w', store: createMemoryStore(), clock, slots, isKept },
    ...{ leaseMs: LEASE_MS, heartbeatMs: 10_000, graceMs: 5_000 },
    onStalled: () => stalls++,
    onIgnored: () => undefined,
    onLost: () => undefined,
    onStoreFailed: () => undefined,
  })
  onTestFinished(() => leases.stop())
  leases.watch(job)
  return {
    job,
    pass: (ms: number) => manual.advance(ms),
    /** What became due meanwhile runs when it is over. */
    stall: (ms: number) => {
      standsUntil = manual.monotonic() + ms
      manual.advance(ms)
    },
    stalls: () => stalls,
  }
}

test.each([17_000, 18_000, 20_000, 25_000, 40_000])(
  'a lease that a supervisor has kept is not given up after the event loop stood still for %i ms, and is asked after',
  (ms) => {
    const { job, pass, stall, stalls } = runningJob({ isKept: true })

    pass(9_900)
    stall(ms)
    pass(200)

    expect(job.aborted).toBeUndefined()
    expect(stalls()).toBeGreaterThan(0)
  },
)

test('nor for longer than a heartbeat, when the store does not say how it is', () => {
  const { job, pass, stall } = runningJob({ isKept: true })
  pass(9_900)
  stall(20_000)

  pass(10_002)

  expect(job.aborted).toBe('lease-lost')
})

test('without a supervisor it is given up', () => {
  const { job, pass, stall } = runningJob({ isKept: false })

  pass(9_900)
  stall(20_000)

  expect(job.aborted).toBe('lease-lost')
})

test('a supervised worker that did not stand still gives a lease up when it could not extend it', () => {
  const { job, pass, stalls } = runningJob({ isKept: true })

  pass(TRUSTED_MS - 1)
  const before = job.aborted
  pass(2)

  expect([before, job.aborted]).toEqual([undefined, 'lease-lost'])
  expect(stalls()).toBe(0)
})
