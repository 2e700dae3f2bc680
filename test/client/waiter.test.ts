/** Waiting for results over a store that is slow, away or crowded. */
import { describe, expect, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { defineJob, ManualClock, Millrace } from '../../src/index.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { JobRow, Store } from '../../src/store/contract/index.ts'
import { createMemoryStore } from '../../src/store/memory/store.ts'
import { tempStoreUrl } from '../support/temp-store.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })

/** The memory store, its `finished` answered when the test says so. */
function slowStore(store: Store = createMemoryStore()) {
  const looks: { readonly ids: readonly string[]; readonly answer: () => void; readonly fail: (e: unknown) => void }[] =
    []
  const slow = wrappedStore(store, (inner) => ({
    finished: (ids) =>
      new Promise<readonly JobRow[]>((resolve, reject) => {
        looks.push({ ids, answer: () => resolve(inner.finished(ids)), fail: reject })
      }),
  }))
  return { store: slow, looks }
}

async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('waiting for results', () => {
  test('believes no page that misses a job', async () => {
    const store = wrappedStore(createMemoryStore(), () => ({ list: async () => ({ rows: [] }) }))
    const clock = new ManualClock()
    const mill = await Millrace.open({ store, clock })
    const job = await mill.enqueue(plain, 7)
    const result = job.result()
    for (let i = 0; i < 20; i++) {
      clock.advance(250)
      await turns(5)
    }

    await mill.work([plain], { drain: true }).done

    await expect(result).resolves.toBe(7)
    await mill.close()
  })

  test('tells everybody at once of whose job nothing is kept', async () => {
    const mill = await Millrace.open({ store: tempStoreUrl(), retention: { completed: 0 } })
    const jobs = await mill.enqueueMany(plain, Array(20).fill(1))
    const waits = jobs.map((job) => job.result({ timeout: '5s' }))
    const told = Promise.allSettled(waits)

    await mill.work([plain], { drain: true }).done

    for (const one of await told) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'JOB_NOT_FOUND' } })
    await mill.close()
  })

  test('never asks a second time while the first question is unanswered', async () => {
    const { store, looks } = slowStore()
    const clock = new ManualClock()
    const mill = await Millrace.open({ store, clock })
    const job = await mill.enqueue(plain, 1)
    const result = job.result()
    await turns()
    for (let i = 0; i < 20; i++) {
      clock.advance(250)
      await turns(2)
    }
    expect(looks).toHaveLength(1)

    looks[0]?.fail(new Error('away'))
    await turns()
    clock.advance(250)
    await turns()
    expect(looks).toHaveLength(2)

    await mill.cancel(job.id)
    looks[1]?.answer()
    await expect(result).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
    await mill.close()
  })

  test('looks at the one job that was settled in this process, not at all that wait', async () => {
    // SQLite leaves its own commits to the events of the process.
    const { store, looks } = slowStore(await createStore(tempStoreUrl()))
    const mill = await Millrace.open({ store, clock: new ManualClock() })
    const jobs = await mill.enqueueMany(plain, [1, 2, 3])
    const results = jobs.map((job) => job.result().catch((error: unknown) => error))
    await turns()

    await mill.cancel(jobs[1]?.id ?? '')
    await turns()

    expect(looks.map(({ ids }) => ids)).toContainEqual([jobs[1]?.id])
    for (const look of looks) look.answer()
    expect(await results[1]).toMatchObject({ code: 'JOB_CANCELLED' })
    const closing = mill.close()
    for (const look of looks) look.answer()
    await closing
    expect(await results[0]).toMatchObject({ code: 'CLOSED' })
  })

  test('serves more than 1,000 at a time: the last in line is answered while the first never ends', async () => {
    const mill = await Millrace.open({ store: 'memory:' })
    const jobs = await mill.enqueueMany(
      plain,
      Array.from({ length: 2500 }, (_, i) => i),
    )
    const results = jobs.map((job) => job.result().catch((error: unknown) => error))
    const last = jobs.at(-1)?.id ?? ''
    await turns()
    // Cancelled below the client, as another process would: no event tells of it.
    await mill.store.jobs.cancel([last])

    expect(await results.at(-1)).toMatchObject({ code: 'JOB_CANCELLED' })
    await mill.close()
    expect(await results[0]).toMatchObject({ code: 'CLOSED' })
  })

  test('ends with JOB_NOT_FOUND when the job is deleted, or was never there', async () => {
    const mill = await Millrace.open({ store: 'memory:' })
    const job = await mill.enqueue(plain, 1)
    const result = job.result()
    result.catch(() => {})
    await turns()
    await mill.remove(job.id)

    await expect(result).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' })
    await expect(mill.result(newId())).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' })
    await mill.close()
  })
})
