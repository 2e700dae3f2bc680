/** Inserting: what is written, what a job is born as, ids that come again. */
import { describe, expect } from 'vitest'
import { newId } from '../../base/id.ts'
import { bytes, type Case, newJob, nth } from './fixture.ts'

/** The cases of inserting. */
export function insertCases(test: Case): void {
  describe('insert', () => {
    test('an id that was said to be fresh and lives all the same is one job', async (f) => {
      const there = newJob({ fresh: true })
      expect(await f.jobs.insert([there])).toMatchObject([{ status: 'created' }])
      const jobs = [
        ...Array.from({ length: 12 }, () => newJob({ fresh: true })),
        there,
        newJob({ fresh: true, delayMs: 50 }),
      ]

      const results = await f.jobs.insert(jobs)

      expect(results.map(({ id }) => id)).toEqual(jobs.map(({ id }) => id))
      expect(results.map(({ status }) => status)).toEqual([...Array(12).fill('created'), 'existing', 'created'])
      expect(await f.jobs.insert([there])).toMatchObject([{ status: 'existing', state: 'pending' }])
      expect((await f.jobs.list({ filter: {}, limit: 100 })).rows).toHaveLength(14)
    })

    test('writes every field and reads it back', async (f) => {
      const now = await f.store.time()
      const job = newJob({
        name: 'resize',
        version: 3,
        queue: 'media',
        priority: 100,
        payload: bytes('{"a":1}'),
        delayMs: 5_000,
        expiresInMs: 60_000,
        timeoutMs: 1_500,
        retry: '{"attempts":3}',
        tags: ['x', 'ü', 'x y'],
        unique: { scope: 'resize', key: 'a.png', withinMs: 1_000 },
      })

      const results = await f.jobs.insert([job])

      expect(results).toEqual([{ status: 'created', id: job.id, state: 'scheduled' }])
      expect(await f.row(job.id)).toEqual({
        id: job.id,
        name: 'resize',
        version: 3,
        queue: 'media',
        priority: 100,
        state: 'scheduled',
        reason: null,
        createdAt: now,
        runAt: now + 5_000,
        expiresAt: now + 60_000,
        finishedAt: null,
        attempts: 0,
        attemptOffset: 0,
        losses: 0,
        crashes: 0,
        epoch: 0,
        workerId: null,
        claimedAt: null,
        leaseUntil: null,
        cancelling: false,
        progress: null,
        progressNote: null,
        timeoutMs: 1_500,
        retry: '{"attempts":3}',
        tags: ['x', 'ü', 'x y'],
        uniqueKey: 'a.png',
        waitingOn: 0,
        dependents: 0,
        payload: bytes('{"a":1}'),
        result: null,
        error: null,
        history: [],
      })
    })

    test('answers in the order of the batch', async (f) => {
      const jobs = Array.from({ length: 50 }, (_, i) => newJob(i % 2 === 0 ? {} : { delayMs: 1_000 }))

      const results = await f.jobs.insert(jobs)

      expect(results.map((result) => result.id)).toEqual(jobs.map((job) => job.id))
      expect(results.map((result) => 'state' in result && result.state)).toEqual(
        jobs.map((job) => (job.delayMs === undefined ? 'pending' : 'scheduled')),
      )
    })

    test('takes an empty batch', async (f) => {
      expect(await f.jobs.insert([])).toEqual([])
    })

    test('takes a batch of 1,000', async (f) => {
      const jobs = Array.from({ length: 1_000 }, () => newJob())

      const results = await f.jobs.insert(jobs)

      expect(new Set(results.map((result) => result.status))).toEqual(new Set(['created']))
      expect(await f.jobs.count({}, 5_000)).toEqual({ count: 1_000, capped: false })
    })

    test('gives a run time in the past its place in the order, at once', async (f) => {
      const now = await f.store.time()
      const second = await f.add({ runAt: now - 1_000 })
      const first = await f.add({ runAt: now - 2_000 })

      expect((await f.row(first)).state).toBe('pending')
      expect((await f.claim()).map((job) => job.id)).toEqual([first, second])
    })

    test('keeps a run time ahead as scheduled, and a run time of now as pending', async (f) => {
      const now = await f.store.time()

      expect((await f.row(await f.add({ runAt: now + 1 }))).state).toBe('scheduled')
      expect((await f.row(await f.add({ runAt: now }))).state).toBe('pending')
      expect((await f.row(await f.add({ delayMs: 0 }))).state).toBe('pending')
    })

    test('recognises an id that is live', async (f) => {
      const job = newJob()
      await f.jobs.insert([job])
      const before = await f.row(job.id)

      const results = await f.jobs.insert([{ ...job, payload: bytes('other'), queue: 'other' }])

      expect(results).toEqual([{ status: 'existing', id: job.id, state: 'pending' }])
      expect(await f.row(job.id)).toEqual(before)
    })

    test('recognises an id that is running or has ended', async (f) => {
      const job = newJob()
      await f.jobs.insert([job])
      const lease = await f.hold(job.id)
      expect(await f.jobs.insert([job])).toEqual([{ status: 'existing', id: job.id, state: 'processing' }])
      await f.complete(lease)

      expect(await f.jobs.insert([job])).toEqual([{ status: 'existing', id: job.id, state: 'completed' }])
      expect(await f.jobs.count({}, 10)).toEqual({ count: 1, capped: false })
    })

    test('recognises an id that stands twice in one batch', async (f) => {
      const job = newJob()

      const results = await f.jobs.insert([job, job])

      expect(results.map((result) => result.status)).toEqual(['created', 'existing'])
    })

    test('recognises an ended id that comes again with a key or parents', async (f) => {
      const parent = await f.add({ queue: 'other' })
      const job = newJob({ unique: 'k', dependsOn: [] })
      await f.jobs.insert([job])
      await f.complete(await f.hold(job.id))

      const again = await f.jobs.insert([{ ...job, dependsOn: [{ parentId: parent, policy: 'cancel' }] }])

      expect(again).toEqual([{ status: 'existing', id: job.id, state: 'completed' }])
      expect((await f.row(parent)).dependents).toBe(0)
    })

    test('refuses one bad row alone and writes the others', async (f) => {
      const jobs = [newJob(), newJob({ priority: 101 }), newJob({ priority: -1 }), newJob()]

      const results = await f.jobs.insert(jobs)

      expect(results.map((result) => result.status)).toEqual(['created', 'refused', 'refused', 'created'])
      expect(nth(results, 1)).toMatchObject({ code: 'STORE_CONSTRAINT', id: nth(jobs, 1).id })
      expect(await f.jobs.get(nth(jobs, 1).id)).toBeNull()
      expect(await f.jobs.count({}, 10)).toEqual({ count: 2, capped: false })
    })

    test('keeps payloads of every size and every byte as they are', async (f) => {
      const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i)
      const sizes = [0, 1, 2_047, 2_048, 2_049, 100_000, 1_048_576]
      const payloads = [
        everyByte,
        bytes('\u0000\u0000'),
        bytes('héllo ✓ 🎉 \u202e'),
        ...sizes.map((n) => new Uint8Array(n).fill(n % 251)),
      ]
      const jobs = payloads.map((payload) => newJob({ payload }))

      await f.jobs.insert(jobs)

      for (const [i, job] of jobs.entries()) expect((await f.row(job.id)).payload).toEqual(payloads[i])
      const claimed = await f.claim()
      for (const job of claimed) {
        const sent = jobs.find((one) => one.id === job.id)
        expect(Buffer.compare(job.payload, sent?.payload ?? bytes('none'))).toBe(0)
      }
    })

    test('answers each row of a large batch by itself, whatever stands beside it', async (f) => {
      const known = await f.add()
      const jobs = Array.from({ length: 45 }, () => newJob())
      jobs[7] = newJob({ id: known })
      jobs[18] = nth(jobs, 12)
      jobs[25] = newJob({ priority: 1_000 })
      jobs[31] = newJob({ delayMs: 60_000 })

      const results = await f.jobs.insert(jobs)

      const odd = new Map([
        [7, 'existing'],
        [18, 'existing'],
        [25, 'refused'],
      ])
      expect(results.map(({ status }) => status)).toEqual(jobs.map((_, i) => odd.get(i) ?? 'created'))
      expect(results.map(({ id }) => id)).toEqual(jobs.map(({ id }) => id))
      expect(results[31]).toMatchObject({ state: 'scheduled' })
      for (const [i, job] of jobs.entries()) if (i !== 25) expect((await f.row(job.id)).payload).toEqual(job.payload)
    })

    test('keeps its own copy of what it was given', async (f) => {
      const payload = bytes('before')
      const id = await f.add({ payload })
      payload.fill(0)

      expect((await f.row(id)).payload).toEqual(bytes('before'))
    })

    test('accepts fractional durations', async (f) => {
      const id = await f.add({ delayMs: 10.5, expiresInMs: 99.25 })

      const row = await f.row(id)
      expect(Number.isInteger(row.runAt)).toBe(true)
      expect(Number.isInteger(row.expiresAt)).toBe(true)
    })

    test('finds nothing for an id that was never inserted', async (f) => {
      expect(await f.jobs.get(newId())).toBeNull()
      expect(await f.jobs.get('')).toBeNull()
      expect(await f.jobs.logs(newId(), 0, 10)).toEqual([])
      expect(await f.jobs.edges(newId())).toEqual([])
    })
  })
}
