import { expect, test } from 'vitest'
import { claimedJob } from '../../test/support/claimed-job.ts'
import { ManualClock } from '../base/clock.ts'
import { defineJob } from '../job/define-job.ts'
import { Registry } from '../job/registry.ts'
import { Fetcher } from './fetcher.ts'
import { workerSettings } from './options.ts'
import { type Outlet, RunningJob } from './running-job.ts'
import { Settler } from './settler.ts'
import { Slots } from './slots.ts'
import { Unstarted } from './unstarted.ts'

/** Nothing of a job that has not begun is sent out. */
const outlet: Outlet = {
  progress: () => expect.fail('progress'),
  log: () => expect.fail('a log line'),
  completeIn: () => expect.fail('a completion'),
  checkpoint: () => expect.fail('a checkpoint'),
  restore: () => expect.fail('a look at a checkpoint'),
}

/** A worker with one slot, at 10 s of its clock. A lease that is asked for holds for 27 s. */
function workerWith() {
  const clock = new ManualClock()
  clock.advance(10_000)
  const registry = new Registry([defineJob({ name: 'a', run: () => undefined })])
  const slots = new Slots(1, false)
  const fetcher = new Fetcher(workerSettings({ concurrency: 1 }), slots, 'w', ['a'])
  const settler = new Settler()
  const withdrawn: unknown[] = []
  const endOf = (sentAt: number) => sentAt + 27_000
  const unstarted = new Unstarted({
    ...{ clock, registry, slots, fetcher, settler, outlet },
    leases: { endOf },
    runningList: { withdraw: () => withdrawn.push(null) },
  })
  /** Waits here for a slot since then. */
  const fetchedAt = (id: string, at: number) => fetcher.add([claimedJob({ id, epoch: 3 })], endOf(at))
  const runsSince = (startedAt: number) => {
    const handler = registry.get('a') ?? expect.fail('no handler')
    const job = new RunningJob(claimedJob({ id: 'running' }), handler, endOf(startedAt), outlet)
    job.startedAt = startedAt
    slots.take(job)
  }
  const back = () => settler.take().map(({ settlement }) => settlement)
  return { unstarted, fetcher, withdrawn, fetchedAt, runsSince, back }
}

test('what goes back is pending again, with its attempt uncounted, and is told to nobody as begun', () => {
  const { unstarted, fetcher, withdrawn, fetchedAt, back } = workerWith()
  fetchedAt('first', 1_000)
  fetchedAt('second', 2_000)

  unstarted.giveBack(28_500)

  expect(back()).toEqual([{ id: 'first', epoch: 3, runMs: 0, to: 'pending' }])
  expect(withdrawn).toHaveLength(1)
  expect(fetcher).toMatchObject({ waiting: 1, claimed: 1 })
})

test('what has waited for a second behind a job that has run as long goes back, what came later stays', () => {
  const { unstarted, fetchedAt, runsSince, back } = workerWith()
  runsSince(8_000)
  fetchedAt('stuck', 9_000)
  fetchedAt('newer', 9_001)

  unstarted.giveBackStuck()

  expect(back().map(({ id }) => id)).toEqual(['stuck'])
})

test.each<[string, (worker: ReturnType<typeof workerWith>) => void]>([
  ['a slot is free: it is the store that is slow', () => undefined],
  ['the job before it has just begun', ({ runsSince }) => runsSince(9_500)],
  ['the job before it has not begun, its start is being written down', ({ runsSince }) => runsSince(0)],
])('what has waited for a second stays when %s', (_, prepare) => {
  const worker = workerWith()
  prepare(worker)
  worker.fetchedAt('waits', 1_000)

  worker.unstarted.giveBackStuck()

  expect(worker.back()).toEqual([])
})
