/** How an attempt may end, and what becomes of its job. */
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ManualClock } from '../../src/base/clock.ts'
import { Discard, defineJob, RetryAfter } from '../../src/index.ts'
import { createSqliteStore } from '../../src/store/sqlite/store.ts'
import { openMill } from '../support/mill.ts'
import { tempStorePath } from '../support/temp-store.ts'

describe('how an attempt ends', () => {
  test.each([
    ['an error', () => new Error('boom'), { state: 'retrying', attempts: 1 }],
    ['Discard', () => new Discard('no use'), { state: 'failed', reason: 'discarded', attempts: 1 }],
    ['RetryAfter', () => new RetryAfter('1h'), { state: 'retrying', attempts: 1 }],
    ['null', () => null, { state: 'retrying', attempts: 1 }],
    ['a string', () => 'plain text', { state: 'retrying', attempts: 1 }],
    [
      'an error that is a cycle',
      () => Object.assign(new Error('c'), { self: {} as object }),
      { state: 'retrying', attempts: 1 },
    ],
  ])('throwing %s', async (_, make, expected) => {
    const mill = await openMill()
    const throws = defineJob({
      name: 'throws',
      retry: { attempts: 3, delay: '1h', jitter: 'none' },
      run: () => {
        throw make()
      },
    })
    const job = await mill.enqueue(throws)

    await mill.work([throws], { drain: true }).done

    expect(await mill.get(job.id)).toMatchObject(expected)
  })

  test('a job whose attempts are used up is a dead letter with every attempt on record', async () => {
    const mill = await openMill()
    const fails = defineJob({
      name: 'fails',
      retry: { attempts: 3, delay: 0 },
      run: (_: undefined, job) => Promise.reject(new Error(`no ${job.attempt}`)),
    })
    const job = await mill.enqueue(fails)
    const worker = mill.work([fails])

    await expect(job.result({ timeout: '10s' })).rejects.toMatchObject({
      code: 'JOB_FAILED',
      fields: { reason: 'exhausted', attempts: 3 },
    })
    await worker.stop()

    const info = await mill.get(job.id)
    expect(info?.history.map(({ attempt, outcome, error }) => [attempt, outcome, error?.message])).toEqual([
      [1, 'retrying', 'no 1'],
      [2, 'retrying', 'no 2'],
      [3, 'failed', 'no 3'],
    ])
  })

  test('snooze spends no attempt', async () => {
    const mill = await openMill()
    let runs = 0
    const sleepy = defineJob({
      name: 'sleepy',
      retry: false,
      run: (_: undefined, job) => (++runs === 1 ? job.snooze('10ms') : job.attempt),
    })
    const job = await mill.enqueue(sleepy)
    mill.work([sleepy])

    expect(await job.result({ timeout: '10s' })).toBe(1)
    expect(runs).toBe(2)
  })

  test('a result that does not fit its schema is a failure of the attempt', async () => {
    const mill = await openMill()
    const wrong = defineJob({
      name: 'wrong',
      output: z.object({ a: z.number() }),
      retry: false,
      run: () => ({ a: 'x' }) as never,
    })
    const job = await mill.enqueue(wrong)

    await mill.work([wrong], { drain: true }).done

    expect(await mill.get(job.id)).toMatchObject({
      state: 'failed',
      reason: 'exhausted',
      error: { code: 'RESULT_INVALID' },
    })
  })

  test('an input that no longer fits is failed with reason payload, the handler never called', async () => {
    const mill = await openMill()
    let calls = 0
    const old = defineJob({ name: 'same' })
    const strict = defineJob({ name: 'same', input: z.object({ a: z.number() }), run: () => void calls++ })
    const job = await mill.enqueue(old, { a: 'text' } as never)

    await mill.work([strict], { drain: true }).done

    expect(await mill.get(job.id)).toMatchObject({ state: 'failed', reason: 'payload' })
    expect(calls).toBe(0)
  })

  test('an older version is brought up to date before it is checked', async () => {
    const mill = await openMill()
    const first = defineJob({ name: 'grows', run: (input: { w: number }) => input.w })
    const third = defineJob({
      name: 'grows',
      version: 3,
      upgrade: {
        1: (old: { w: number }) => ({ width: old.w }),
        2: (old: { width: number }) => ({ ...old, height: 1 }),
      },
      input: z.object({ width: z.number(), height: z.number() }),
      run: (input) => input,
    })
    const job = await mill.enqueue(first, { w: 5 })
    mill.work([third])

    expect(await mill.result(job.id, { timeout: '10s' })).toEqual({ width: 5, height: 1 })
  })
})

