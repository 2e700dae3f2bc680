/** Pausing and stopping while a claim is under way, and jobs that are told to stop before their handler began. */
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { defineJob } from '../../src/index.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import { openMill } from '../support/mill.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

const WAIT = { timeout: 20_000 }

/** A store whose answer to the first claim that finds something waits until it is let go. */
async function slowToAnswer() {
  const claimed = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const store = wrappedStore(await createStore('memory:'), (inner) => ({
    async exchange(request) {
      const result = await inner.exchange(request)
      if (result.claimed.length > 0) {
        claimed.resolve()
        await gate.promise
      }
      return result
    },
  }))
  return { store, claimed: claimed.promise, letGo: gate.resolve }
}

test('what a claim brings after a pause goes back, its handler not called, and runs after resume', async () => {
  const { store, claimed, letGo } = await slowToAnswer()
  const mill = await openMill({ store })
  let runs = 0
  const job = defineJob({ name: 'counted', run: () => ++runs })
  const ids = (await mill.enqueueMany(job, Array(20).fill(undefined))).map(({ id }) => id)
  const worker = mill.work([job], { concurrency: 5, poll: '5ms' })

  await claimed
  worker.pause()
  letGo()
  await vi.waitFor(async () => expect(await mill.count({ state: 'pending' })).toMatchObject({ count: 20 }), WAIT)
  const runsWhilePaused = runs
  worker.resume()
  await Promise.all(ids.map((id) => mill.result(id, { timeout: '20s' })))

  expect(runsWhilePaused).toBe(0)
  expect(runs).toBe(20)
  expect(await mill.get(ids[0] ?? '')).toMatchObject({ attempts: 1, losses: 0 })
})

test('a worker that stops takes nothing more, also when somebody resumes it meanwhile', async () => {
  const mill = await openMill()
  const began = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const job = defineJob({
    name: 'held',
    run: () => {
      began.resolve()
      return gate.promise
    },
  })
  const first = await mill.enqueue(job)
  const worker = mill.work([job], { concurrency: 5, poll: '5ms' })
  await began.promise

  const stopped = worker.stop()
  const second = await mill.enqueue(job)
  worker.resume()
  await vi.waitFor(async () => expect(await mill.workers()).toMatchObject([{ status: 'draining' }]), WAIT)
  expect(await mill.askWorker(worker.id, 'resume', { timeout: '1s' })).toBe('done')
  gate.resolve()
  await stopped

  expect(await mill.get(first.id)).toMatchObject({ state: 'completed' })
  expect(await mill.get(second.id)).toMatchObject({ state: 'pending' })
})

test('a stop during a claim starts nothing of what it brings', async () => {
  const { store, claimed, letGo } = await slowToAnswer()
  const mill = await openMill({ store })
  let runs = 0
  const job = defineJob({ name: 'counted', run: () => ++runs })
  await mill.enqueueMany(job, Array(20).fill(undefined))
  const worker = mill.work([job], { concurrency: 5 })

  await claimed
  const stopped = worker.stop()
  letGo()
  await stopped

  expect(runs).toBe(0)
  expect(await mill.count({ state: 'pending' })).toMatchObject({ count: 20 })
})

test.each(['stopped', 'cancelled'] as const)(
  'a job that is %s while its input is still being checked never begins',
  async (how) => {
    let heard = 0
    const store = wrappedStore(await createStore('memory:'), (inner) => ({
      async extend(...args) {
        const results = await inner.extend(...args)
        if (results.includes('cancelling')) heard++
        return results
      },
    }))
    const mill = await openMill({ store })
    const checking = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    let runs = 0
    let isWorking = false
    const check = async () => {
      if (!isWorking) return true
      checking.resolve()
      await gate.promise
      return true
    }
    const job = defineJob({ name: 'checked', input: z.number().refine(check), run: () => ++runs })
    const { id } = await mill.enqueue(job, 1)
    isWorking = true
    const worker = mill.work([job], { heartbeat: '10ms' })
    await checking.promise

    const told = how === 'stopped' ? worker.stop({ now: true }) : mill.cancel(id)
    if (how === 'cancelled') await vi.waitFor(() => expect(heard).toBeGreaterThan(0), WAIT)
    gate.resolve()
    await told
    const expected = how === 'stopped' ? { state: 'pending', attempts: 0 } : { state: 'cancelled', reason: 'requested' }
    await vi.waitFor(async () => expect(await mill.get(id)).toMatchObject(expected), WAIT)

    expect(runs).toBe(0)
  },
)

test('a check of the input that never ends is ended by the timeout, and its slot is free again', async () => {
  const mill = await openMill({ store: 'memory:' })
  let isWorking = false
  const stuck = defineJob({
    name: 'stuck',
    retry: false,
    timeout: '30ms',
    input: z.number().refine(() => (isWorking ? new Promise<boolean>(() => {}) : true)),
    run: () => 'never',
  })
  const next = defineJob({ name: 'next', run: () => 'done' })
  const { id } = await mill.enqueue(stuck, 1)
  const after = await mill.enqueue(next, undefined, { priority: 'low' })
  isWorking = true

  mill.work([stuck, next], { concurrency: 1, grace: '10ms' })

  expect(await after.result({ timeout: '20s' })).toBe('done')
  expect(await mill.get(id)).toMatchObject({ state: 'failed', reason: 'exhausted', error: { name: 'TimeoutError' } })
})
