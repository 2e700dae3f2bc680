/** Cancel, retry, update, remove, promote. */
import { describe, expect } from 'vitest'
import { newId } from '../../base/id.ts'
import { bytes, type Case } from './fixture.ts'

/** The cases of changing jobs from outside. */
export function controlCases(test: Case): void {
  describe('cancel', () => {
    test('answers in order, a repeated id by what it has become', async (f) => {
      const running = await f.running()
      const done = await f.running()
      await f.complete(done)
      const waiting = await f.add()
      const ids = [running.id, waiting, newId(), done.id, waiting]

      expect(await f.jobs.cancel(ids)).toEqual(['cancelling', 'cancelled', 'missing', 'final', 'final'])

      expect(await f.row(waiting)).toMatchObject({ state: 'cancelled', reason: 'requested', attempts: 0, history: [] })
    })

    test('names a job to its worker at every exchange until it is settled', async (f) => {
      const lease = await f.running()
      await f.running({}, { workerId: 'other' })
      await f.cancel(lease.id)
      expect(await f.cancel(lease.id)).toBe('cancelling')
      const named = async (workerId: string) => (await f.jobs.exchange({ workerId, settle: [] })).cancelling

      expect(await named('w1')).toEqual([{ id: lease.id, epoch: lease.epoch }])
      expect(await named('w1')).toEqual([{ id: lease.id, epoch: lease.epoch }])
      expect(await named('other')).toEqual([])
      await f.settle(lease, { to: 'cancelled', reason: 'requested', error: null })
      expect(await named('w1')).toEqual([])
    })

    test('is heard by its worker over another connection', async (f) => {
      const lease = await f.running()
      const other = await f.connect()
      await other.jobs.cancel([lease.id])

      const { cancelling } = await f.jobs.exchange({ workerId: 'w1', settle: [] })

      expect(cancelling).toEqual([{ id: lease.id, epoch: lease.epoch }])
    })

    test('names it too where an attempt before is settled that it is not any more', async (f) => {
      const before = await f.running()
      await f.lose()
      const lease = await f.hold(before.id)
      await f.cancel(lease.id)

      const result = await f.jobs.exchange({
        workerId: 'w1',
        settle: [{ id: before.id, epoch: before.epoch, runMs: 0, to: 'completed', result: null }],
      })

      expect(result.settled).toEqual(['lost'])
      expect(result.cancelling).toEqual([{ id: lease.id, epoch: lease.epoch }])
    })

    test('keeps the last error of a job that was waiting for its retry', async (f) => {
      const lease = await f.running()
      await f.settle(lease, { to: 'retrying', delayMs: 1_000, error: bytes('e') })
      await f.cancel(lease.id)

      expect(await f.row(lease.id)).toMatchObject({ state: 'cancelled', attempts: 1, error: bytes('e') })
    })
  })

  describe('retry by hand', () => {
    test('puts a failed job back with a fresh budget, keeping id, payload and history', async (f) => {
      const lease = await f.running({ payload: bytes('p'), tags: ['t'], priority: 9, expiresInMs: 60_000 })
      await f.jobs.report('w1', [{ id: lease.id, epoch: 1, progress: 0.5, note: bytes('n') }])
      await f.settle(lease, { to: 'failed', reason: 'exhausted', error: bytes('e') })
      f.clock.advance(100_000)
      const now = await f.store.time()

      expect(await f.jobs.retry([lease.id])).toEqual(['retried'])

      expect(await f.row(lease.id)).toMatchObject({
        state: 'pending',
        reason: null,
        runAt: now,
        finishedAt: null,
        expiresAt: null,
        attempts: 1,
        attemptOffset: 1,
        epoch: 1,
        workerId: null,
        progress: null,
        progressNote: null,
        result: null,
        error: null,
        payload: bytes('p'),
        tags: ['t'],
        priority: 9,
        history: [{ attempt: 1, outcome: 'failed', error: bytes('e') }],
      })
      expect(await f.hold(lease.id)).toMatchObject({ attempt: 2, attemptOffset: 1, epoch: 2 })
    })

    test('fences the old lease of a job that runs again', async (f) => {
      const old = await f.running()
      await f.fail(old)
      await f.jobs.retry([old.id])
      await f.hold(old.id)

      expect(await f.settle(old, { to: 'completed', result: null })).toBe('lost')
    })

    test('runs a completed job again and keeps the history of both', async (f) => {
      const large = new Uint8Array(10_000).fill(5)
      const first = await f.running({ payload: large })
      await f.complete(first, large)
      await f.jobs.retry([first.id])
      expect((await f.row(first.id)).result).toBeNull()
      await f.complete(await f.hold(first.id), bytes('second'))

      const row = await f.row(first.id)
      expect(row).toMatchObject({ attempts: 2, attemptOffset: 1, result: bytes('second') })
      expect(row.payload).toEqual(large)
      expect(row.history.map((past) => past.attempt)).toEqual([1, 2])
    })

    test('forgives losses and crashes', async (f) => {
      const id = await f.add()
      for (let i = 0; i < 3; i++) {
        await f.jobs.start('w1', await f.hold(id))
        await f.lose()
      }
      await f.jobs.retry([id])

      expect(await f.row(id)).toMatchObject({ state: 'pending', losses: 0, crashes: 0 })
    })

    test('brings scheduled and retrying jobs forward', async (f) => {
      const scheduled = await f.add({ delayMs: 60_000 })
      const lease = await f.running()
      await f.settle(lease, { to: 'retrying', delayMs: 60_000, error: bytes('e') })
      const now = await f.store.time()

      expect(await f.jobs.retry([scheduled, lease.id])).toEqual(['retried', 'retried'])

      for (const id of [scheduled, lease.id]) expect(await f.row(id)).toMatchObject({ state: 'pending', runAt: now })
      expect(await f.row(lease.id)).toMatchObject({ attempts: 1, attemptOffset: 0 })
    })

    test('leaves pending and running jobs as they are', async (f) => {
      const pending = await f.add({ queue: 'other' })
      const running = await f.running()

      expect(await f.jobs.retry([pending, running.id, newId()])).toEqual(['live', 'live', 'missing'])
    })

    test('of a cancelled job that never ran begins at its first attempt', async (f) => {
      const id = await f.add({ expiresInMs: 1_000 })
      await f.cancel(id)
      f.clock.advance(5_000)
      await f.jobs.retry([id])

      expect(await f.hold(id)).toMatchObject({ attempt: 1, attemptOffset: 0, epoch: 1 })
    })
  })

  describe('update', () => {
    test('changes priority, queue and run time of waiting jobs only', async (f) => {
      const now = await f.store.time()
      const waiting = await f.add()
      const running = await f.running({ queue: 'other' })
      const done = await f.running({ queue: 'third' })
      await f.complete(done)

      const results = await f.jobs.update([waiting, running.id, done.id, newId()], {
        priority: 50,
        queue: 'moved',
        runAt: now - 5,
      })

      expect(results).toEqual(['updated', 'processing', 'final', 'missing'])
      expect(await f.row(waiting)).toMatchObject({ priority: 50, queue: 'moved', runAt: now - 5, state: 'pending' })
      expect(await f.row(running.id)).toMatchObject({ priority: 5, queue: 'other' })
    })

    test('changes the place in the order of claims', async (f) => {
      const [first, second] = [await f.add(), await f.add()]
      await f.jobs.update([second], { priority: 6 })

      expect((await f.claim()).map((job) => job.id)).toEqual([second, first])
    })

    test('moves a job to another queue', async (f) => {
      const id = await f.add()
      await f.jobs.update([id], { queue: 'two' })

      expect(await f.claim()).toEqual([])
      expect((await f.claim({ queues: [{ queue: 'two', max: 5 }] })).map((job) => job.id)).toEqual([id])
    })

    test('a run time ahead makes pending scheduled, one in the past the reverse', async (f) => {
      const id = await f.add()
      const now = await f.store.time()
      await f.jobs.update([id], { runAt: now + 1_000 })
      expect(await f.row(id)).toMatchObject({ state: 'scheduled', runAt: now + 1_000 })

      await f.jobs.update([id], { runAt: now })

      expect(await f.row(id)).toMatchObject({ state: 'pending', runAt: now })
    })

    test('leaves blocked and retrying as they are, their run time moved', async (f) => {
      const parent = await f.add({ queue: 'parents' })
      const child = await f.child(parent)
      const lease = await f.running()
      await f.settle(lease, { to: 'retrying', delayMs: 500, error: null })
      const now = await f.store.time()

      await f.jobs.update([child, lease.id], { runAt: now + 9_000 })

      expect(await f.row(child)).toMatchObject({ state: 'blocked', runAt: now + 9_000 })
      expect(await f.row(lease.id)).toMatchObject({ state: 'retrying', runAt: now + 9_000 })
    })
  })

  describe('remove', () => {
    test('deletes jobs that are not running, with their logs', async (f) => {
      const waiting = await f.add({ queue: 'other' })
      const running = await f.running()
      const done = await f.running({ payload: new Uint8Array(9_000) })
      const logs = [{ seq: 1, level: 'info', message: bytes('m') }] as const
      await f.jobs.report('w1', [{ id: done.id, epoch: 1, logs }])
      await f.complete(done)
      const ids = [waiting, running.id, done.id, newId(), waiting]

      expect(await f.jobs.remove(ids)).toEqual(['removed', 'processing', 'removed', 'missing', 'missing'])

      expect(await f.jobs.get(waiting)).toBeNull()
      expect(await f.jobs.get(done.id)).toBeNull()
      expect(await f.jobs.logs(done.id, 0, 10)).toEqual([])
      expect((await f.row(running.id)).state).toBe('processing')
    })

    test('forgets the id: it may be inserted again', async (f) => {
      const id = await f.add()
      await f.jobs.remove([id])

      await f.add({ id, payload: bytes('new') })

      expect(await f.row(id)).toMatchObject({ payload: bytes('new'), history: [] })
    })
  })

  describe('promote', () => {
    test('moves due jobs soonest first, no more than asked', async (f) => {
      const late = await f.add({ delayMs: 300 })
      const soon = await f.add({ delayMs: 100 })
      const lease = await f.running()
      await f.settle(lease, { to: 'retrying', delayMs: 200, error: null })
      const ahead = await f.add({ delayMs: 10_000 })
      f.clock.advance(300)

      expect(await f.jobs.promote(2)).toBe(2)
      expect((await f.row(soon)).state).toBe('pending')
      expect((await f.row(lease.id)).state).toBe('pending')
      expect((await f.row(late)).state).toBe('scheduled')
      expect(await f.jobs.promote(10)).toBe(1)
      expect(await f.jobs.promote(10)).toBe(0)
      expect((await f.row(ahead)).state).toBe('scheduled')
    })

    test('keeps the run time, so that order is by when a job was due', async (f) => {
      const second = await f.add({ delayMs: 200 })
      const first = await f.add({ delayMs: 100 })
      f.clock.advance(1_000)
      const third = await f.add()
      await f.jobs.promote(10)

      expect((await f.claim()).map((job) => job.id)).toEqual([first, second, third])
    })

    test('says when there is work next', async (f) => {
      const now = await f.store.time()
      expect(await f.jobs.nextDue()).toBeNull()
      await f.add({ delayMs: 5_000 })
      expect(await f.jobs.nextDue()).toBe(now + 5_000)
      await f.add({ expiresInMs: 3_000 })
      expect(await f.jobs.nextDue()).toBe(now + 3_000)
      const lease = await f.running({ expiresInMs: 1_000, queue: 'other' })

      expect(await f.jobs.nextDue()).toBe(now + 3_000)
      await f.settle(lease, { to: 'retrying', delayMs: 2_000, error: null })
      expect(await f.jobs.nextDue()).toBe(now + 1_000)
    })
  })
}
