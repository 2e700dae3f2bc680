/** Events, and the reasons that `why` gives. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { defineJob, type EventName, type Events } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })

describe('events', () => {
  test('tell the way of a job in order, with its id, name and queue, and never its payload', async () => {
    const mill = await openMill()
    const heard: (readonly [EventName, Events[EventName]])[] = []
    const names = ['job.enqueued', 'job.claimed', 'job.started', 'job.settled', 'job.cancelled'] as const
    for (const name of names) mill.on(name, (event) => heard.push([name, event]))
    const job = await mill.enqueue(plain, { card: 'SECRET' })
    await mill.work([plain], { drain: true }).done
    const waiting = await mill.enqueue(plain, 1)
    await mill.cancel(waiting.id)

    expect(heard.map(([name]) => name)).toEqual([
      'job.enqueued',
      'job.claimed',
      'job.started',
      'job.settled',
      'job.enqueued',
      'job.cancelled',
    ])
    expect(heard[0]?.[1]).toEqual({ jobId: job.id, name: 'plain', queue: 'default', status: 'created' })
    expect(heard[3]?.[1]).toMatchObject({
      jobId: job.id,
      name: 'plain',
      queue: 'default',
      attempt: 1,
      outcome: 'completed',
    })
    expect(heard[5]?.[1]).toEqual({ jobId: waiting.id })
    expect(JSON.stringify(heard)).not.toContain('SECRET')
  })

  test('of queues and workers tell who and what', async () => {
    const mill = await openMill()
    const heard: unknown[] = []
    for (const name of [
      'queue.paused',
      'queue.resumed',
      'worker.started',
      'worker.draining',
      'worker.stopped',
    ] as const)
      mill.on(name, (event) => heard.push([name, event]))
    await mill.queues.pause('media', { by: 'ana', reason: 'bad deploy' })
    await mill.queues.resume('media')
    const worker = mill.work([plain], { concurrency: 3 })
    await worker.stop()

    expect(heard).toEqual([
      ['queue.paused', { queue: 'media', by: 'ana', reason: 'bad deploy' }],
      ['queue.resumed', { queue: 'media' }],
      ['worker.started', { workerId: worker.id, names: ['plain'], concurrency: 3 }],
      ['worker.draining', { workerId: worker.id, running: 0 }],
      ['worker.stopped', { workerId: worker.id, jobsDone: 0 }],
    ])
  })

  test('are not heard after the listener has left, and a listener that throws harms nobody', async () => {
    const mill = await openMill()
    const warnings: unknown[] = []
    const onWarning = (warning: Error) => warnings.push(warning.message)
    process.on('warning', onWarning)
    onTestFinished(() => void process.off('warning', onWarning))
    let heard = 0
    const off = mill.on('job.enqueued', () => heard++)
    mill.on('job.enqueued', () => {
      throw new Error('a fault of the listener')
    })
    await mill.enqueue(plain, 1)
    off()
    await mill.enqueue(plain, 2)

    expect(heard).toBe(1)
    expect(await mill.count()).toMatchObject({ count: 2 })
    await expect.poll(() => warnings).toContain('a fault of the listener')
  })
})

describe('why', () => {
  test('a job that runs, one behind it and one that has ended', async () => {
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
    const running = await mill.enqueue(long)
    const worker = mill.work([long], { concurrency: 1, maxPrefetch: 0, heartbeat: '20ms', lease: '10s' })
    await started.promise
    const behind = await mill.enqueue(long)
    const reasons = async (id: string) => (await mill.why(id)).map(({ code }) => code)

    expect(await mill.why(running.id)).toMatchObject([{ code: 'running', fields: { workerId: worker.id, attempt: 1 } }])
    await expect.poll(() => reasons(behind.id), { timeout: 20_000 }).toEqual(['busy'])
    gate.resolve()
    await running.result({ timeout: '20s' })
    expect(await mill.why(running.id)).toMatchObject([{ code: 'finished', fields: { state: 'completed' } }])
  })

  test('a job that no live worker knows, by name or by queue', async () => {
    const mill = await openMill()
    const worker = mill.work([plain], { queues: ['media'], heartbeat: '20ms', lease: '10s' })
    await expect
      .poll(() => mill.workers(), { timeout: 20_000 })
      .toMatchObject([{ id: worker.id, names: ['plain'], queues: ['media'] }])
    const unknown = await mill.enqueue(defineJob({ name: 'unknown' }), undefined, { queue: 'media' })
    const elsewhere = await mill.enqueue(plain, 1, { queue: 'bulk' })

    for (const { id } of [unknown, elsewhere]) {
      const [reason] = await mill.why(id)
      expect(reason).toMatchObject({ code: 'no-worker', fields: { workers: 1 } })
      expect(reason?.text).toContain('The one live worker does not handle')
    }
  })

  test('a job whose attempt failed says when the next one begins', async () => {
    const mill = await openMill()
    const fails = defineJob({
      name: 'fails',
      retry: { attempts: 3, delay: '1h', jitter: 'none' },
      run: () => Promise.reject(new Error('no')),
    })
    const job = await mill.enqueue(fails)
    const worker = mill.work([fails])
    await expect.poll(async () => (await mill.get(job.id))?.state, { timeout: 20_000 }).toBe('retrying')

    const [reason] = await mill.why(job.id)

    expect(reason).toMatchObject({ code: 'not-before' })
    expect(reason?.text).toMatch(/^Attempt 1 failed; the next one begins in /)
    await worker.stop()
  })
})
