/** Leases of jobs whose rows other transactions hold: passed over by heartbeats, and asked for beside them. */
import { expect, test, vi } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { defineJob } from '../../src/index.ts'
import type { ExtendResult, HeldResult, JobsFacet, Lease } from '../../src/store/contract/index.ts'
import { createMemoryStore } from '../../src/store/memory/store.ts'
import { openMill } from '../support/mill.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

const WAIT = { timeout: 20_000, interval: 1 }

/** A worker that holds so many jobs, on a store that answers its questions about leases as it is told. */
async function holding(
  count: number,
  answers: {
    readonly extend: (jobs: JobsFacet, leases: readonly Lease[]) => readonly ExtendResult[]
    readonly wait: (lease: Lease) => Promise<readonly HeldResult[]> | null
  },
) {
  const clock = new ManualClock()
  const store = wrappedStore(createMemoryStore({ clock }), (jobs) => ({
    async extend(workerId, leases, leaseMs) {
      const results = answers.extend(jobs, leases)
      const free = leases.filter((_, i) => results[i] !== 'locked')
      if (free.length > 0) await jobs.extend(workerId, free, leaseMs)
      return results
    },
    extendWaiting: (workerId, [lease = { id: '', epoch: 0 }], leaseMs) =>
      answers.wait(lease) ?? jobs.extendWaiting(workerId, [lease], leaseMs),
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

test('a lease that each heartbeat finds locked is kept by waiting for its row', async () => {
  const all = await holding(3, { extend: (_, leases) => leases.map(() => 'locked'), wait: () => null })

  await all.pass(120_000)

  expect(all.lost).toEqual([])
  await all.end()
})

test('a row that is held for long costs only its own job the lease: what waits behind it is tried until it is free', async () => {
  let tries = 0
  const stuck = Promise.withResolvers<readonly HeldResult[]>()
  const first: { id?: string } = {}
  const all = await holding(3, {
    extend(_, leases) {
      first.id ??= leases[0]?.id ?? ''
      // Heartbeats, each ten seconds, are the first try of three.
      const isFree = ++tries % 3 === 0
      return leases.map(({ id }) => (id !== first.id && isFree ? 'held' : 'locked'))
    },
    wait: ({ id }) => (id === first.id ? stuck.promise : null),
  })

  await all.pass(120_000)

  // It is taken back and begun again, in vain each time.
  expect(new Set(all.lost)).toEqual(new Set([first.id]))
  expect(all.ids).toContain(first.id)
  stuck.resolve(['lost'])
  await all.end()
})
