/** Settling: what each outcome leaves behind, and that a stale one leaves nothing. */
import { describe, expect } from 'vitest'
import { bytes, type Case, newJob, type Outcome, settlement, textOf } from './fixture.ts'

/** Every way to settle. */
const OUTCOMES: readonly Outcome[] = [
  { to: 'completed', result: bytes('r') },
  { to: 'retrying', delayMs: 1_000, error: bytes('e') },
  { to: 'failed', reason: 'exhausted', error: bytes('e') },
  { to: 'cancelled', reason: 'requested', error: null },
  { to: 'scheduled', delayMs: 1_000 },
  { to: 'pending' },
  { to: 'blocked', reason: 'key', on: 'k1' },
]

/** The cases of settling. */
export function settleCases(test: Case): void {
  describe('settle', () => {
    test('keeps the result of a completed job', async (f) => {
      const lease = await f.running({ tags: ['t'] })
      f.clock.advance(100)
      const now = await f.store.time()

      expect(await f.settle(lease, { to: 'completed', result: bytes('42'), runMs: 30.5 })).toBe('settled')

      const row = await f.row(lease.id)
      expect(row).toMatchObject({ state: 'completed', reason: null, finishedAt: now, attempts: 1, workerId: 'w1' })
      expect(row).toMatchObject({ leaseUntil: null, claimedAt: null, cancelling: false, error: null, tags: ['t'] })
      expect(row.result).toEqual(bytes('42'))
      expect(row.history).toEqual([
        { attempt: 1, epoch: 1, workerId: 'w1', startedAt: now - 31, endedAt: now, outcome: 'completed', error: null },
      ])
    })

    test('keeps a large result', async (f) => {
      const lease = await f.running({ payload: new Uint8Array(5_000).fill(1) })

      await f.complete(lease, new Uint8Array(300_000).fill(7))

      const row = await f.row(lease.id)
      expect(row.result).toEqual(new Uint8Array(300_000).fill(7))
      expect(row.payload).toEqual(new Uint8Array(5_000).fill(1))
    })

    test('keeps a large error, also over the next attempt', async (f) => {
      const lease = await f.running()
      const error = new Uint8Array(50_000).fill(3)
      await f.settle(lease, { to: 'retrying', delayMs: 10, error })
      expect((await f.row(lease.id)).error).toEqual(error)
      f.clock.advance(10)
      await f.jobs.promote(10)

      await f.settle(await f.hold(lease.id), { to: 'failed', reason: 'exhausted', error })

      const row = await f.row(lease.id)
      expect(row.error).toEqual(error)
      expect(row.history.map((past) => past.error)).toEqual([error, error])
    })

    test('shows the last error, however large, and not a small one before it', async (f) => {
      const first = await f.running()
      await f.settle(first, { to: 'retrying', delayMs: 0, error: bytes('small') })
      await f.jobs.promote(10)
      const last = 'x'.repeat(5_000)
      await f.settle(await f.hold(first.id), { to: 'failed', reason: 'exhausted', error: bytes(last) })

      const { error, history } = await f.row(first.id)
      expect(textOf(error)).toBe(last)
      expect(history.map((attempt) => textOf(attempt.error))).toEqual(['small', last])
    })

    test('tells no result from an empty one', async (f) => {
      const [one, two] = [await f.running(), await f.running()]
      await f.complete(one, null)
      await f.complete(two, new Uint8Array(0))

      expect((await f.row(one.id)).result).toBeNull()
      expect((await f.row(two.id)).result).toEqual(new Uint8Array(0))
    })

    test('lets a failed attempt wait, its error in sight', async (f) => {
      const lease = await f.running()
      const now = await f.store.time()

      await f.settle(lease, { to: 'retrying', delayMs: 2_000, error: bytes('boom') })

      const row = await f.row(lease.id)
      expect(row).toMatchObject({
        state: 'retrying',
        attempts: 1,
        runAt: now + 2_000,
        workerId: null,
        leaseUntil: null,
      })
      expect(row.error).toEqual(bytes('boom'))
      expect(row.history).toMatchObject([{ attempt: 1, outcome: 'retrying', error: bytes('boom') }])
    })

    test('counts attempts and forgets the error once the job completes', async (f) => {
      const first = await f.running({ unique: 'with a key, on the slow road' })
      await f.settle(first, { to: 'retrying', delayMs: 0, error: bytes('boom') })
      await f.jobs.promote(10)
      const second = await f.hold(first.id)
      expect(second).toMatchObject({ attempt: 2, epoch: 2 })

      await f.complete(second)

      const row = await f.row(first.id)
      expect(row).toMatchObject({ attempts: 2, error: null })
      expect(row.history.map((past) => [past.attempt, past.outcome])).toEqual([
        [1, 'retrying'],
        [2, 'completed'],
      ])
    })

    test('keeps the reason and the error of a failed job', async (f) => {
      for (const reason of ['exhausted', 'discarded', 'payload', 'unreadable'] as const) {
        const lease = await f.running()
        await f.settle(lease, { to: 'failed', reason, error: bytes(reason) })

        expect(await f.row(lease.id)).toMatchObject({ state: 'failed', reason, attempts: 1, error: bytes(reason) })
      }
    })

    test('lends an attempt that ended without an error none of those before it', async (f) => {
      const first = await f.running()
      await f.settle(first, { to: 'retrying', delayMs: 0, error: bytes('first') })
      await f.jobs.promote(10)
      await f.settle(await f.hold(first.id), { to: 'failed', reason: 'discarded', error: null })

      const { error, history, attempts } = await f.row(first.id)
      expect(error).toEqual(bytes('first'))
      expect(history.map((attempt) => [attempt.attempt, attempt.outcome, attempt.error])).toEqual([
        [1, 'retrying', bytes('first')],
        [2, 'failed', null],
      ])
      expect(attempts).toBe(2)
    })

    test('does not count a snoozed attempt, and remembers it', async (f) => {
      const lease = await f.running()
      const now = await f.store.time()

      await f.settle(lease, { to: 'scheduled', delayMs: 5_000 })

      const row = await f.row(lease.id)
      expect(row).toMatchObject({
        state: 'scheduled',
        attempts: 0,
        runAt: now + 5_000,
        workerId: null,
        leaseUntil: null,
      })
      expect(row.history).toMatchObject([{ attempt: 1, epoch: 1, outcome: 'scheduled', error: null }])
    })

    test('gives a released job back its place', async (f) => {
      const lease = await f.running()
      const { runAt } = await f.row(lease.id)
      f.clock.advance(500)

      await f.settle(lease, { to: 'pending' })

      const row = await f.row(lease.id)
      expect(row).toMatchObject({ state: 'pending', attempts: 0, runAt, losses: 0, workerId: null, leaseUntil: null })
      expect(await f.hold(lease.id)).toMatchObject({ attempt: 1, epoch: 2 })
    })

    test('blocks a job for a key and frees it when the key appears', async (f) => {
      const [one, two] = [await f.running(), await f.running()]
      await f.settle(one, { to: 'blocked', reason: 'key', on: 'k1' })
      await f.settle(two, { to: 'blocked', reason: 'key', on: 'k2' })
      expect(await f.row(one.id)).toMatchObject({ state: 'blocked', reason: 'key', attempts: 0, workerId: null })

      expect(await f.jobs.unblock(['k9'], 10)).toBe(0)
      expect(await f.jobs.unblock(['k1', 'k3'], 10)).toBe(1)

      expect(await f.row(one.id)).toMatchObject({ state: 'pending', reason: null })
      expect((await f.row(two.id)).state).toBe('blocked')
    })

    test('frees no more jobs for a key than asked', async (f) => {
      for (let i = 0; i < 3; i++) await f.settle(await f.running(), { to: 'blocked', reason: 'key', on: 'k1' })

      expect(await f.jobs.unblock(['k1'], 2)).toBe(2)
      expect(await f.jobs.unblock(['k1'], 2)).toBe(1)
    })

    test('accepts fractional delays and run times', async (f) => {
      const one = await f.running()
      const two = await f.running()
      const result = await f.jobs.exchange({
        workerId: 'w1',
        settle: [
          settlement(one, { to: 'retrying', delayMs: 10.7, error: null, runMs: 1.25 }),
          settlement(two, { to: 'scheduled', delayMs: 0.3, runMs: 0.1 }),
        ],
      })

      expect(result.settled).toEqual(['settled', 'settled'])
      expect(Number.isInteger((await f.row(one.id)).runAt)).toBe(true)
    })

    test('answers a batch in order, the lost among the settled', async (f) => {
      const [one, two] = [await f.running(), await f.running()]
      const gone = { id: two.id, epoch: 99 }

      const { settled } = await f.jobs.exchange({
        workerId: 'w1',
        settle: [gone, one, one, two].map((lease) => settlement(lease, { to: 'completed', result: null })),
      })

      expect(settled).toEqual(['lost', 'settled', 'lost', 'settled'])
    })

    test('settles a thousand in one exchange', async (f) => {
      await f.jobs.insert(Array.from({ length: 1_000 }, () => newJob()))
      const claimed = await f.claim({ limit: 1_000, queues: [{ queue: 'q', max: 1_000 }] })

      const { settled } = await f.jobs.exchange({
        workerId: 'w1',
        settle: claimed.map((lease) => settlement(lease, { to: 'completed', result: bytes('x') })),
      })

      expect(new Set(settled)).toEqual(new Set(['settled']))
      expect(await f.jobs.count({ states: ['completed'] }, 2_000)).toEqual({ count: 1_000, capped: false })
    })

    test('remembers the last 25 attempts', async (f) => {
      const id = await f.add()
      for (let i = 1; i <= 30; i++) {
        await f.settle(await f.hold(id), { to: 'retrying', delayMs: 0, error: bytes(`e${i}`) })
        await f.jobs.promote(10)
      }
      await f.complete(await f.hold(id))

      const row = await f.row(id)
      expect(row.attempts).toBe(31)
      expect(row.history.map((past) => past.attempt)).toEqual(Array.from({ length: 25 }, (_, i) => i + 7))
      expect(row.history.at(-1)?.outcome).toBe('completed')
    })

    for (const outcome of OUTCOMES) {
      test(`writes nothing when ${outcome.to} comes from a stale lease`, async (f) => {
        const stale = await f.running()
        await f.lose()
        const current = await f.hold(stale.id)
        const before = await f.row(stale.id)

        for (const epoch of [stale.epoch, current.epoch + 1, 0, -1]) {
          expect(await f.settle({ id: stale.id, epoch }, outcome)).toBe('lost')
        }

        expect(await f.row(stale.id)).toEqual(before)
        await f.complete(current)
      })
    }

    test('is fenced by the lease alone: a lease that ran out but was not reclaimed still settles', async (f) => {
      const lease = await f.running()
      f.clock.advance(1_000_000)

      await f.complete(lease)
    })
  })

  describe('settle: a cancel that was asked for', () => {
    for (const outcome of OUTCOMES) {
      const ends = outcome.to === 'completed' || outcome.to === 'failed'
      test(`turns ${outcome.to} into ${ends ? outcome.to : 'cancelled'}`, async (f) => {
        const lease = await f.running()
        expect(await f.cancel(lease.id)).toBe('cancelling')

        const turned = !ends && outcome.to !== 'cancelled'
        expect(await f.settle(lease, outcome)).toBe(turned ? 'cancelled' : 'settled')

        const row = await f.row(lease.id)
        expect(row).toMatchObject({ state: ends ? outcome.to : 'cancelled', cancelling: false, workerId: row.workerId })
        if (!ends) expect(row).toMatchObject({ reason: 'requested' })
        expect(row.history.at(-1)?.outcome).toBe(ends ? outcome.to : 'cancelled')
      })
    }
  })
}
