/** What a worker that stops knows of leases that it leaves in the store. */
import { expect, test, vi } from 'vitest'
import { defineJob, StoreError } from '../../src/index.ts'
import type { JobsFacet } from '../../src/store/contract/index.ts'
import { createMemoryStore } from '../../src/store/memory/store.ts'
import { openMill } from '../support/mill.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

const SHORT = { poll: '10ms', lease: '2s', heartbeat: '50ms', grace: '10ms' } as const
const WAIT = { timeout: 20_000 }
const away = () => Promise.reject(new StoreError('transient', 'STORE_UNREACHABLE', 'the way to the store is cut'))

const works = defineJob({ name: 'works', run: () => 'done' })

/** A worker that has stopped once it was through with a job that had been lost so often. */
async function stopped(jobs: (inner: JobsFacet) => Partial<JobsFacet>, losses = 0) {
  const inner = createMemoryStore()
  const mill = await openMill({ store: wrappedStore(inner, jobs) })
  const { id } = await mill.enqueue(works)
  for (let i = 0; i < losses; i++) {
    const claim = { workerId: 'gone', queues: 'all', names: ['works'], limit: 1, leaseMs: 30_000 } as const
    await inner.jobs.exchange({ workerId: 'gone', settle: [], claim })
    await inner.jobs.recover('gone', null, 1)
  }
  const worker = mill.work([works], SHORT)
  await vi.waitFor(async () => expect((await mill.get(id))?.state).not.toBe('pending'), WAIT)
  await worker.stop()
  return { worker, job: await mill.get(id) }
}

test('after an orderly stop it holds none', async () => {
  const { worker, job } = await stopped(() => ({}))

  expect(job?.state).toBe('completed')
  expect(worker.mayHoldLeases).toBe(false)
})

test('a job whose start could not be written down, so that it was not begun, keeps its lease', async () => {
  const { worker, job } = await stopped(() => ({ start: away }), 2)

  expect(job?.state).toBe('processing')
  expect(worker.mayHoldLeases).toBe(true)
})
