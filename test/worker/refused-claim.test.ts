/** What a store refuses of a claim is not laid at the door of the outcomes that travelled with it. */
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
