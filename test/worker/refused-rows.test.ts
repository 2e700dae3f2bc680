/** Rows that a store refuses: the one is set aside, what travelled with it is not harmed. */
import { expect, test } from 'vitest'
import { defineJob, StoreError } from '../../src/index.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import { openMill } from '../support/mill.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

test('results are kept when the claim beside them meets a constraint', async () => {
  let faults = 0
  const store = wrappedStore(await createStore('memory:'), (inner) => ({
    exchange(request) {
      const isRefused = request.claim !== undefined && request.settle.length > 0 && faults++ < 5
      if (isRefused)
        return Promise.reject(new StoreError('constraint', 'STORE_CONSTRAINT', 'a row to be claimed is bad'))
      return inner.exchange(request)
    },
  }))
  const mill = await openMill({ store })
  const job = defineJob({ name: 'one', run: (input: number) => input * 2 })
  const jobs = await mill.enqueueMany(job, [1, 2, 3])

  await mill.work([job], { concurrency: 1, maxPrefetch: 0, drain: true }).done

  expect(await Promise.all(jobs.map((each) => each.result()))).toEqual([2, 4, 6])
  expect(faults).toBeGreaterThan(0)
})

test('an outcome that the store refuses is set aside without its bytes, and all others are settled', async () => {
  let bad = ''
  const store = wrappedStore(await createStore('memory:'), (inner) => ({
    exchange(request) {
      const isRefused = request.settle.some((each) => each.id === bad && each.to === 'completed')
      if (isRefused) return Promise.reject(new StoreError('constraint', 'STORE_CONSTRAINT', 'one of them is bad'))
      return inner.exchange(request)
    },
  }))
  const mill = await openMill({ store })
  const failures: string[] = []
  mill.on('store.failed', ({ operation }) => failures.push(operation))
  const job = defineJob({ name: 'one', run: (input: number) => input })
  const jobs = await mill.enqueueMany(
    job,
    Array.from({ length: 50 }, (_, i) => i),
  )
  bad = jobs[20]?.id ?? ''

  await mill.work([job], { concurrency: 50, drain: true }).done

  expect(await mill.get(bad)).toMatchObject({ state: 'failed', reason: 'unreadable', error: null })
  expect(await mill.count({ state: 'completed' })).toMatchObject({ count: 49 })
  expect(failures).toEqual(['settle'])
})

test('an enqueue that the store refuses fails alone, the others in its batch are committed', async () => {
  const batches: number[] = []
  const store = wrappedStore(await createStore('memory:'), (inner) => ({
    insert(jobs) {
      batches.push(jobs.length)
      if (jobs.some((job) => job.tags?.includes('bad') === true))
        return Promise.reject(new StoreError('constraint', 'STORE_CONSTRAINT', 'one of them is bad'))
      return inner.insert(jobs)
    },
  }))
  const mill = await openMill({ store })
  const job = defineJob({ name: 'one' })

  const calls = Array.from({ length: 20 }, (_, i) =>
    mill.enqueue(job, i as never, { tags: [i === 7 ? 'bad' : 'good'] }),
  )
  const results = await Promise.allSettled(calls)

  expect(batches[0]).toBe(20)
  expect(results.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual([7])
  expect(await mill.count({ tag: 'good' })).toMatchObject({ count: 19 })
})
