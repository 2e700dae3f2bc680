/** Claiming: order, shares, filters, what is never given. */
import { describe, expect } from 'vitest'
import { bytes, type Case, claimRequest, type Fixture, LEASE_MS, newJob, nth, suspectJob } from './fixture.ts'

/** The cases of claiming. */
export function claimCases(test: Case): void {
  describe('claim', () => {
    test('gives the whole job to one worker', async (f) => {
      const id = await f.add({ payload: bytes('x'), timeoutMs: 5, retry: 'r', tags: ['t'], version: 2, priority: 7 })
      const now = await f.store.time()

      const claimed = await f.claim()

      expect(claimed).toEqual([
        {
          id,
          epoch: 1,
          name: 'job',
          version: 2,
          queue: 'q',
          priority: 7,
          payload: bytes('x'),
          attempt: 1,
          attemptOffset: 0,
          losses: 0,
          crashes: 0,
          createdAt: now,
          runAt: now,
          timeoutMs: 5,
          retry: 'r',
          tags: ['t'],
        },
      ])
      expect(await f.row(id)).toMatchObject({
        state: 'processing',
        workerId: 'w1',
        epoch: 1,
        claimedAt: now,
        leaseUntil: now + LEASE_MS,
        attempts: 0,
      })
      expect(await f.claim()).toEqual([])
    })

    test('goes by priority, then run time, then id', async (f) => {
      const now = await f.store.time()
      const parts = [
        { priority: 5, runAt: now - 10 },
        { priority: 5, runAt: now - 20 },
        { priority: 15, runAt: now },
        { priority: 0, runAt: now - 99 },
        { priority: 5, runAt: now - 20 },
        { priority: 100, runAt: now },
      ]
      const ids: string[] = []
      for (const part of parts) ids.push(await f.add(part))

      const claimed = await f.claim()

      expect(claimed.map((job) => ids.indexOf(job.id))).toEqual([5, 2, 1, 4, 0, 3])
    })

    test('gives no more than the limit, nor than each share', async (f) => {
      for (let i = 0; i < 5; i++) {
        await f.add({ queue: 'a' })
        await f.add({ queue: 'b' })
      }
      const queues = [
        { queue: 'a', max: 2 },
        { queue: 'b', max: 9 },
      ]

      const claimed = await f.claim({ queues, limit: 4 })

      expect(claimed.map((job) => job.queue)).toEqual(['a', 'a', 'b', 'b'])
      expect(await f.claim({ limit: 0 })).toEqual([])
      expect(await f.claim({ queues: [{ queue: 'a', max: 0 }] })).toEqual([])
    })

    test('gives no more than 1 MiB of payload at once, but for one larger job alone', async (f) => {
      const sizes = [400_000, 400_000, 300_000, 3_000_000, 1_048_576, 10, 1_048_566, 1]
      const ids: string[] = []
      for (const size of sizes) ids.push(await f.add({ payload: new Uint8Array(size).fill(size % 251) }))
      const batches: number[][] = []
      for (let more = true; more; ) {
        const answer = await f.jobs.exchange({ workerId: 'w1', settle: [], claim: claimRequest() })
        expect(answer.claimed.map((job) => job.id)).toEqual(ids.splice(0, answer.claimed.length))
        batches.push(answer.claimed.map((job) => job.payload.byteLength))
        more = answer.more
      }

      expect(batches).toEqual([[400_000, 400_000], [300_000], [3_000_000], [1_048_576], [10, 1_048_566], [1]])
    })

    test('serves queues in the order they are named', async (f) => {
      await f.add({ queue: 'a', priority: 100 })
      await f.add({ queue: 'b', priority: 0 })
      const queues = ['b', 'none', 'a'].map((queue) => ({ queue, max: 10 }))

      expect((await f.claim({ queues })).map((job) => job.queue)).toEqual(['b', 'a'])
    })

    test('shares the limit evenly when every queue is served', async (f) => {
      for (const queue of ['a', 'b', 'c']) await addMany(f, queue, 10)

      const claimed = await f.claim({ queues: 'all', limit: 9 })

      expect(tally(claimed.map((job) => job.queue))).toEqual({ a: 3, b: 3, c: 3 })
    })

    test('gives what one queue leaves over to the others', async (f) => {
      await addMany(f, 'a', 1)
      await addMany(f, 'b', 20)
      await addMany(f, 'c', 20)

      const claimed = await f.claim({ queues: 'all', limit: 12 })

      expect(claimed).toHaveLength(12)
      expect(tally(claimed.map((job) => job.queue)).a).toBe(1)
    })

    test('lets no queue starve when one job at a time is asked for', async (f) => {
      // By chance alone one of three has fewer than 12 of 120 in one run of ten million.
      for (const queue of ['a', 'b', 'c']) await addMany(f, queue, 120)
      const seen: string[] = []
      for (let i = 0; i < 120; i++) seen.push(nth(await f.claim({ queues: 'all', limit: 1 }), 0).queue)

      const counts = tally(seen)
      for (const queue of ['a', 'b', 'c']) expect(counts[queue]).toBeGreaterThanOrEqual(12)
    })

    test('leaves jobs whose names the worker does not handle', async (f) => {
      const ids: string[] = []
      for (const name of ['x', 'y', 'x', 'z', 'y']) ids.push(await f.add({ name }))

      expect((await f.claim({ names: ['y'], limit: 1 })).map((job) => job.id)).toEqual([nth(ids, 1)])
      expect((await f.claim({ names: ['y', 'z'] })).map((job) => job.id)).toEqual([nth(ids, 3), nth(ids, 4)])
      expect(await f.claim({ names: [] })).toEqual([])
      expect((await f.row(nth(ids, 0))).epoch).toBe(0)
    })

    test('looks past many jobs of other names', async (f) => {
      await f.jobs.insert(Array.from({ length: 500 }, () => newJob({ name: 'other', priority: 50 })))
      const id = await f.add({ priority: 1 })

      expect((await f.claim({ limit: 5 })).map((job) => job.id)).toEqual([id])
    })

    test('gives no job of a paused queue, and all again after resume', async (f) => {
      const id = await f.add()
      await f.add({ queue: 'other' })
      await f.store.queues.pause('q', 'me', 'why')

      expect(await f.claim()).toEqual([])
      expect((await f.claim({ queues: 'all' })).map((job) => job.queue)).toEqual(['other'])
      await f.store.queues.resume('q')
      expect((await f.claim()).map((job) => job.id)).toEqual([id])
    })

    test('settles and extends jobs of a paused queue', async (f) => {
      const lease = await f.running()
      await f.store.queues.pause('q', 'me', 'why')

      expect(await f.jobs.extend('w1', [lease], 1_000)).toEqual(['held'])
      await f.complete(lease)
    })

    test('never gives a job that has expired', async (f) => {
      await f.add({ expiresInMs: 1_000 })
      const other = await f.add({ priority: 0 })
      f.clock.advance(1_000)

      expect((await f.claim()).map((job) => job.id)).toEqual([other])
    })

    test('gives a job until the moment it expires', async (f) => {
      const id = await f.add({ expiresInMs: 1_000 })
      f.clock.advance(999)

      expect((await f.claim()).map((job) => job.id)).toEqual([id])
    })

    test('gives no scheduled job, also when its time has come, before it is promoted', async (f) => {
      const id = await f.add({ delayMs: 1_000 })
      f.clock.advance(5_000)
      const before = await f.claim()

      await f.jobs.promote(10)

      expect(before).toEqual([])
      expect((await f.claim()).map((job) => job.id)).toEqual([id])
    })

    test('names the store time of the exchange', async (f) => {
      const { now } = await f.jobs.exchange({ workerId: 'w1', settle: [] })

      expect(now).toBe(await f.store.time())
    })

    test('settles before it claims, in one exchange', async (f) => {
      const parent = await f.running()
      const child = await f.child(parent.id)
      const claim = { workerId: 'w1', queues: [{ queue: 'q', max: 5 }], names: ['job'], limit: 5, leaseMs: LEASE_MS }
      const settle = [{ id: parent.id, epoch: parent.epoch, runMs: 1, to: 'completed', result: null } as const]

      const { settled, claimed } = await f.jobs.exchange({ workerId: 'w1', settle, claim })

      expect(settled).toEqual(['settled'])
      expect(claimed.map((job) => job.id)).toEqual([child])
    })

    test('gives each job to exactly one of many claiming at once', async (f) => {
      await f.jobs.insert(Array.from({ length: 200 }, () => newJob()))
      const stores = [f.store, await f.connect(), await f.connect(), await f.connect()]
      const claim = (workerId: string) => ({
        workerId,
        queues: [{ queue: 'q', max: 7 }],
        names: ['job'],
        limit: 7,
        leaseMs: LEASE_MS,
      })

      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          nth(stores, i % 4).jobs.exchange({ workerId: `w${i}`, settle: [], claim: claim(`w${i}`) }),
        ),
      )

      const ids = answers.flatMap((answer) => answer.claimed.map((job) => job.id))
      expect(new Set(ids).size).toBe(200)
      expect(ids).toHaveLength(200)
    })
  })

  describe('claim: suspects', () => {
    test('gives a job with two losses alone', async (f) => {
      const suspect = await suspectJob(f, { priority: 50 })
      await f.add()
      await f.add()

      const claimed = await f.claim()

      expect(claimed.map((job) => job.id)).toEqual([suspect])
      expect(claimed[0]).toMatchObject({ losses: 2, attempt: 1 })
      expect(await f.claim()).toHaveLength(2)
    })

    test('gives what stands before a suspect without it', async (f) => {
      const suspect = await suspectJob(f, { priority: 5 })
      const first = await f.add({ priority: 50 })

      expect((await f.claim()).map((job) => job.id)).toEqual([first])
      expect((await f.claim()).map((job) => job.id)).toEqual([suspect])
    })

    test('gives suspects one by one', async (f) => {
      const one = await suspectJob(f)
      const two = await suspectJob(f, { queue: 'two' })
      const queues = ['q', 'two'].map((queue) => ({ queue, max: 5 }))

      expect((await f.claim({ queues })).map((job) => job.id)).toEqual([one])
      expect((await f.claim({ queues })).map((job) => job.id)).toEqual([two])
    })

    test('gives none to a worker that has no free slot', async (f) => {
      const suspect = await suspectJob(f, { queue: 'two' })
      const plain = await f.add()
      const queues = ['two', 'q'].map((queue) => ({ queue, max: 5 }))

      expect((await f.claim({ queues, noSuspects: true })).map((job) => job.id)).toEqual([plain])
      expect((await f.row(suspect)).state).toBe('pending')
    })

    test('gives a job with one loss among others', async (f) => {
      const lease = await f.running()
      await f.lose()
      await f.add()

      const claimed = await f.claim()

      expect(claimed).toHaveLength(2)
      expect(claimed.find((job) => job.id === lease.id)).toMatchObject({ losses: 1, epoch: 2, attempt: 1 })
    })
  })
}

async function addMany(f: Fixture, queue: string, count: number): Promise<void> {
  await f.jobs.insert(Array.from({ length: count }, () => newJob({ queue })))
}

function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
