/** `mill.queues`, and changes of jobs in states where they cannot be made. */
import { describe, expect, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })

describe('queues', () => {
  test('are listed with depth, oldest and who paused them, and tell what became of their jobs', async () => {
    const mill = await openMill()
    const fails = defineJob({ name: 'fails', retry: false, run: () => Promise.reject(new Error('no')) })
    await mill.enqueueMany(plain, [1, 2, 3], { queue: 'media' })
    await mill.enqueue(fails, undefined, { queue: 'media' })
    await mill.work([plain, fails], { drain: true }).done
    await mill.enqueue(plain, 4, { queue: 'media' })
    await mill.enqueue(plain, 5, { queue: 'media', delay: '1h' })
    await mill.queues.pause('bulk', { by: 'ana', reason: 'not yet' })

    const [bulk, media] = await mill.queues.list()
    expect(bulk).toMatchObject({
      name: 'bulk',
      counts: {},
      oldestPendingAt: null,
      pausedBy: 'ana',
      pauseReason: 'not yet',
    })
    expect(media).toMatchObject({ name: 'media', counts: { pending: 1, scheduled: 1 }, pausedAt: null })
    expect(media?.oldestPendingAt).toBeGreaterThan(Date.now() - 60_000)
    const stats = await mill.queues.stats('media')
    expect(stats.finished).toEqual({ completed: 3, failed: 1, cancelled: 0 })
    expect(stats.waitMs?.p50).toBeGreaterThanOrEqual(0)
    expect(stats.runMs?.p99).toBeGreaterThanOrEqual(stats.runMs?.p50 ?? 0)
  })

  test('that are paused give nothing until they are resumed, to no worker', async () => {
    const mill = await openMill()
    await mill.queues.pause('media')
    const job = await mill.enqueue(plain, 1, { queue: 'media' })
    const other = await mill.enqueue(plain, 2)
    mill.work([plain], { poll: '10ms' })
    await other.result({ timeout: '20s' })

    expect((await mill.get(job.id))?.state).toBe('pending')
    await mill.queues.resume('media')
    expect(await job.result({ timeout: '20s' })).toBe(1)
  })

  test('are cleared of the states that were named, in steps that are told', async () => {
    const mill = await openMill()
    const [parent] = await mill.enqueueMany(
      plain,
      Array.from({ length: 1200 }, (_, i) => i),
      { queue: 'q' },
    )
    await mill.enqueue(plain, 1, { queue: 'q', delay: '1h' })
    const child = await mill.enqueue(plain, 2, {
      queue: 'q',
      dependsOn: { job: parent?.id ?? '', onFailure: 'proceed' },
    })
    const steps: number[] = []

    expect(await mill.queues.clear('q', { states: ['scheduled'] })).toBe(1)
    expect(await mill.queues.clear('q', { onProgress: (removed) => steps.push(removed) })).toBe(1201)
    expect(steps.slice(0, 2)).toEqual([500, 1000])
    // It waited for one of those and was told to proceed, so it became pending, and went with the others.
    expect(await mill.get(child.id)).toBeNull()
  })
})

describe('a job that cannot be changed', () => {
  test('because it runs, has ended or is not there, says so and is left as it is', async () => {
    const mill = await openMill()
    const gate = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    const long = defineJob({
      name: 'long',
      run: async () => {
        started.resolve()
        await gate.promise
      },
    })
    const { id } = await mill.enqueue(long)
    mill.work([long])
    await started.promise
    const outcome = async (call: Promise<readonly { outcome: string }[]>) => (await call)[0]?.outcome

    expect(await outcome(mill.remove(id))).toBe('processing')
    expect(await outcome(mill.move(id, 'other'))).toBe('processing')
    expect(await outcome(mill.reprioritise(id, 'low'))).toBe('processing')
    expect(await outcome(mill.retry(id))).toBe('live')
    gate.resolve()
    await mill.result(id, { timeout: '20s' })
    expect(await outcome(mill.cancel(id))).toBe('final')
    expect(await outcome(mill.move(id, 'other'))).toBe('final')
    expect(await outcome(mill.retry('00000000-0000-7000-8000-000000000000'))).toBe('missing')
    expect(await mill.get(id)).toMatchObject({ state: 'completed', queue: 'default' })
    expect(await mill.get('00000000-0000-7000-8000-000000000000')).toBeNull()
  })

  test('retry gives an ended job a new budget, keeps its history and its id', async () => {
    const mill = await openMill()
    let isFixed = false
    const fixable = defineJob({
      name: 'fixable',
      retry: { attempts: 2, delay: 0 },
      run: () => (isFixed ? 'done' : Promise.reject(new Error('not yet'))),
    })
    const job = await mill.enqueue(fixable)
    await mill.work([fixable], { drain: true }).done
    expect(await mill.get(job.id)).toMatchObject({ state: 'failed', reason: 'exhausted', attempts: 2 })
    isFixed = true

    expect(await mill.retry(job.id)).toEqual([{ id: job.id, outcome: 'retried' }])
    await mill.work([fixable], { drain: true }).done

    expect(await job.result()).toBe('done')
    expect((await mill.get(job.id))?.history.map(({ outcome }) => outcome)).toEqual(['retrying', 'failed', 'completed'])
  })
})
