/** Leases of jobs whose rows other transactions hold: passed over by heartbeats, and asked for beside them. */
import { expect, test, vi } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { defineJob, StoreError } from '../../src/index.ts'
import type { Lease } from '../../src/store/contract/index.ts'
import { createMemoryStore } from '../../src/store/memory/store.ts'
import { openMill } from '../support/mill.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

const WAIT = { timeout: 20_000, interval: 1 }

/** A worker that holds so many jobs on a store whose answers about leases are locked where `isLocked` says so; `tries`: of each job. */
async function holding(
  count: number,
  isLocked: (lease: Lease, tries: number, at: number) => boolean,
  waits: (lease: Lease) => boolean = () => false,
) {
  const clock = new ManualClock()
  const tries = new Map<string, number>()
  const store = wrappedStore(createMemoryStore({ clock }), (jobs) => ({
    async extend(workerId, leases, leaseMs) {
      const locked = leases.map((lease) => {
        const tried = (tries.get(lease.id) ?? 0) + 1
        tries.set(lease.id, tried)
        return isLocked(lease, tried, clock.monotonic())
      })
      const free = leases.filter((_, i) => !locked[i])
      const results = free.length > 0 ? [...(await jobs.extend(workerId, free, leaseMs))] : []
      return locked.map((is) => (is ? 'locked' : (results.shift() ?? 'lost')))
    },
    async extendWaiting(workerId, leases, leaseMs, waitMs = 0) {
      if (leases.every(waits)) return jobs.extendWaiting(workerId, leases, leaseMs)
      await new Promise<void>((resolve) => clock.after(waitMs, resolve))
      throw new StoreError('transient', 'STORE_BUSY', 'locked')
    },
  }))
  const mill = await openMill({ store, clock })
  const lost: string[] = []
  mill.on('lease.lost', ({ jobId }) => lost.push(jobId))
  const release = Promise.withResolvers<void>()
  const held = defineJob({ name: 'held', run: () => release.promise })
  const jobs = await mill.enqueueMany(held, Array(count).fill(undefined))
  const worker = mill.work([held], { lease: '30s' })
  await vi.waitFor(() => expect(worker.running).toBe(count), WAIT)
  return {
    ids: jobs.map(({ id }) => id),
    lost,
    tries,
    /** Lets time pass in small steps, so that answers are heard between them. */
    async pass(ms: number) {
      for (let passed = 0; passed < ms; passed += 100) {
        clock.advance(100)
        await new Promise(setImmediate)
      }
    },
    async end() {
      release.resolve()
      await vi.waitFor(() => {
        clock.advance(1)
        expect(worker.running).toBe(0)
      }, WAIT)
    },
  }
}

test('a lease that each heartbeat finds locked is kept by trying again soon', async () => {
  // Heartbeats are each ten seconds, and all that comes within a second of one is locked.
  const all = await holding(3, (_lease, _tries, at) => at % 10_000 < 1_000)

  await all.pass(120_000)

  expect(all.lost).toEqual([])
  await all.end()
})

test('a row for which others always stand in line is waited for, in turn with those of other jobs', async () => {
  const all = await holding(
    3,
    () => true,
    () => true,
  )

  await all.pass(120_000)

  expect(all.lost).toEqual([])
  await all.end()
})

test('a row that is held for good costs only its own job the lease', async () => {
  const first: { id?: string } = {}
  const all = await holding(3, ({ id }, tries) => {
    first.id ??= id
    return id === first.id || tries % 3 > 0
  })

  await all.pass(28_000)

  expect(all.lost).toEqual([first.id])
  expect(all.ids).toContain(first.id)
  const after = all.tries.get(first.id ?? '')
  await all.pass(1_000)
  // It is given up here, and left to the heartbeats.
  expect(all.tries.get(first.id ?? '')).toBe(after)
  await all.pass(60_000)
  expect(new Set(all.lost)).toEqual(new Set([first.id]))
  await all.end()
})
