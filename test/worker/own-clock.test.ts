/** What a worker does by its own monotonic clock: leases it could not extend, and timeouts. */
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { ManualClock } from '../../src/base/clock.ts'
import { defineJob, StoreError } from '../../src/index.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { createMemoryStore } from '../../src/store/memory/store.ts'
import { openMill } from '../support/mill.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

const WAIT = { timeout: 20_000 }

test('a lease that cannot be extended ends here first: the handler is aborted, and what it returns is not written', async () => {
  const clock = new ManualClock()
  const store = wrappedStore(createMemoryStore({ clock }), () => ({
    extend: () => Promise.reject(new StoreError('transient', 'STORE_BUSY', 'locked')),
  }))
  const mill = await openMill({ store, clock })
  const lost: string[] = []
  mill.on('lease.lost', ({ jobId }) => lost.push(jobId))
  let signal: AbortSignal | undefined
  const held = defineJob({
    name: 'held',
    run(_: undefined, job) {
      signal = job.signal
      return new Promise((resolve) => job.signal.addEventListener('abort', () => resolve('too late')))
    },
  })
  const { id } = await mill.enqueue(held)
  const worker = mill.work([held], { lease: '30s' })
  await vi.waitFor(() => expect(signal).toBeDefined(), WAIT)
  const leaseUntil = (await mill.get(id))?.leaseUntil?.getTime() ?? 0

  clock.advance(26_999)
  const before = signal?.aborted
  clock.advance(2)
  const after = signal?.aborted
  await vi.waitFor(() => expect(worker.running).toBe(0), WAIT)

  expect([before, after]).toEqual([false, true])
  expect(signal?.reason).toMatchObject({ message: expect.stringContaining('lease') })
  expect(clock.now()).toBeLessThan(leaseUntil)
  expect(lost).toEqual([id])
  expect(await mill.get(id)).toMatchObject({ state: 'processing', finishedAt: null })
})

test('jobs that come late have their leases extended at once, so that a slow store costs none', async () => {
  const clock = new ManualClock()
  const late = <T>(ms: number, answer: T) => new Promise<T>((resolve) => clock.after(ms, () => resolve(answer)))
  let extended = 0
  const store = wrappedStore(createMemoryStore({ clock }), (jobs) => ({
    async exchange(request) {
      const result = await jobs.exchange(request)
      return result.claimed.length === 0 ? result : late(14_000, result)
    },
    async extend(...args) {
      extended++
      return late(12_500, await jobs.extend(...args))
    },
  }))
  const mill = await openMill({ store, clock })
  let signal: AbortSignal | undefined
  const release = Promise.withResolvers<void>()
  const held = defineJob({
    name: 'held',
    run(_: undefined, job) {
      signal = job.signal
      return release.promise
    },
  })
  // A beat at 15 s, the claim right behind it: its leases end at 42 s, and the next beat would be answered at 42.5 s.
  const worker = mill.work([held], { lease: '30s', heartbeat: '15s' })
  clock.advance(15_000)
  await mill.enqueue(held)
  await vi.waitFor(async () => expect(await mill.count({ state: 'processing' })).toMatchObject({ count: 1 }), WAIT)

  clock.advance(14_000)
  await vi.waitFor(() => expect(signal).toBeDefined(), WAIT)
  await vi.waitFor(() => {
    clock.advance(1)
    expect(extended).toBe(1)
  }, WAIT)
  clock.advance(12_500)
  await new Promise(setImmediate)
  clock.advance(1_000)

  expect(worker.running).toBe(1)
  expect(signal?.aborted).toBe(false)
  release.resolve()
  await vi.waitFor(() => expect(worker.jobsDone).toBe(1), WAIT)
})

test('a suspect whose start is written down too late is not begun: it is given back, and accused of nothing', async () => {
  const clock = new ManualClock()
  const inner = createMemoryStore({ clock })
  let isLate = true
  const store = wrappedStore(inner, (jobs) => ({
    extend: () => Promise.reject(new StoreError('transient', 'STORE_BUSY', 'locked')),
    async start(...args) {
      const answer = await jobs.start(...args)
      // The process stands still until its lease, which it trusts for 27 s, is over.
      if (isLate) clock.advance(28_000)
      isLate = false
      return answer
    },
  }))
  const mill = await openMill({ store, clock })
  const begun: number[] = []
  const suspect = defineJob({ name: 'suspect', run: (_: undefined, { fence }) => void begun.push(fence) })
  const { id } = await mill.enqueue(suspect)
  for (let losses = 0; losses < 2; losses++) {
    const claim = { workerId: 'lost', queues: 'all', names: ['suspect'], limit: 1, leaseMs: 1_000 } as const
    await inner.jobs.exchange({ workerId: 'lost', settle: [], claim })
    clock.advance(1_000)
    await inner.jobs.reclaim(1)
  }

  mill.work([suspect], { lease: '30s' })
  await vi.waitFor(async () => expect((await mill.get(id))?.state).toBe('completed'), WAIT)

  expect(begun).toEqual([4])
  expect(await inner.jobs.get(id)).toMatchObject({ losses: 2, crashes: 0, attempts: 1 })
})

