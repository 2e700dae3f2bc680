/** Retention: what is deleted, when, how much at once. */
import { describe, expect } from 'vitest'
import { bytes, type Case, newJob } from './fixture.ts'

const NONE = { completedMs: 0, failedMs: 0, cancelledMs: 0 }
const MEMORY_MS = 120_000

/** The cases of retention. */
export function pruneCases(test: Case): void {
  describe('prune', () => {
    test('remembers ids for two minutes, also with no retention', async (f) => {
      const completed = (await f.running()).id
      await f.complete({ id: completed, epoch: 1 }, new Uint8Array(10_000))
      const failed = (await f.running()).id
      await f.fail({ id: failed, epoch: 1 })
      const cancelled = await f.add()
      await f.cancel(cancelled)
      const again = [completed, failed, cancelled].map((id) => newJob({ id }))
      f.clock.advance(MEMORY_MS - 1)
      expect(await f.jobs.prune(NONE, 10)).toBe(0)
      expect(await f.jobs.insert(again)).toEqual([
        { status: 'existing', id: completed, state: 'completed' },
        { status: 'existing', id: failed, state: 'failed' },
        { status: 'existing', id: cancelled, state: 'cancelled' },
      ])
      f.clock.advance(1)

      expect(await f.jobs.prune(NONE, 10)).toBe(3)

      for (const { id } of again) expect(await f.jobs.get(id)).toBeNull()
      expect(await f.jobs.insert(again)).toMatchObject(again.map(() => ({ status: 'created' })))
    })

    test('keeps each end for its own time', async (f) => {
      const done = await f.running()
      await f.complete(done)
      const failed = await f.running()
      await f.fail(failed)
      const cancelled = await f.add()
      await f.cancel(cancelled)
      f.clock.advance(500_000)
      const retention = { completedMs: 400_000, failedMs: 600_000, cancelledMs: 499_999 }

      expect(await f.jobs.prune(retention, 10)).toBe(2)

      expect(await f.jobs.get(done.id)).toBeNull()
      expect(await f.jobs.get(cancelled)).toBeNull()
      expect((await f.row(failed.id)).state).toBe('failed')
    })

    test('deletes the oldest first, no more than asked', async (f) => {
      const ids: string[] = []
      for (let i = 0; i < 5; i++) {
        const lease = await f.running()
        await f.complete(lease)
        ids.push(lease.id)
        f.clock.advance(10)
      }
      f.clock.advance(MEMORY_MS)

      expect(await f.jobs.prune(NONE, 2)).toBe(2)
      expect((await f.jobs.list({ filter: {}, limit: 10, oldestFirst: true })).rows.map((row) => row.id)).toEqual(
        ids.slice(2),
      )
      expect(await f.jobs.prune(NONE, 2)).toBe(2)
      expect(await f.jobs.prune(NONE, 2)).toBe(1)
      expect(await f.jobs.prune(NONE, 2)).toBe(0)
    })

    test('leaves live jobs alone, whatever their age', async (f) => {
      const waiting = await f.add()
      const running = await f.running({ queue: 'other' })
      f.clock.advance(1_000_000_000)

      expect(await f.jobs.prune(NONE, 10)).toBe(0)

      expect((await f.row(waiting)).state).toBe('pending')
      expect((await f.row(running.id)).state).toBe('processing')
    })

    test('reaches every queue', async (f) => {
      for (let i = 0; i < 5; i++) await f.cancel(await f.add({ queue: `q${i}` }))
      f.clock.advance(MEMORY_MS)

      expect(await f.jobs.prune(NONE, 100)).toBe(5)
    })

    test('takes logs and large values along', async (f) => {
      const payload = new Uint8Array(10_000)
      const lease = await f.running({ payload })
      const logs = [{ seq: 1, level: 'info', message: bytes('m') }] as const
      await f.jobs.report('w1', [{ id: lease.id, epoch: lease.epoch, logs }])
      await f.complete(lease, payload)
      f.clock.advance(MEMORY_MS)
      await f.jobs.prune(NONE, 10)

      expect(await f.jobs.logs(lease.id, 0, 10)).toEqual([])
      await f.add({ id: lease.id, payload: bytes('new') })
      expect(await f.row(lease.id)).toMatchObject({ payload: bytes('new'), result: null, history: [] })
    })

    test('of a parent that was pruned, an edge is refused as unknown', async (f) => {
      const lease = await f.running()
      await f.complete(lease)
      f.clock.advance(MEMORY_MS)
      await f.jobs.prune(NONE, 10)

      const results = await f.jobs.insert([newJob({ dependsOn: [{ parentId: lease.id, policy: 'proceed' }] })])

      expect(results).toMatchObject([{ status: 'refused', code: 'PARENT_NOT_FOUND' }])
    })
  })
}
