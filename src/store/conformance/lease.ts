/** Leases: extending, starting, reporting, losing; each write fenced. */
import { describe, expect } from 'vitest'
import { bytes, type Case, LEASE_MS, textOf } from './fixture.ts'

/** The cases of leases. */
export function leaseCases(test: Case): void {
  describe.each(['extend', 'extendWaiting'] as const)('%s', (extend) => {
    test('moves the end of each lease that is held, in order', async (f) => {
      const [one, two] = [await f.running(), await f.running()]
      f.clock.advance(10_000)
      const now = await f.store.time()

      const answers = await f.jobs[extend]('w1', [one, { id: two.id, epoch: 9 }, two, { id: 'none', epoch: 1 }], 45_000)

      expect(answers).toEqual(['held', 'lost', 'held', 'lost'])
      expect((await f.row(one.id)).leaseUntil).toBe(now + 45_000)
    })

    test('holds on to a lease that has run out but was not reclaimed', async (f) => {
      const lease = await f.running()
      f.clock.advance(LEASE_MS * 3)

      expect(await f.jobs[extend]('w1', [lease], LEASE_MS)).toEqual(['held'])
      expect(await f.jobs.reclaim(10)).toEqual([])
    })

    test('says when the job was asked to stop, and still extends', async (f) => {
      const lease = await f.running()
      await f.cancel(lease.id)
      f.clock.advance(LEASE_MS - 1)

      expect(await f.jobs[extend]('w1', [lease], LEASE_MS)).toEqual(['cancelling'])
      f.clock.advance(LEASE_MS - 1)
      expect(await f.jobs.reclaim(10)).toEqual([])
    })

    test('takes an empty list', async (f) => {
      expect(await f.jobs[extend]('w1', [], 1_000)).toEqual([])
    })
  })

  describe('reclaim', () => {
    test('leaves a lease alone until it ends', async (f) => {
      await f.running()
      f.clock.advance(LEASE_MS - 1)

      expect(await f.jobs.reclaim(10)).toEqual([])
      f.clock.advance(1)
      expect(await f.jobs.reclaim(10)).toHaveLength(1)
    })

    test('counts a loss, not an attempt, and puts it on record', async (f) => {
      const lease = await f.running()
      const claimedAt = await f.store.time()
      f.clock.advance(LEASE_MS)

      const reclaimed = await f.jobs.reclaim(10)

      const now = await f.store.time()
      expect(reclaimed).toEqual([{ id: lease.id, name: 'job', queue: 'q', to: 'pending', losses: 1, crashes: 0 }])
      const row = await f.row(lease.id)
      expect(row).toMatchObject({
        state: 'pending',
        losses: 1,
        crashes: 0,
        attempts: 0,
        workerId: null,
        leaseUntil: null,
      })
      expect(row.history).toEqual([
        { attempt: 1, epoch: 1, workerId: 'w1', startedAt: claimedAt, endedAt: now, outcome: 'lost', error: null },
      ])
    })

    test('counts a crash only when the handler had started on record', async (f) => {
      const lease = await f.running()
      f.clock.advance(5)
      const startedAt = await f.store.time()
      expect(await f.jobs.start('w1', lease)).toBe('written')
      await f.lose()

      const row = await f.row(lease.id)
      expect(row).toMatchObject({ losses: 1, crashes: 1, state: 'pending' })
      expect(row.history).toMatchObject([{ outcome: 'lost', startedAt }])
      await f.hold(lease.id)
      await f.lose()
      expect(await f.row(lease.id)).toMatchObject({ losses: 2, crashes: 1 })
    })

    test('puts a job in quarantine at its third crash', async (f) => {
      const id = await f.add()
      for (let i = 0; i < 3; i++) {
        await f.jobs.start('w1', await f.hold(id))
        await f.lose()
      }

      expect(await f.row(id)).toMatchObject({
        state: 'failed',
        reason: 'quarantined',
        losses: 3,
        crashes: 3,
        attempts: 0,
      })
      expect((await f.row(id)).history.map((past) => past.outcome)).toEqual(['lost', 'lost', 'lost'])
      expect(await f.claim()).toEqual([])
    })

    test('never puts a job in quarantine for losses alone', async (f) => {
      const id = await f.add()
      for (let i = 0; i < 6; i++) {
        await f.hold(id)
        await f.lose()
      }

      expect(await f.row(id)).toMatchObject({ state: 'pending', losses: 6, crashes: 0 })
    })

    test('cancels a job that was asked to stop', async (f) => {
      const lease = await f.running()
      await f.cancel(lease.id)
      f.clock.advance(LEASE_MS)

      expect(await f.jobs.reclaim(10)).toMatchObject([{ id: lease.id, to: 'cancelled' }])
      expect(await f.row(lease.id)).toMatchObject({ state: 'cancelled', reason: 'requested', cancelling: false })
    })

    test('takes the longest lost first, no more than asked', async (f) => {
      const first = await f.running()
      f.clock.advance(10)
      const second = await f.running()
      f.clock.advance(LEASE_MS)

      expect((await f.jobs.reclaim(1)).map((job) => job.id)).toEqual([first.id])
      expect((await f.jobs.reclaim(1)).map((job) => job.id)).toEqual([second.id])
      expect(await f.jobs.reclaim(1)).toEqual([])
    })

    test('gives the job to another worker, the first one having lost it', async (f) => {
      const stale = await f.running()
      await f.lose()

      const next = await f.hold(stale.id, { workerId: 'w2' })

      expect(next.epoch).toBe(stale.epoch + 1)
      expect(await f.jobs.extend('w1', [stale], 1_000)).toEqual(['lost'])
      expect(await f.jobs.extend('w2', [stale, next], 1_000)).toEqual(['lost', 'held'])
    })
  })

  describe('report', () => {
    test('writes progress and note, each by itself', async (f) => {
      const held = lease(await f.running())

      await f.jobs.report('w1', [{ ...held, progress: 0.5 }])
      await f.jobs.report('w1', [{ ...held, note: bytes('half') }])

      expect(await f.row(held.id)).toMatchObject({ progress: 0.5, progressNote: bytes('half') })
    })

    test('writes log lines and reads them by page', async (f) => {
      const held = lease(await f.running())
      const levels = ['debug', 'info', 'warn', 'error'] as const
      const logs = levels.map((level, i) => ({ seq: i + 1, level, message: bytes(`m${i}`) }))

      expect(await f.jobs.report('w1', [{ ...held, logs }])).toEqual(['written'])

      const at = await f.store.time()
      expect(await f.jobs.logs(held.id, 0, 2)).toEqual([
        { attempt: 1, seq: 1, at, level: 'debug', message: bytes('m0') },
        { attempt: 1, seq: 2, at, level: 'info', message: bytes('m1') },
      ])
      expect((await f.jobs.logs(held.id, 2, 10)).map((line) => line.seq)).toEqual([3, 4])
    })

    test('leaves a line as it is when its number comes again later', async (f) => {
      const held = lease(await f.running())
      await f.jobs.report('w1', [{ ...held, logs: [{ seq: 1, level: 'info', message: bytes('first') }] }])
      const before = await f.jobs.logs(held.id, 0, 10)
      f.clock.advance(100)

      await f.jobs.report('w1', [{ ...held, logs: [{ seq: 1, level: 'warn', message: bytes('second') }] }])

      expect(await f.jobs.logs(held.id, 0, 10)).toEqual(before)
    })

    test('changes nothing when a report comes twice', async (f) => {
      const held = lease(await f.running())
      const logs = [{ seq: 1, level: 'info', message: bytes('m') }] as const
      await f.jobs.report('w1', [{ ...held, logs }])
      const before = await f.jobs.logs(held.id, 0, 10)

      expect(await f.jobs.report('w1', [{ ...held, logs }])).toEqual(['written'])

      expect(await f.jobs.logs(held.id, 0, 10)).toEqual(before)
    })

    test('keeps the newest 1,000 lines over all attempts', async (f) => {
      const first = await f.running()
      const lines = (from: number, count: number) =>
        Array.from({ length: count }, (_, i) => ({
          seq: from + i,
          level: 'info' as const,
          message: bytes(`${from + i}`),
        }))
      await f.jobs.report('w1', [{ ...lease(first), logs: lines(1, 700) }])
      await f.lose()
      const second = await f.hold(first.id)

      await f.jobs.report('w1', [{ ...lease(second), logs: lines(701, 600) }])

      const kept = await f.jobs.logs(first.id, 0, 5_000)
      expect(kept).toHaveLength(1_000)
      expect([kept[0]?.seq, kept.at(-1)?.seq]).toEqual([301, 1_300])
      expect(textOf(kept[0]?.message)).toBe('301')
    })

    test('keeps logs and progress of a finished job', async (f) => {
      const held = await f.running()
      const logs = [{ seq: 1, level: 'warn', message: bytes('m') }] as const
      await f.jobs.report('w1', [{ ...lease(held), progress: 1, note: bytes('n'), logs }])
      await f.complete(held)

      expect(await f.row(held.id)).toMatchObject({ progress: 1, progressNote: bytes('n') })
      expect(await f.jobs.logs(held.id, 0, 10)).toHaveLength(1)
    })

    test('takes an empty list', async (f) => {
      expect(await f.jobs.report('w1', [])).toEqual([])
    })
  })
}

function lease(job: { readonly id: string; readonly epoch: number }): { readonly id: string; readonly epoch: number } {
  return { id: job.id, epoch: job.epoch }
}
