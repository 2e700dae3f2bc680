import { expect, onTestFinished, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { defineJob } from '../job/define-job.ts'
import { healthOfWorker } from './health.ts'
import { lateAfterMs } from './late.ts'
import { Millrace } from './millrace.ts'
import { storeDeadlineMs } from './store-url.ts'

/** A worker whose store answers no look for what is due. */
async function waitingWorker(query: string) {
  const clock = new ManualClock()
  const mill = await Millrace.open({ store: `sqlite::memory:${query}`, clock })
  const release = Promise.withResolvers<void>()
  let calls = 0
  Object.assign(mill.store.jobs, {
    nextDue: () => {
      calls++
      return release.promise.then(() => null)
    },
  })
  const worker = mill.work([defineJob({ name: 'a', run: () => undefined })], { lease: '30s' })
  onTestFinished(async () => {
    release.resolve()
    await mill.close()
  })
  /** The loops that are late although their calls are answered. */
  const othersLate = () => worker.view.late.filter(([loop]) => loop !== 'promote')
  /** Lets time pass in steps, in which everything else goes on: what a report tells of this process is read from files, in real time. */
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 1_000) {
      clock.advance(Math.min(left, 1_000))
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
      if (othersLate().length > 0) await expect.poll(othersLate, { timeout: 30_000 }).toEqual([])
    }
  }
  await expect.poll(() => pass(1).then(() => calls)).toBe(1)
  return { worker, pass }
}

test.each([
  ['', 30_000],
  ['?busy=2m', 120_000],
])(
  'a store that takes all the time of its deadline for each call (%o) makes no loop dead; one that never answers does',
  async (query, deadlineMs) => {
    const { worker, pass } = await waitingWorker(query)

    await pass(4 * deadlineMs + 5_000)
    expect(healthOfWorker(worker).isLive).toBe(true)
    await pass(10_000)

    expect(healthOfWorker(worker)).toMatchObject({ isLive: false, checks: [{ name: 'promote', isOk: false }, {}, {}] })
  },
)

test('a heartbeat may wait for a lease that is longer than the deadline of its store', () => {
  expect(lateAfterMs(1_000, 60_000)).toBeGreaterThan(60_000)
})

test.each([
  ['sqlite:./a.db', 30_000],
  ['sqlite:./a.db?durability=normal&busy=1m', 60_000],
  ['postgres://u:p@h/d?schema=a&deadline=90s', 90_000],
  ['mysql://u:p@h/d?deadline=1500', 1_500],
  ['memory:', 30_000],
])('the deadline of %s is %i ms', (url, ms) => {
  expect(storeDeadlineMs(url)).toBe(ms)
})
