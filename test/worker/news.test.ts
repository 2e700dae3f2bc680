/** Progress and log lines of handlers, on their way to the store. */
import { expect, test, vi } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import { openMill } from '../support/mill.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

const WAIT = { timeout: 20_000 }

test('a job that ends while its lines are being written keeps them', async () => {
  const writing = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  let exchanges = 0
  const store = wrappedStore(await createStore('memory:'), (inner) => ({
    exchange(request) {
      exchanges++
      return inner.exchange(request)
    },
    async report(...args) {
      writing.resolve()
      await gate.promise
      return inner.report(...args)
    },
  }))
  const mill = await openMill({ store })
  let settled = 0
  const talks = defineJob({
    name: 'talks',
    async run(_: undefined, job) {
      job.log('before the end')
      job.progress(1, 'done')
      await writing.promise
    },
  })
  const { id } = await mill.enqueue(talks)
  mill.on('job.settled', () => settled++)
  mill.work([talks], { poll: '5ms' })

  await writing.promise
  const before = exchanges
  await vi.waitFor(() => expect(exchanges).toBeGreaterThan(before + 3), WAIT)
  const settledBefore = settled
  gate.resolve()
  await mill.result(id, { timeout: '20s' })

  expect(settledBefore).toBe(0)
  expect((await mill.logs(id)).map(({ message }) => message)).toEqual(['before the end'])
  expect(await mill.get(id)).toMatchObject({ progress: 1, progressNote: 'done' })
})

test('a note that is no text costs no other job its lines', async () => {
  const mill = await openMill({ store: 'memory:' })
  const odd = defineJob({
    name: 'odd',
    run(_: undefined, job) {
      job.progress(0.5, 123 as never)
      job.log({ toString: () => 'shown' } as never)
      job.progress('half' as never)
      job.progress(Number.NaN)
    },
  })
  const fine = defineJob({ name: 'fine', run: (_: undefined, job) => job.log('mine') })
  const jobs = [await mill.enqueue(odd), await mill.enqueue(fine)]

  await mill.work([odd, fine], { drain: true }).done

  expect(await mill.get(jobs[0]?.id ?? '')).toMatchObject({ state: 'completed', progress: 0.5, progressNote: '123' })
  expect(await mill.logs(jobs[1]?.id ?? '')).toMatchObject([{ message: 'mine' }])
})

test('a handler that never stops talking leaves its last 1,000 lines, written in bounded batches', async () => {
  const lines: number[] = []
  const store = wrappedStore(await createStore('memory:'), (inner) => ({
    report(workerId, reports) {
      lines.push(reports.reduce((sum, each) => sum + (each.logs?.length ?? 0), 0))
      return inner.report(workerId, reports)
    },
  }))
  const mill = await openMill({ store })
  const talks = defineJob({
    name: 'talks',
    retry: { attempts: 2, delay: 0 },
    run(_: undefined, job) {
      for (let i = 1; i <= 100_500; i++) job.log(`${job.attempt}:${i}`)
      if (job.attempt === 1) throw new Error('again')
    },
  })
  const { id } = await mill.enqueue(talks)
  mill.work([talks])
  await mill.result(id, { timeout: '60s' })

  const kept = (await mill.logs(id, { limit: 1000 })).map(({ message }) => message)
  expect(kept).toHaveLength(1000)
  expect(kept.at(-1)).toBe('2:99999')
  expect(Math.max(...lines)).toBeLessThanOrEqual(1000)
})

test('what a handler says after its end is not written', async () => {
  const mill = await openMill({ store: 'memory:' })
  let say: (() => void) | undefined
  const leaves = defineJob({
    name: 'leaves',
    run(_: undefined, job) {
      say = () => {
        job.log('too late')
        job.progress(0.9, 'too late')
      }
      return 'ended'
    },
  })
  const { id } = await mill.enqueue(leaves)
  const worker = mill.work([leaves])
  await mill.result(id, { timeout: '20s' })

  say?.()
  await worker.stop()

  expect(await mill.logs(id)).toEqual([])
  expect(await mill.get(id)).toMatchObject({ progress: null, progressNote: null })
})
