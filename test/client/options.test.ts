/** Each option of `enqueue` by what it does, with a worker at work where it matters. */
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { defineJob, type JobContext } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { tempStorePath } from '../support/temp-store.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })

describe('when a job runs', () => {
  test('runAt: no sooner than the instant, as a Date or in milliseconds; one in the past is at once', async () => {
    const mill = await openMill()
    const soon = new Date(Date.now() + 300)
    const later = await mill.enqueue(plain, 1, { runAt: soon })
    const number = await mill.enqueue(plain, 2, { runAt: Date.now() + 3_600_000 })
    const past = await mill.enqueue(plain, 3, { runAt: new Date(0) })

    expect([later.state, number.state, past.state]).toEqual(['scheduled', 'scheduled', 'pending'])
    expect((await mill.get(later.id))?.runAt).toEqual(soon)
    mill.work([plain])
    await later.result({ timeout: '20s' })
    const [attempt] = (await mill.get(later.id))?.history ?? []
    expect(attempt?.startedAt.getTime()).toBeGreaterThanOrEqual(soon.getTime())
    expect((await mill.get(number.id))?.state).toBe('scheduled')
  })

  test('expiresIn: a job that has not started in time is failed, reason expired, and never runs', async () => {
    const mill = await openMill()
    let runs = 0
    const counts = defineJob({ name: 'counts', run: () => ++runs })
    await mill.queues.pause('held')
    const job = await mill.enqueue(counts, undefined, { queue: 'held', expiresIn: '50ms' })
    const lasting = await mill.enqueue(counts, undefined, { expiresIn: '1h' })
    mill.work([counts], { poll: '10ms' })

    await expect(job.result({ timeout: '20s' })).rejects.toMatchObject({
      code: 'JOB_FAILED',
      fields: { reason: 'expired' },
    })
    await lasting.result({ timeout: '20s' })
    await mill.queues.resume('held')
    expect(runs).toBe(1)
    expect(await mill.get(job.id)).toMatchObject({ state: 'failed', reason: 'expired', attempts: 0 })
  })
})

describe('how a job runs', () => {
  test('retry: this job by its own policy, others by their definition’s', async () => {
    const mill = await openMill()
    const fails = defineJob({
      name: 'fails',
      retry: { attempts: 3, delay: 0 },
      run: () => Promise.reject(new Error('no')),
    })
    const [own, once, usual] = [
      await mill.enqueue(fails, undefined, { retry: { attempts: 5, delay: 0 } }),
      await mill.enqueue(fails, undefined, { retry: false }),
      await mill.enqueue(fails),
    ]

    await mill.work([fails], { drain: true }).done

    const attempts = async (id: string) => (await mill.get(id))?.attempts
    expect([await attempts(own.id), await attempts(once.id), await attempts(usual.id)]).toEqual([5, 1, 3])
  })

  test('timeout: this job’s own wins over its definition’s', async () => {
    const mill = await openMill()
    const hangs = defineJob({
      name: 'hangs',
      timeout: '1h',
      retry: false,
      run: (_: undefined, job: JobContext) =>
        new Promise((_resolve, reject) => job.signal.addEventListener('abort', () => reject(job.signal.reason))),
    })
    const job = await mill.enqueue(hangs, undefined, { timeout: '30ms' })

    await mill.work([hangs], { drain: true }).done

    expect(await mill.get(job.id)).toMatchObject({ state: 'failed', error: { name: 'TimeoutError' } })
  })

  test('queue, priority and tags are found by filters, counted and paged', async () => {
    const mill = await openMill()
    const other = defineJob({ name: 'other' })
    const before = new Date()
    await mill.enqueueMany(plain, [1, 2, 3], { queue: 'media', priority: 'high', tags: ['a', 'b'] })
    await mill.enqueue(other, undefined, { tags: ['b'] })

    const found = async (query: Parameters<typeof mill.list>[0]) => (await mill.list(query)).jobs.length
    expect(await found({ tag: 'a' })).toBe(3)
    expect(await found({ tag: 'b' })).toBe(4)
    expect(await found({ tag: 'c' })).toBe(0)
    expect(await found({ queue: 'media' })).toBe(3)
    expect(await found({ queue: ['media', 'default'], name: 'other' })).toBe(1)
    expect(await found({ name: ['plain', 'other'], state: ['pending', 'failed'] })).toBe(4)
    expect(await found({ createdAfter: new Date(before.getTime() - 1) })).toBe(4)
    expect(await found({ createdBefore: before })).toBe(0)
    expect(await mill.count({ tag: 'b' })).toEqual({ count: 4, capped: false })
    expect(await mill.count({ tag: 'b' }, 2)).toEqual({ count: 2, capped: true })
    const first = await mill.list({ tag: 'b', limit: 3 })
    const rest = await mill.list({ tag: 'b', limit: 3, ...(first.next !== undefined && { cursor: first.next }) })
    expect(new Set([...first.jobs, ...rest.jobs].map(({ id }) => id)).size).toBe(4)
    expect(rest.next).toBeUndefined()
  })
})

