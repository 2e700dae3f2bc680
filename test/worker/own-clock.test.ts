/** What a worker does by its own monotonic clock: leases it could not extend, and timeouts. */
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { ManualClock } from '../../src/base/clock.ts'
import { defineJob, StoreError } from '../../src/index.ts'
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