test('a timeout starts with the handler, however long its input took to check', async () => {
  const clock = new ManualClock()
  const mill = await openMill({ store: createMemoryStore({ clock }), clock })
  let isWorking = false
  let signal: AbortSignal | undefined
  const ends = Promise.withResolvers<void>()
  const slow = defineJob({
    name: 'slow',
    retry: false,
    timeout: '60s',
    // Asked twice: zod tries without promises first.
    input: z.number().refine(async () => {
      if (isWorking) clock.advance(25_000)
      return true
    }),
    async run(_, job) {
      signal = job.signal
      await ends.promise
      return 'in time'
    },
  })
  const { id } = await mill.enqueue(slow, 1)
  isWorking = true
  mill.work([slow], { lease: '1h' })
  await vi.waitFor(() => expect(signal).toBeDefined(), WAIT)

  clock.advance(59_000)
  const before = signal?.aborted
  ends.resolve()
  await vi.waitFor(async () => expect((await mill.get(id))?.state).toBe('completed'), WAIT)

  expect(before).toBe(false)
})

test('beats are a heartbeat apart from begin to begin, however long the store takes to answer', async () => {
  const clock = new ManualClock()
  const beats: number[] = []
  const store = wrappedStore(createMemoryStore({ clock }), (inner) => ({
    async extend(...args) {
      beats.push(clock.monotonic())
      await new Promise<void>((resolve) => clock.after(8_000, resolve))
      return inner.extend(...args)
    },
  }))
  const { mill, held, end } = await holding(store, clock)
  const worker = mill.work([held], { lease: '30s' })
  await vi.waitFor(() => expect(worker.running).toBe(1), WAIT)

  await passing(clock, 60_000, () => beats.length >= 4)

  expect(beats.slice(1).map((at, i) => Math.round((at - (beats[i] ?? 0)) / 1_000))).toEqual([10, 10, 10])
  end()
  // The beat that is under way has its answer before all is closed.
  clock.advance(8_000)
})

test('a store that has fallen silent is given up when three leases are over, not at the beat after that', async () => {
  const clock = new ManualClock()
  let isSilent = false
  const never = () => new Promise<never>(() => {})
  const store = wrappedStore(createMemoryStore({ clock }), (inner) => ({
    extend: (...args) => (isSilent ? never() : inner.extend(...args)),
    exchange: (request) => (isSilent ? never() : inner.exchange(request)),
  }))
  const { mill, held } = await holding(store, clock)
  const worker = mill.work([held], { lease: '30s', heartbeat: '13s' })
  await vi.waitFor(() => expect(worker.running).toBe(1), WAIT)
  let endedAt = 0
  worker.done.catch(() => {
    endedAt = clock.monotonic()
  })

  isSilent = true
  await passing(clock, 150_000, () => endedAt > 0)

  expect(endedAt).toBeGreaterThanOrEqual(90_000)
  expect(endedAt).toBeLessThan(90_000 + 1_000)
})

test('a worker that hears no hint looks for jobs at its poll, however much more often its heart beats', async () => {
  const clock = new ManualClock()
  const inner = createMemoryStore({ clock })
  let looks = 0
  const counted = wrappedStore(inner, (jobs) => ({
    exchange(request) {
      looks++
      return jobs.exchange(request)
    },
  }))
  const deaf = new Proxy(counted, {
    get: (target, key) => (key === 'wake' ? { subscribe: () => () => undefined } : Reflect.get(target, key)),
  })
  const plain = defineJob({ name: 'plain', run: (_: undefined) => undefined })
  const mill = await openMill({ store: deaf, clock })
  const worker = mill.work([plain], { lease: '3s', poll: '10s' })
  await vi.waitFor(() => expect(looks).toBe(1), WAIT)
  const other = await openMill({ store: inner, clock })
  await other.enqueue(plain)

  await passing(clock, 15_000, () => worker.jobsDone > 0)

  expect(worker.jobsDone).toBe(1)
  // Before the other client closes the store under it.
  await worker.stop()
})

/** A client with a job that runs until it is aborted, or `end` is called. */
async function holding(store: Store, clock: ManualClock) {
  const mill = await openMill({ store, clock })
  const over = Promise.withResolvers<void>()
  const held = defineJob({
    name: 'held',
    run(_: undefined, { signal }) {
      signal.addEventListener('abort', () => over.resolve())
      return over.promise
    },
  })
  await mill.enqueue(held)
  return { mill, held, end: over.resolve }
}

/** Moves time on in small steps, with a turn of the event loop after each, until it is so or `ms` have passed. */
async function passing(clock: ManualClock, ms: number, isSo: () => boolean): Promise<void> {
  for (let passed = 0; passed < ms && !isSo(); passed += 50) {
    clock.advance(50)
    await new Promise(setImmediate)
  }
}