describe('what a job waits for', () => {
  const good = defineJob({ name: 'good', run: () => 'done' })
  const bad = defineJob({ name: 'bad', retry: false, run: () => Promise.reject(new Error('no')) })

  test('dependsOn: a policy for each edge', async () => {
    const mill = await openMill()
    const [a, b] = [await mill.enqueue(good), await mill.enqueue(bad)]
    const proceeds = await mill.enqueue(plain, 1, { dependsOn: [a, { job: b, onFailure: 'proceed' }] })
    const cancels = await mill.enqueue(plain, 2, { dependsOn: [{ job: a, onFailure: 'fail' }, b.id] })
    const fails = await mill.enqueue(plain, 3, {
      dependsOn: [
        { job: a.id, onFailure: 'proceed' },
        { job: b.id, onFailure: 'fail' },
      ],
    })
    const grandchild = await mill.enqueue(plain, 4, { dependsOn: fails })

    await mill.work([good, bad, plain], { drain: true }).done

    const ended = async (id: string) => {
      const job = await mill.get(id)
      return [job?.state, job?.reason]
    }
    expect(await ended(proceeds.id)).toEqual(['completed', null])
    expect(await ended(cancels.id)).toEqual(['cancelled', 'parent'])
    expect(await ended(fails.id)).toEqual(['failed', 'parent'])
    expect(await ended(grandchild.id)).toEqual(['cancelled', 'parent'])
  })

  test('dependsOn a job that has ended decides at once', async () => {
    const mill = await openMill()
    const [a, b] = [await mill.enqueue(good), await mill.enqueue(bad)]
    await mill.work([good, bad], { drain: true }).done

    expect((await mill.enqueue(plain, 1, { dependsOn: a })).state).toBe('pending')
    expect((await mill.enqueue(plain, 1, { dependsOn: { job: b, onFailure: 'proceed' } })).state).toBe('pending')
    expect((await mill.enqueue(plain, 1, { dependsOn: b })).state).toBe('cancelled')
    expect((await mill.enqueue(plain, 1, { dependsOn: { job: b, onFailure: 'fail' } })).state).toBe('failed')
  })

  test('unique: many calls at once over two connections make one job', async () => {
    const path = tempStorePath()
    const mills = [await openMill({ store: `sqlite:${path}` }), await openMill({ store: `sqlite:${path}` })]

    const jobs = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        (mills[i % 2] ?? mills[0])?.enqueue(plain, i, { unique: { key: 'k', within: '1h' } }),
      ),
    )

    expect(jobs.filter((job) => job?.status === 'created')).toHaveLength(1)
    expect(new Set(jobs.map((job) => job?.id)).size).toBe(1)
    expect(await mills[0]?.count()).toMatchObject({ count: 1 })
  })

  test('unique with replace under load leaves one that waits, the others cancelled as replaced', async () => {
    const mill = await openMill()

    const jobs = await Promise.all(
      Array.from({ length: 20 }, (_, i) => mill.enqueue(plain, i, { unique: { key: 'k', onConflict: 'replace' } })),
    )

    expect(new Set(jobs.map(({ id }) => id)).size).toBe(20)
    expect(await mill.count({ state: 'pending' })).toMatchObject({ count: 1 })
    const { jobs: gone } = await mill.list({ state: 'cancelled', limit: 200 })
    expect(gone.map(({ reason }) => reason)).toEqual(gone.map(() => 'replaced'))
    expect(gone).toHaveLength(19)
  })
})

describe('tx', () => {
  test('many jobs, unique and dependent ones too, are there when the caller commits, beside the caller’s own rows', async () => {
    const path = tempStorePath()
    const mill = await openMill({ store: `sqlite:${path}` })
    const db = new DatabaseSync(path)
    db.exec('CREATE TABLE orders (id INTEGER PRIMARY KEY); BEGIN IMMEDIATE')
    db.exec('INSERT INTO orders VALUES (1)')
    const many = await mill.enqueueMany(plain, [1, 2, 3], { tx: db })
    const child = await mill.enqueue(plain, 4, { tx: db, dependsOn: many, unique: 'order-1' })
    const again = await mill.enqueue(plain, 5, { tx: db, unique: 'order-1' })
    expect(await mill.count()).toMatchObject({ count: 0 })
    db.exec('COMMIT')

    expect(db.prepare('SELECT count(*) AS n FROM orders').get()).toMatchObject({ n: 1 })
    expect(again).toMatchObject({ id: child.id, status: 'existing' })
    expect(await mill.get(child.id)).toMatchObject({ state: 'blocked', waitingOn: 3 })
    await mill.work([plain], { drain: true }).done
    expect(await child.result({ timeout: '20s' })).toBe(4)

    db.exec('BEGIN IMMEDIATE; INSERT INTO orders VALUES (2)')
    await mill.enqueueMany(plain, [6, 7], { tx: db })
    db.exec('ROLLBACK')
    db.close()
    expect(await mill.count()).toMatchObject({ count: 4 })
  })

  test('beside a worker in the same process: an open transaction locks neither up', async () => {
    const path = tempStorePath()
    const mill = await openMill({ store: `sqlite:${path}` })
    const db = new DatabaseSync(path)
    const before = await mill.enqueue(plain, 'before')
    mill.work([plain], { poll: '10ms' })
    await before.result({ timeout: '20s' })
    db.exec('BEGIN IMMEDIATE')
    const inside = await mill.enqueue(plain, 'inside', { tx: db })
    const outside = mill.enqueue(plain, 'outside')
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
    db.exec('COMMIT')
    db.close()

    expect(await inside.result({ timeout: '20s' })).toBe('inside')
    expect(await (await outside).result({ timeout: '20s' })).toBe('outside')
  })
})