describe('jobs that were lost twice', () => {
  test('are run side by side without waiting for a poll between them', async () => {
    const clock = new ManualClock()
    const store = createSqliteStore({ path: tempStorePath(), durability: 'normal', clock })
    const mill = await openMill({ clock, store })
    let running = 0
    const all = Promise.withResolvers<void>()
    const together = defineJob({
      name: 'together',
      run: async () => {
        if (++running === 3) all.resolve()
        await all.promise
      },
    })
    for (let i = 0; i < 3; i++) await mill.enqueue(together)
    for (let i = 0; i < 2; i++) {
      const claim = { workerId: 'gone', queues: 'all', names: ['together'], limit: 3, leaseMs: 10 } as const
      await mill.store.jobs.exchange({ workerId: 'gone', settle: [], claim })
      clock.advance(11)
      expect(await mill.store.jobs.reclaim(10)).toHaveLength(3)
    }

    // The clock stands still: nothing here waits for the poll.
    const worker = mill.work([together], { concurrency: 3, maxJobs: 3 })
    await worker.done

    expect(running).toBe(3)
  })
})

describe('rows that another hand wrote', () => {
  test('one that cannot be read is failed, the rest is done, and a draining worker ends', async () => {
    const { mill, write } = await openFile()
    const ok = defineJob({ name: 'ok', run: () => {} })
    const jobs = [await mill.enqueue(ok), await mill.enqueue(ok), await mill.enqueue(ok)]
    write("UPDATE millrace_job SET version = 9223372036854775807, tags = '{' WHERE id = ?", jobs[0]?.id)

    await mill.work([ok], { drain: true }).done

    const states = await Promise.all(jobs.map(async ({ id }) => (await mill.get(id))?.state))
    expect(states).toEqual(['failed', 'completed', 'completed'])
    expect((await mill.list({})).jobs).toHaveLength(3)
  })

  test('many of them at the head of a queue do not end a draining worker before the rest is done', async () => {
    const { mill, write } = await openFile()
    const ok = defineJob({ name: 'ok', run: () => {} })
    await mill.enqueueMany(ok, new Array(60).fill(undefined), { priority: 'high' })
    write("UPDATE millrace_job SET tags = '{'")
    const last = await mill.enqueue(ok)

    await mill.work([ok], { drain: true, concurrency: 2, maxPrefetch: 0 }).done

    expect((await mill.get(last.id))?.state).toBe('completed')
    expect(await mill.count({ state: 'failed' })).toMatchObject({ count: 60 })
  })

  test.each(['', 'null', '{', '{"attempts":"many"}', '{"attempts":9,"backoff":"warp","delayMs":1}'])(
    'a retry policy of %j leaves the policy to the definition',
    async (retry) => {
      const { mill, write } = await openFile()
      const fails = defineJob({ name: 'fails', retry: false, run: () => Promise.reject(new Error('no')) })
      const job = await mill.enqueue(fails, undefined, { retry: 3 })
      write('UPDATE millrace_job SET retry = ? WHERE id = ?', retry, job.id)

      await mill.work([fails], { drain: true }).done

      expect(await mill.get(job.id)).toMatchObject({ state: 'failed', reason: 'exhausted', attempts: 1 })
    },
  )
})

/** A mill, and a way to write past it. */
async function openFile() {
  const path = tempStorePath()
  const mill = await openMill({ store: `sqlite:${path}?durability=normal` })
  const write = (sql: string, ...params: readonly (string | undefined)[]) => {
    const db = new DatabaseSync(path)
    db.prepare(sql).run(...params.map((param) => param ?? null))
    db.close()
  }
  return { mill, write }
}
