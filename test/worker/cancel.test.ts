/** Cancelling a running job: what is told of the attempt that ends meanwhile. */
import { describe, expect, test } from 'vitest'
import { defineJob, type JobContext } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'

describe('a cancel that was asked for while the handler ran', () => {
  for (const [ends, run] of [
    ['throws', () => Promise.reject(new Error('no'))],
    ['snoozes', (job: JobContext) => job.snooze('1h')],
  ] as const) {
    test(`is told as cancelled when the handler ${ends}`, async () => {
      const mill = await openMill()
      const cancelled = Promise.withResolvers<void>()
      const started = Promise.withResolvers<void>()
      const told: unknown[] = []
      mill.on('job.settled', (event) => told.push(event))
      const again = defineJob({
        name: 'again',
        run: async (_: undefined, job) => {
          started.resolve()
          await cancelled.promise
          return run(job)
        },
      })
      const job = await mill.enqueue(again)
      const worker = mill.work([again], { drain: true })
      await started.promise
      // By the store: the worker has not heard of it when the handler ends.
      expect(await mill.store.jobs.cancel([job.id])).toEqual(['cancelling'])
      cancelled.resolve()
      await worker.done

      expect(await mill.get(job.id)).toMatchObject({ state: 'cancelled', reason: 'requested' })
      expect(told).toMatchObject([{ jobId: job.id, outcome: 'cancelled', reason: 'requested', attempt: 1 }])
    })
  }

  test('is told as completed when the handler returns', async () => {
    const mill = await openMill()
    const started = Promise.withResolvers<void>()
    const cancelled = Promise.withResolvers<void>()
    const told: unknown[] = []
    mill.on('job.settled', (event) => told.push(event))
    const returns = defineJob({
      name: 'returns',
      run: async () => {
        started.resolve()
        await cancelled.promise
      },
    })
    const job = await mill.enqueue(returns)
    const worker = mill.work([returns], { drain: true })
    await started.promise
    await mill.store.jobs.cancel([job.id])
    cancelled.resolve()
    await worker.done

    expect(told).toMatchObject([{ jobId: job.id, outcome: 'completed' }])
  })
})
