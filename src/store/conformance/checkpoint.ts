/** What a running attempt leaves for the next one. */
import { describe, expect } from 'vitest'
import { bytes, type Case, type Fixture, LEASE_MS, newJob, RACE_ROUNDS, textOf } from './fixture.ts'

const LARGE = 3 * 1024 * 1024
const KEPT = { completedMs: 600_000, failedMs: 600_000, cancelledMs: 600_000 }

/** The cases of checkpoints. */
export function checkpointCases(test: Case): void {
  const read = async (f: Fixture, id: string) => textOf(await f.jobs.checkpoint(id))

  describe('checkpoint', () => {
    test('reads what was saved last, and null where nothing was', async (f) => {
      const [lease, other] = [await f.running(), await f.running()]
      expect(await f.jobs.checkpoint(lease.id)).toBeNull()

      for (const text of ['one', 'two', '', 'x'.repeat(5_000), 'five']) {
        expect(await f.jobs.saveCheckpoint('w1', lease, bytes(text))).toBe('written')
        expect(await read(f, lease.id)).toBe(text)
      }

      expect(await f.jobs.checkpoint(other.id)).toBeNull()
      expect(await f.jobs.checkpoint('nobody')).toBeNull()
    })

    test('changes nothing else of its job', async (f) => {
      for (const payload of [bytes('small'), new Uint8Array(0), new Uint8Array(5_000).fill(7)]) {
        const lease = await f.running({ payload, unique: { key: `${payload.length}` } })
        const before = await f.row(lease.id)

        await f.jobs.saveCheckpoint('w1', lease, bytes('half way'))
        await f.jobs.saveCheckpoint('w1', lease, bytes('further'))

        expect(await f.row(lease.id)).toEqual(before)
        expect((await f.jobs.list({ filter: { ids: [lease.id] }, limit: 1 })).rows).toEqual([before])
      }
    })

    test('is there for the next attempt, however this one ends', async (f) => {
      const ends: readonly ((lease: { readonly id: string; readonly epoch: number }) => Promise<unknown>)[] = [
        (lease) => f.settle(lease, { to: 'retrying', delayMs: 0, error: bytes('e') }),
        (lease) => f.settle(lease, { to: 'retrying', delayMs: 0, error: null, crashed: true }),
        (lease) => f.settle(lease, { to: 'scheduled', delayMs: 0 }),
        (lease) => f.settle(lease, { to: 'pending' }),
        () => f.lose(),
        () => f.jobs.recover('w1', [], 10),
        (lease) => f.fail(lease).then(() => f.jobs.retry([lease.id])),
        (lease) => f.complete(lease, bytes('r')).then(() => f.jobs.retry([lease.id])),
      ]
      for (const [i, end] of ends.entries()) {
        const lease = await f.running({ payload: bytes(`payload ${i}`) })
        await f.jobs.saveCheckpoint('w1', lease, bytes(`${i}`))
        await end(lease)
        await f.jobs.promote(10)

        const next = await f.hold(lease.id)

        expect([i, textOf(next.payload), await read(f, lease.id)]).toEqual([i, `payload ${i}`, `${i}`])
        await f.jobs.saveCheckpoint('w1', next, bytes('more'))
        expect(await read(f, lease.id)).toBe('more')
        await f.complete(next)
      }
    })

    test('is refused from a stale lease, another worker and about a job that does not run', async (f) => {
      const stale = await f.running()
      await f.jobs.saveCheckpoint('w1', stale, bytes('right'))
      await f.lose()
      const refused = async (worker: string, lease: { readonly id: string; readonly epoch: number }) => {
        expect(await f.jobs.saveCheckpoint(worker, lease, bytes('wrong'))).toBe('lost')
        expect(await read(f, lease.id)).toBe(lease.id === 'nobody' ? null : 'right')
      }

      await refused('w1', stale)
      const current = await f.hold(stale.id, { workerId: 'w2' })
      await refused('w1', stale)
      await refused('w2', stale)
      for (const worker of ['w1', 'W2', 'w2 ', '']) await refused(worker, current)
      await refused('w2', { id: stale.id, epoch: current.epoch + 1 })
      expect(await f.settle(current, { to: 'completed', result: null }, 'w2')).toBe('settled')
      await refused('w2', current)
      await refused('w2', { id: 'nobody', epoch: 1 })
    })

    test('stands as long as its job, and goes with it', async (f) => {
      const [done, removed, waiting] = [await f.running(), await f.running(), await f.running()]
      for (const lease of [done, removed, waiting]) await f.jobs.saveCheckpoint('w1', lease, bytes('c'))
      await f.complete(done)
      await f.fail(removed)
      await f.settle(waiting, { to: 'retrying', delayMs: LEASE_MS, error: null })
      expect(await f.jobs.prune(KEPT, 10)).toBe(0)
      expect(await read(f, done.id)).toBe('c')

      await f.jobs.remove([removed.id, waiting.id])
      f.clock.advance(KEPT.completedMs)
      expect(await f.jobs.prune(KEPT, 10)).toBe(1)

      for (const { id } of [done, removed, waiting]) expect(await f.jobs.checkpoint(id)).toBeNull()
      // The same id again begins without.
      f.clock.advance(600_000)
      await f.jobs.prune(KEPT, 10)
      await f.jobs.insert([newJob({ id: done.id })])
      await f.hold(done.id)
      expect(await f.jobs.checkpoint(done.id)).toBeNull()
    })

    test('keeps a job of which nothing was to be kept, until it is pruned', async (f) => {
      const other = await f.connect()
      for (const jobs of [f.jobs, other.jobs]) {
        const [lease, plain] = [await f.running(), await f.running()]
        await jobs.saveCheckpoint('w1', lease, bytes('c'))
        const settle = [lease, plain].map(({ id, epoch }) => {
          return { id, epoch, runMs: 0, to: 'completed', result: null, forget: true } as const
        })
        expect((await f.jobs.exchange({ workerId: 'w1', settle })).settled).toEqual(['settled', 'settled'])

        expect((await f.row(lease.id)).state).toBe('completed')
        expect(await read(f, lease.id)).toBe('c')
        f.clock.advance(300_000)
        await f.jobs.prune({ completedMs: 0, failedMs: 0, cancelledMs: 0 }, 10)
        expect(await f.jobs.checkpoint(lease.id)).toBeNull()
      }
    })

    test('may be as large as a payload may be', async (f) => {
      const lease = await f.running()
      const large = new Uint8Array(LARGE).fill(7)

      await f.jobs.saveCheckpoint('w1', lease, large)
      await f.jobs.saveCheckpoint('w1', lease, large.fill(8))

      expect(Buffer.compare((await f.jobs.checkpoint(lease.id)) ?? bytes(''), large)).toBe(0)
    })

    test('is sealed anew with the rest of its job, small or large, live or ended', async (f) => {
      const [live, ended] = [await f.running(), await f.running()]
      for (const lease of [live, ended]) await f.jobs.saveCheckpoint('w1', lease, bytes('c'))
      await f.settle(live, { to: 'pending' })
      await f.complete(ended)
      const fields: string[] = []
      const stamp = (size: number) =>
        f.jobs.reseal(null, 10, (row) => {
          fields.push(...row.fields.map(({ field }) => field))
          return row.fields.map((each) => ({ ...each, bytes: bytes(`new ${textOf(each.bytes)}`.padEnd(size, '.')) }))
        })

      await stamp(5_000)
      for (const { id } of [live, ended]) expect((await read(f, id))?.replace(/\.+$/, '')).toBe('new c')
      await f.jobs.reseal(null, 10, ({ fields: all }) => all.map((each) => ({ ...each, bytes: bytes('small') })))

      for (const { id } of [live, ended])
        expect([await read(f, id), textOf((await f.row(id)).payload)]).toEqual(['small', 'small'])
      expect(fields.toSorted()).toEqual(['checkpoint', 'checkpoint', 'payload', 'payload'])
      expect(await f.hold(live.id)).toMatchObject({ payload: bytes('small') })
    })
  })

  describe('races of checkpoints', () => {
    test('a checkpoint is written under a lease that holds, or not at all', async (f) => {
      const other = await f.connect()
      for (let i = 0; i < RACE_ROUNDS; i++) {
        const lease = await f.running()
        f.clock.advance(LEASE_MS + 1)
        const [saved, taken] = await Promise.all([
          f.jobs.saveCheckpoint('w1', lease, bytes('late')),
          i % 2 === 0 ? other.jobs.reclaim(10) : other.jobs.recover('w1', [], 10),
        ])
        // A row that was locked at that moment may have been passed over.
        if (taken.length === 0) await f.jobs.reclaim(10)

        const next = await f.hold(lease.id, { workerId: 'w2' })
        expect(await read(f, lease.id)).toBe(saved === 'written' ? 'late' : null)
        expect(textOf(next.payload)).toBe('payload')
        expect(await f.settle(next, { to: 'completed', result: null }, 'w2')).toBe('settled')
      }
    }, 120_000)
  })
}
