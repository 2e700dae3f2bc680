/** A worker as an app sees it, on SQLite with the machine's clock. */
import { describe, expect, test } from 'vitest'
import { createKeyRing, defineJob, type JobContext } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { tempStorePath } from '../support/temp-store.ts'

/** Resolves when the job's signal aborts, with the reason's name. */
function aborted(job: JobContext): Promise<string> {
  return new Promise((resolve) =>
    job.signal.addEventListener('abort', () => resolve(job.signal.reason.name), { once: true }),
  )
}

describe('timeouts and cancellation', () => {
  test('the signal aborts at the timeout, and the attempt is counted', async () => {
    const mill = await openMill()
    let why = ''
    const slow = defineJob({
      name: 'slow',
      timeout: '30ms',
      retry: false,
      run: async (_: undefined, job) => {
        why = await aborted(job)
        throw new Error('stopped')
      },
    })
    const job = await mill.enqueue(slow)

    await mill.work([slow], { drain: true }).done

    expect(why).toBe('TimeoutError')
    expect(await mill.get(job.id)).toMatchObject({ state: 'failed', reason: 'exhausted', attempts: 1 })
  })

  test('a handler that ignores its signal is left behind after the grace, and its late result is nobody’s', async () => {
    const mill = await openMill()
    const late = Promise.withResolvers<string>()
    const deaf = defineJob({ name: 'deaf', timeout: '20ms', retry: false, run: () => late.promise })
    const quick = defineJob({ name: 'quick', run: () => 'ran' })
    const job = await mill.enqueue(deaf)
    mill.work([deaf, quick], { concurrency: 1, grace: '20ms' })
    const next = await mill.enqueue(quick)

    expect(await next.result({ timeout: '10s' })).toBe('ran')
    late.resolve('too late')
    expect(await mill.get(job.id)).toMatchObject({ state: 'failed', error: { name: 'TimeoutError' } })
  })

  test('a running job is cancelled over another connection', async () => {
    const path = tempStorePath()
    const mill = await openMill({ store: `sqlite:${path}` })
    const other = await openMill({ store: `sqlite:${path}` })
    const started = Promise.withResolvers<void>()
    const long = defineJob({
      name: 'long',
      run: async (_: undefined, job) => {
        started.resolve()
        await aborted(job)
        throw new Error('stopped')
      },
    })
    const job = await mill.enqueue(long)
    mill.work([long], { heartbeat: '50ms' })
    await started.promise

    expect(await other.cancel(job.id)).toEqual([{ id: job.id, outcome: 'cancelling' }])
    await expect(job.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
  })
})

describe('leases', () => {
  test('a heartbeat keeps a long job its own', async () => {
    const path = tempStorePath()
    const mill = await openMill({ store: `sqlite:${path}` })
    const other = await openMill({ store: `sqlite:${path}` })
    let runs = 0
    const gate = Promise.withResolvers<void>()
    const long = defineJob({
      name: 'long',
      run: async () => {
        runs++
        await gate.promise
        return 'done'
      },
    })
    const job = await mill.enqueue(long)
    // A busy machine may hold a process up for some hundred milliseconds, in which no heart beats.
    const settings = { lease: '1500ms', heartbeat: '100ms', poll: '10ms' } as const
    mill.work([long], settings)
    other.work([long], settings)
    const claimedAt = Date.now()
    await expect.poll(() => Date.now() - claimedAt > 3_500, { timeout: 20_000 }).toBe(true)
    gate.resolve()

    expect(await job.result({ timeout: '10s' })).toBe('done')
    expect(runs).toBe(1)
    expect(await mill.get(job.id)).toMatchObject({ attempts: 1, losses: 0 })
  })

  test('a stopped worker gives back what has not started, no attempt counted', async () => {
    const mill = await openMill()
    const gate = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    const waits = defineJob({
      name: 'waits',
      run: async () => {
        started.resolve()
        await gate.promise
      },
    })
    const jobs = await mill.enqueueMany(
      waits,
      Array.from({ length: 20 }, () => undefined),
    )
    const worker = mill.work([waits], { concurrency: 2 })
    await started.promise
    const stopping = worker.stop()
    gate.resolve()
    await stopping

    const all = await Promise.all(jobs.map((job) => mill.get(job.id)))
    expect(all.filter((job) => job?.state === 'completed').length).toBe(worker.jobsDone)
    const back = all.filter((job) => job?.state !== 'completed')
    expect(back.length).toBeGreaterThan(0)
    expect(back).toEqual(
      back.map(() => expect.objectContaining({ state: 'pending', attempts: 0, losses: 0, workerId: null })),
    )
  })

  test('a hard stop gives running jobs back uncounted, also when they ignore their signal', async () => {
    const mill = await openMill()
    const started = Promise.withResolvers<void>()
    const heeds = defineJob({
      name: 'heeds',
      run: async (_: undefined, job) => {
        started.resolve()
        await aborted(job)
        throw new Error('stopped')
      },
    })
    const job = await mill.enqueue(heeds)
    const worker = mill.work([heeds], { stopWithin: 0 })
    await started.promise
    await worker.stop()

    expect(await mill.get(job.id)).toMatchObject({ state: 'pending', attempts: 0, losses: 0 })
    expect((await mill.get(job.id))?.history).toMatchObject([{ outcome: 'pending' }])
  })
})

describe('what is claimed', () => {
  test('higher priorities first, then the order of enqueueing', async () => {
    const mill = await openMill()
    const order: number[] = []
    const notes = defineJob({ name: 'notes', run: (input: number) => void order.push(input) })
    for (const [i, priority] of (['low', 'normal', 'urgent', 'high', 'urgent'] as const).entries())
      await mill.enqueue(notes, i, { priority })

    await mill.work([notes], { drain: true, concurrency: 1 }).done

    expect(order).toEqual([2, 4, 3, 1, 0])
  })

  test('nothing of a paused queue, and nothing that nobody here handles', async () => {
    const mill = await openMill()
    const known = defineJob({ name: 'known', run: () => 'ran' })
    const unknown = defineJob({ name: 'unknown' })
    await mill.queues.pause('held')
    const [held, foreign, free] = [
      await mill.enqueue(known, undefined, { queue: 'held' }),
      await mill.enqueue(unknown),
      await mill.enqueue(known),
    ]

    await mill.work([known], { drain: true }).done

    expect((await mill.get(free.id))?.state).toBe('completed')
    expect(await mill.get(held.id)).toMatchObject({ state: 'pending', attempts: 0, workerId: null })
    expect(await mill.get(foreign.id)).toMatchObject({ state: 'pending', attempts: 0 })
  })

  test('no more of a queue at a time than it may have', async () => {
    const mill = await openMill()
    let running = 0
    let most = 0
    const counts = defineJob({
      name: 'counts',
      queue: 'narrow',
      run: async () => {
        most = Math.max(most, ++running)
        await new Promise(setImmediate)
        running--
      },
    })
    await mill.enqueueMany(
      counts,
      Array.from({ length: 50 }, () => undefined),
    )

    await mill.work([counts], { drain: true, concurrency: 10, queues: { narrow: { concurrency: 2 } } }).done

    expect(most).toBe(2)
  })
})

describe('payloads that cannot be opened', () => {
  test('wait blocked until their key appears', async () => {
    const path = tempStorePath()
    const bytes = (seed: number) => Buffer.alloc(32).map((_, i) => (i * 37 + seed * 13 + 5) % 251)
    const both = createKeyRing({ active: 'k2', keys: { k1: bytes(1), k2: bytes(2) } })
    const producer = await openMill({ store: `sqlite:${path}`, codec: { keys: both } })
    const late = createKeyRing({ active: 'k1', keys: { k1: bytes(1) } })
    const mill = await openMill({ store: `sqlite:${path}`, codec: { keys: late } })
    const echo = defineJob({ name: 'echo', run: (input: string) => input })
    const job = await producer.enqueue(echo, 'sealed')
    mill.work([echo])
    await expect.poll(async () => (await producer.get(job.id))?.state, { timeout: 10_000 }).toBe('blocked')
    expect(await producer.get(job.id)).toMatchObject({ reason: 'key', attempts: 0 })

    late.add('k2', bytes(2))

    expect(await producer.result(job.id, { timeout: '10s' })).toBe('sealed')
  })
})

test('middleware runs around the handler, the first one outermost', async () => {
  const mill = await openMill()
  const said: string[] = []
  const noted = defineJob({ name: 'noted', run: () => void said.push('run') })
  const layer = (name: string) => async (_: JobContext, next: () => Promise<unknown>) => {
    said.push(`${name} in`)
    const result = await next()
    said.push(`${name} out`)
    return result
  }
  await mill.enqueue(noted)

  await mill.work([noted], { drain: true, middleware: [layer('a'), layer('b')] }).done

  expect(said).toEqual(['a in', 'b in', 'run', 'b out', 'a out'])
})

test('with no retention a job that completes at its first attempt leaves only its id', async () => {
  const mill = await openMill({ retention: { completed: 0 } })
  const quick = defineJob({ name: 'quick', run: () => 42 })
  const telling = defineJob({ name: 'telling', run: (_, job) => job.log('a line') })
  const job = await mill.enqueue(quick)
  const told = await mill.enqueue(telling)
  await mill.work([quick, telling], { drain: true }).done

  expect(await mill.get(job.id)).toBeNull()
  await expect(mill.result(job.id)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' })
  expect(await mill.enqueue(quick, undefined, { id: job.id })).toMatchObject({ status: 'existing' })
  // Of one that wrote to its log there is more than a row: it waits to be pruned.
  expect((await mill.get(told.id))?.state).toBe('completed')
})

test('the library takes no signal and leaves nothing running after close', async () => {
  const before = process.listenerCount('SIGINT') + process.listenerCount('SIGTERM')
  const mill = await openMill()
  const worker = mill.work([defineJob({ name: 'x', run: () => {} })])

  expect(process.listenerCount('SIGINT') + process.listenerCount('SIGTERM')).toBe(before)
  await Promise.all([worker.stop(), worker.stop(), mill.close()])
  await worker.done
})

test('closing under load settles what has ended and loses nothing', async () => {
  const path = tempStorePath()
  const mill = await openMill({ store: `sqlite:${path}` })
  const seen = new Set<number>()
  const notes = defineJob({ name: 'notes', run: (input: number) => void seen.add(input) })
  await mill.enqueueMany(
    notes,
    Array.from({ length: 3000 }, (_, i) => i),
  )
  const worker = mill.work([notes], { concurrency: 20 })
  await expect.poll(() => worker.jobsDone > 200, { timeout: 10_000, interval: 1 }).toBe(true)
  await mill.close()

  const again = await openMill({ store: `sqlite:${path}` })
  expect((await again.count({ state: 'completed' })).count).toBe(seen.size)
  expect((await again.count({ state: 'processing' })).count).toBe(0)
  await again.work([notes], { drain: true }).done
  expect(seen.size).toBe(3000)
})
