/** Queues: what waits where, pausing, clearing, figures. */
import { describe, expect } from 'vitest'
import { newId } from '../../base/id.ts'
import { type Case, type JobParts, newJob, nth } from './fixture.ts'

/** The cases of queues. */
export function queueCases(test: Case): void {
  describe('queues', () => {
    test('counts live jobs by state and names the oldest that waits', async (f) => {
      const now = await f.store.time()
      await f.add({ runAt: now - 500 })
      await f.add()
      await f.add({ delayMs: 1_000 })
      await f.running({ queue: 'b' })
      await f.complete(await f.running({ queue: 'done' }))

      const queues = await f.store.queues.list()

      expect(queues).toEqual([
        {
          name: 'b',
          counts: { processing: 1 },
          oldestPendingAt: null,
          pausedAt: null,
          pausedBy: null,
          pauseReason: null,
        },
        {
          name: 'q',
          counts: { pending: 2, scheduled: 1 },
          oldestPendingAt: now - 500,
          pausedAt: null,
          pausedBy: null,
          pauseReason: null,
        },
      ])
    })

    test('remembers who paused a queue and why, also an empty one', async (f) => {
      const now = await f.store.time()
      await f.store.queues.pause('empty', 'ann', 'disk')

      expect(await f.store.queues.list()).toMatchObject([
        { name: 'empty', pausedAt: now, pausedBy: 'ann', pauseReason: 'disk', counts: {} },
      ])
    })

    test('pausing twice keeps since when, and resuming twice is no error', async (f) => {
      const now = await f.store.time()
      await f.store.queues.pause('q', 'ann', 'one')
      f.clock.advance(1_000)
      await f.store.queues.pause('q', 'bob', 'two')
      expect(await f.store.queues.stats('q')).toMatchObject({ pausedAt: now })

      await f.store.queues.resume('q')
      await f.store.queues.resume('q')
      await f.store.queues.resume('never seen')
      await f.add()

      expect((await f.store.queues.list()).find((info) => info.name === 'q')).toMatchObject({
        pausedAt: null,
        pausedBy: null,
      })
    })

    test('gives figures of what finished', async (f) => {
      for (let i = 1; i <= 4; i++) {
        const id = await f.add()
        f.clock.advance(100)
        const lease = await f.hold(id)
        f.clock.advance(i * 10)
        await f.settle(lease, { to: 'completed', result: null, runMs: i * 10 })
      }
      await f.fail(await f.running())
      await f.cancel(await f.add())
      await f.add()

      const stats = await f.store.queues.stats('q')

      expect(stats).toMatchObject({ finished: { completed: 4, failed: 1, cancelled: 1 }, counts: { pending: 1 } })
      expect(stats?.runMs).toEqual({ p50: 20, p95: 40, p99: 40 })
      expect(stats?.waitMs).toEqual({ p50: 100, p95: 100, p99: 100 })
    })

    test('has figures for a queue whose jobs have all finished, none for one never seen', async (f) => {
      await f.cancel(await f.add())

      expect(await f.store.queues.stats('q')).toMatchObject({
        finished: { cancelled: 1 },
        waitMs: null,
        runMs: null,
        counts: {},
      })
      expect(await f.store.queues.stats('never')).toBeNull()
    })

    test('forgets an empty queue once it is resumed', async (f) => {
      await f.store.queues.pause('q', 'me', 'why')
      await f.store.queues.resume('q')

      expect(await f.store.queues.list()).toEqual([])
      expect(await f.store.queues.stats('q')).toBeNull()
    })

    test('counts no further than 10,000 in each state', async (f) => {
      const some = (parts: JobParts) => Array.from({ length: 10_010 }, () => newJob(parts))
      for (const parts of [{}, { delayMs: 1_000 }, { queue: 'few', priority: 0 }]) {
        const jobs = some(parts)
        while (jobs.length > 0) await f.jobs.insert(jobs.splice(0, 1_000))
      }
      await f.store.queues.clear('few', ['pending'], 10_007)

      const counts = { pending: 10_000, scheduled: 10_000 }
      expect((await f.store.queues.list()).map((info) => [info.name, info.counts])).toEqual([
        ['few', { pending: 3 }],
        ['q', counts],
      ])
      expect(await f.store.queues.stats('q')).toMatchObject({ counts })
    }, 60_000)

    test('names the oldest of any priority, and counts every live state', async (f) => {
      const now = await f.store.time()
      const failing = await f.running({ runAt: now - 1_000 })
      await f.settle(failing, { to: 'retrying', delayMs: 1_000, error: null })
      await f.running({ runAt: now - 900 })
      const agos = [5, 700, 300, 600]
      for (const [i, ago] of agos.entries()) await f.add({ priority: 100 - i * 30, runAt: now - ago })
      const parent = await f.add({ delayMs: 1_000 })
      await f.child(parent)

      const counts = { pending: 4, processing: 1, scheduled: 1, blocked: 1, retrying: 1 }
      const info = { name: 'q', counts, oldestPendingAt: now - 700 }
      expect(await f.store.queues.list()).toMatchObject([info])
      expect(await f.store.queues.stats('q')).toMatchObject(info)
    })

    test('clears waiting jobs in the states named, no more than asked', async (f) => {
      const running = await f.running()
      for (let i = 0; i < 4; i++) await f.add()
      const scheduled = await f.add({ delayMs: 1_000 })
      const elsewhere = await f.add({ queue: 'other' })
      const done = await f.add({ queue: 'q', priority: 0 })
      await f.cancel(done)

      expect(await f.store.queues.clear('q', ['pending'], 3)).toBe(3)
      expect(await f.store.queues.clear('q', ['pending', 'processing', 'cancelled'], 100)).toBe(1)

      expect((await f.row(running.id)).state).toBe('processing')
      for (const [id, state] of [
        [scheduled, 'scheduled'],
        [elsewhere, 'pending'],
        [done, 'cancelled'],
      ] as const) {
        expect((await f.row(id)).state).toBe(state)
      }
      expect(await f.store.queues.clear('q', [], 100)).toBe(0)
    })

    test('clears in the order of ids, whatever the order of insertion', async (f) => {
      const [low, high] = [newId(), newId()]
      await f.add({ id: high })
      await f.add({ id: low })
      const child = await f.add({
        queue: 'other',
        dependsOn: [
          { parentId: low, policy: 'fail' },
          { parentId: high, policy: 'cancel' },
        ],
      })

      await f.store.queues.clear('q', ['pending'], 10)

      expect((await f.row(child)).state).toBe('failed')
    })

    test('clearing a queue ends the dependents of what it removes', async (f) => {
      const parent = await f.add()
      const child = await f.child(parent, 'cancel', { queue: 'other' })

      await f.store.queues.clear('q', ['pending'], 10)

      expect((await f.row(child)).state).toBe('cancelled')
      expect(nth(await f.store.queues.list().then((list) => [list.length]), 0)).toBe(0)
    })
  })
}
