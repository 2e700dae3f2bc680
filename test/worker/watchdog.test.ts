/** The watchdog: no call to the store has succeeded for three leases. */
import { expect, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { defineJob, StoreError } from '../../src/index.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { JobsFacet } from '../../src/store/contract/index.ts'
import { openMill } from '../support/mill.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

const SHORT = { lease: '100ms', heartbeat: '20ms', poll: '10ms', grace: '10ms', stopWithin: '10ms' } as const
const WAIT = { timeout: 20_000 }

type Fault = 'refuses' | 'never answers'

/** A store in memory that stops serving workers when it is told to, and serves them again. */
async function troubledStore(fault: Fault) {
  let isAway = false
  const serve = <T>(call: () => Promise<T>): Promise<T> => {
    if (!isAway) return call()
    if (fault === 'never answers') return new Promise(() => {})
    return Promise.reject(new StoreError('transient', 'STORE_UNREACHABLE', 'the way to the store is cut'))
  }
  const store = wrappedStore(
    await createStore('memory:'),
    (inner): Partial<JobsFacet> => ({
      exchange: (request) => serve(() => inner.exchange(request)),
      extend: (...args) => serve(() => inner.extend(...args)),
      report: (...args) => serve(() => inner.report(...args)),
    }),
  )
  return {
    store,
    goAway() {
      isAway = true
    },
    comeBack() {
      isAway = false
    },
  }
}

function waiting(onAbort: () => void) {
  return defineJob({
    name: 'waits',
    run: (_: undefined, { signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          onAbort()
          resolve(undefined)
        })
      }),
  })
}

test.each<[Fault, number]>([
  ['refuses', 1],
  ['refuses', 0],
  ['never answers', 1],
  ['never answers', 0],
])(
  'a store that %s, %i jobs running: handlers are aborted and `done` rejects STORE_UNREACHABLE',
  async (fault, count) => {
    const { store, goAway } = await troubledStore(fault)
    const mill = await openMill({ store })
    let aborts = 0
    const job = waiting(() => aborts++)
    await mill.enqueueMany(job, Array(count).fill(undefined))
    const worker = mill.work([job], SHORT)
    await vi.waitFor(() => expect(worker.running).toBe(count), WAIT)

    goAway()

    await expect(worker.done).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('300 ms'),
    })
    expect(aborts).toBe(count)
  },
)

test('with `restart` the worker aborts what runs, goes on trying, and works again when the store is back', async () => {
  const { store, goAway, comeBack } = await troubledStore('refuses')
  const mill = await openMill({ store })
  const lost: unknown[] = []
  let aborts = 0
  const held = waiting(() => aborts++)
  const quick = defineJob({ name: 'quick', run: () => 'done' })
  const first = await mill.enqueue(held)
  const worker = mill.work([held, quick], { ...SHORT, restart: true })
  worker.done.catch((error) => lost.push(error))
  await vi.waitFor(() => expect(worker.running).toBe(1), WAIT)
  let refused = 0
  mill.on('store.failed', ({ operation }) => {
    if (operation === 'exchange') refused++
  })

  goAway()
  // With its back-off the fifth refusal comes 375 ms after the first at the soonest: more than three leases.
  await vi.waitFor(() => expect(refused).toBeGreaterThan(4), WAIT)
  comeBack()
  const job = await mill.enqueue(quick)

  expect(await job.result({ timeout: '20s' })).toBe('done')
  expect(aborts).toBeGreaterThan(0)
  expect(lost).toEqual([])
  await vi.waitFor(async () => expect((await mill.get(first.id))?.losses).toBeGreaterThan(0), WAIT)
})

test('after the loop stood still for three leases, one refusal is not a store out of reach', async () => {
  let elapsed = 1
  let refusals = 0
  let heldAgain = 0
  const refuse = () => Promise.reject(new StoreError('transient', 'STORE_BUSY', 'locked'))
  const store = wrappedStore(await createStore('memory:'), (inner) => ({
    exchange: (request) => (elapsed > 1 && heldAgain === 0 ? refuse() : inner.exchange(request)),
    extend(...args) {
      if (elapsed === 1) return inner.extend(...args)
      if (refusals++ === 0) return refuse()
      heldAgain++
      return inner.extend(...args)
    },
  }))
  const mill = await openMill({ store, clock: { ...systemClock, monotonic: () => elapsed } })
  const held = waiting(() => {})
  await mill.enqueue(held)
  const worker = mill.work([held], { heartbeat: '20ms', lease: '10s', poll: '10ms', stopWithin: '10ms' })
  const ends: unknown[] = []
  worker.done.catch((error) => ends.push(error))
  await vi.waitFor(() => expect(worker.running).toBe(1), WAIT)

  elapsed = 60_000
  await vi.waitFor(() => expect(heldAgain).toBeGreaterThan(1), WAIT)

  expect(ends).toEqual([])
  expect(worker.running).toBe(1)
})
