/** Outcomes and claims beside each other, where the store works in a process of its own. */
import { expect, test } from 'vitest'
import { defineJob, ManualClock, StoreError } from '../../src/index.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { ExchangeRequest, Store } from '../../src/store/contract/index.ts'
import { openMill } from '../support/mill.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

interface Seen {
  /** The most exchanges that settled, or claimed, at the same time. */
  settling: number
  claiming: number
  /** Exchanges that settled while another one claimed. */
  beside: number
  /** The most jobs that were held at a time: claimed, and not settled. */
  held: number
  /** All exchanges. */
  calls: number
}

/** A store in memory that answers an exchange some turns of the event loop later, as a server does. */
async function remoteStore(fails: (request: ExchangeRequest) => boolean = () => false) {
  const seen: Seen = { settling: 0, claiming: 0, beside: 0, held: 0, calls: 0 }
  let [settling, claiming, held] = [0, 0, 0]
  const inner = wrappedStore(await createStore('memory:'), (jobs) => ({
    async exchange(request) {
      const settles = request.settle.length > 0
      const claims = request.claim !== undefined
      seen.calls++
      if (settles) settling++
      if (claims) claiming++
      seen.settling = Math.max(seen.settling, settling)
      seen.claiming = Math.max(seen.claiming, claiming)
      if (settles !== claims && settling > 0 && claiming > 0) seen.beside++
      try {
        for (let i = 0; i < 5; i++) await new Promise(setImmediate)
        if (fails(request)) throw new StoreError('transient', 'STORE_UNREACHABLE', 'the way to the store is cut')
        const result = await jobs.exchange(request)
        held += result.claimed.length - request.settle.length
        seen.held = Math.max(seen.held, held)
        return result
      } finally {
        if (settles) settling--
        if (claims) claiming--
      }
    },
  }))
  const store: Store = Object.assign(Object.create(inner), { capabilities: { ...inner.capabilities, remote: true } })
  return { store, seen }
}

test('settles on one connection while it claims on up to two others', async () => {
  const { store, seen } = await remoteStore()
  const mill = await openMill({ store })
  const ran: number[] = []
  const job = defineJob({ name: 'job', run: async (n: number) => ran.push(n) })
  await mill.enqueueMany(
    job,
    Array.from({ length: 5_000 }, (_, i) => i),
  )

  await mill.work([job], { concurrency: 10, maxPrefetch: 256, drain: true }).done

  expect(ran.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 5_000 }, (_, i) => i))
  expect(await mill.count({ state: 'completed' })).toMatchObject({ count: 5_000 })
  expect(seen).toMatchObject({ settling: 1, claiming: 2 })
  expect(seen.beside).toBeGreaterThan(5)
  // What runs, waits or is under way fits the room; as much may be on its way back.
  expect(seen.held).toBeLessThanOrEqual(2 * 266)
})

test('claims no more than it may run, however many claims are under way', async () => {
  const { store, seen } = await remoteStore()
  const mill = await openMill({ store })
  const job = defineJob({ name: 'job', run: async () => {} })
  await mill.enqueueMany(job, Array(3_000).fill(undefined))

  const worker = mill.work([job], { concurrency: 10, maxPrefetch: 1_000, maxJobs: 1_777 })
  await worker.done

  expect(worker.jobsDone).toBe(1_777)
  expect(seen.claiming).toBe(2)
  expect(await mill.count({ state: 'pending' })).toMatchObject({ count: 3_000 - 1_777 })
})

test('has one claim under way where a queue has a limit of its own', async () => {
  const { store, seen } = await remoteStore()
  const mill = await openMill({ store })
  const job = defineJob({ name: 'job', run: async () => {} })
  await mill.enqueueMany(job, Array(2_000).fill(undefined))

  const queues = { default: { concurrency: 200 } }
  await mill.work([job], { concurrency: 200, maxPrefetch: 1_000, queues, drain: true }).done

  expect(seen.claiming).toBe(1)
  expect(await mill.count({ state: 'completed' })).toMatchObject({ count: 2_000 })
})

test('asks seldom while there is nothing to claim with', async () => {
  const { store, seen } = await remoteStore()
  const clock = new ManualClock()
  const mill = await openMill({ store, clock })
  const ending = Promise.withResolvers<void>()
  const job = defineJob({ name: 'job', run: () => ending.promise })
  await mill.enqueueMany(job, Array(10).fill(undefined))
  const worker = mill.work([job], { concurrency: 2, poll: 100 })
  const callsOf = async (ms: number) => {
    const before = seen.calls
    for (let passed = 0; passed < ms; passed += 5) {
      clock.advance(5)
      for (let i = 0; i < 10; i++) await new Promise(setImmediate)
    }
    return seen.calls - before
  }
  await expect.poll(() => worker.running).toBe(2)
  await callsOf(400)

  // Each 80 to 100 ms.
  expect(await callsOf(1_000)).toBeLessThanOrEqual(15)
  worker.pause()
  await callsOf(400)
  expect(await callsOf(1_000)).toBeLessThanOrEqual(15)
  ending.resolve()
  await worker.stop()
})

test('loses nothing when one of them fails', async () => {
  let calls = 0
  const { store } = await remoteStore(() => ++calls % 7 === 0)
  const mill = await openMill({ store })
  const job = defineJob({ name: 'job', run: async () => {} })
  await mill.enqueueMany(job, Array(2_000).fill(undefined))
  const lost: string[] = []
  mill.on('lease.lost', ({ jobId }) => lost.push(jobId))

  await mill.work([job], { concurrency: 10, maxPrefetch: 256, drain: true }).done

  expect(calls).toBeGreaterThan(20)
  expect(lost).toEqual([])
  expect(await mill.count({ state: 'completed' })).toMatchObject({ count: 2_000 })
})

test('gives back what it fetched ahead of jobs that then take long', async () => {
  const { store } = await remoteStore()
  const mill = await openMill({ store })
  const ending = Promise.withResolvers<void>()
  const quick = defineJob({ name: 'quick', run: async () => {} })
  const slow = defineJob({ name: 'slow', run: () => ending.promise })
  await mill.enqueueMany(quick, Array(3_000).fill(undefined))
  await mill.enqueueMany(slow, Array(1_000).fill(undefined))

  const worker = mill.work([quick, slow], { concurrency: 10 })
  const processing = async () => (await mill.count({ state: 'processing' })).count
  await expect.poll(processing).toBeGreaterThan(100)

  await expect.poll(processing, { timeout: 10_000 }).toBe(10)
  ending.resolve()
  await expect
    .poll(async () => (await mill.count({ state: 'completed' }, 5_000)).count, { timeout: 10_000 })
    .toBe(4_000)
  await worker.stop()
})

test('gives nothing back while the store is what is slow', async () => {
  let given = 0
  const { store } = await remoteStore((request) => {
    given += request.settle.filter((settlement) => settlement.to === 'pending').length
    return false
  })
  const mill = await openMill({ store })
  const job = defineJob({ name: 'job', run: async () => {} })
  await mill.enqueueMany(job, Array(20_000).fill(undefined))

  await mill.work([job], { concurrency: 10, drain: true }).done

  expect(given).toBe(0)
})
