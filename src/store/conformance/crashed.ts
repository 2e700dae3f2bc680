/** Attempts that are settled as crashed: what ran them died under them, and their worker lives. */
import { describe, expect } from 'vitest'
import { bytes, type Case, textOf } from './fixture.ts'

const LARGE = 'x'.repeat(5_000)

/** The cases of crashed attempts. */
export function crashedCases(test: Case): void {
  describe('crashed settlements', () => {
    test('a crash is counted, the attempt is not, and the job waits as it is told', async (f) => {
      const lease = await f.running()
      const now = await f.store.time()

      const outcome = { to: 'retrying', delayMs: 1_000.5, error: bytes('SIGSEGV'), crashed: true, runMs: 0.5 } as const
      expect(await f.settle(lease, outcome)).toBe('settled')

      const row = await f.row(lease.id)
      expect(row).toMatchObject({
        ...{ state: 'retrying', reason: null, attempts: 0, losses: 0, crashes: 1, runAt: now + 1_000 },
        ...{ workerId: null, leaseUntil: null, error: bytes('SIGSEGV') },
      })
      expect(row.history).toEqual([
        {
          ...{ attempt: 1, epoch: 1, workerId: 'w1', startedAt: now - 1, endedAt: now },
          ...{ outcome: 'retrying', error: bytes('SIGSEGV') },
        },
      ])
    })

    test('the next attempt has the same number, and is told of the crash', async (f) => {
      const lease = await f.running()
      await f.settle(lease, { to: 'retrying', delayMs: 0, error: null, crashed: true })
      await f.jobs.promote(10)

      expect(await f.hold(lease.id)).toMatchObject({ attempt: 1, epoch: 2, crashes: 1, losses: 0 })
    })

    for (const size of ['small', 'large', 'no']) {
      test(`a job may fail by a crash, with ${size} error, its attempts as they were`, async (f) => {
        const error = size === 'no' ? null : bytes(size === 'large' ? LARGE : 'SIGKILL')
        const lease = await f.running({ unique: 'k' })
        await f.settle(lease, { to: 'retrying', delayMs: 0, error: bytes('thrown') })
        await f.jobs.promote(10)
        const second = await f.hold(lease.id)

        expect(await f.settle(second, { to: 'failed', reason: 'quarantined', error, crashed: true })).toBe('settled')

        const row = await f.row(lease.id)
        expect(row).toMatchObject({ state: 'failed', reason: 'quarantined', attempts: 1, crashes: 1, losses: 0 })
        expect(row.error).toEqual(error ?? bytes('thrown'))
        expect(row.history).toMatchObject([
          { attempt: 1, epoch: 1, outcome: 'retrying', error: bytes('thrown') },
          { attempt: 2, epoch: 2, outcome: 'failed', workerId: 'w1', error },
        ])
        expect((await f.jobs.finished([lease.id]))[0]).toEqual(row)
        await f.add({ unique: 'k' })
      })
    }

    test('a cancel that was asked for ends the job, the crash counted', async (f) => {
      const lease = await f.running()
      const child = await f.child(lease.id, 'fail')
      await f.cancel(lease.id)

      const outcome = { to: 'retrying', delayMs: 0, error: bytes('SIGABRT'), crashed: true } as const
      expect(await f.settle(lease, outcome)).toBe('cancelled')

      const row = await f.row(lease.id)
      expect(row).toMatchObject({ state: 'cancelled', reason: 'requested', attempts: 0, crashes: 1 })
      expect(row.history).toMatchObject([{ attempt: 1, outcome: 'cancelled', error: bytes('SIGABRT') }])
      expect(await f.row(child)).toMatchObject({ state: 'failed', reason: 'parent' })
    })

    test('crashes that are settled and crashes of lost leases are counted together', async (f) => {
      const id = await f.add()
      await f.settle(await f.hold(id), { to: 'retrying', delayMs: 0, error: null, crashed: true })
      await f.jobs.promote(10)
      await f.jobs.start('w1', await f.hold(id))
      await f.lose()
      await f.jobs.start('w1', await f.hold(id))
      await f.lose()

      expect(await f.row(id)).toMatchObject({ state: 'failed', reason: 'quarantined', crashes: 3, losses: 2 })
    })

    test('a retry by hand forgives them and keeps their history', async (f) => {
      const lease = await f.running()
      await f.settle(lease, { to: 'failed', reason: 'quarantined', error: bytes('SIGKILL'), crashed: true })
      const { history } = await f.row(lease.id)

      expect(await f.jobs.retry([lease.id])).toEqual(['retried'])

      expect(await f.row(lease.id)).toMatchObject({ state: 'pending', crashes: 0, attempts: 0, error: null, history })
      await f.complete(await f.hold(lease.id))
      expect((await f.row(lease.id)).history).toMatchObject([
        { attempt: 1, epoch: 1, outcome: 'failed' },
        { attempt: 1, epoch: 2, outcome: 'completed' },
      ])
    })

    test('the errors of a crash and of the attempt of the same number are sealed anew each by itself', async (f) => {
      const lease = await f.running()
      await f.settle(lease, { to: 'retrying', delayMs: 0, error: bytes('crash'), crashed: true })
      await f.jobs.promote(10)
      await f.settle(await f.hold(lease.id), { to: 'retrying', delayMs: 0, error: bytes('throw') })

      await f.jobs.reseal(null, 10, ({ fields }) =>
        fields.map((field) => ({ ...field, bytes: bytes(`new ${textOf(field.bytes)}`) })),
      )

      const row = await f.row(lease.id)
      expect(row.history.map(({ attempt, error }) => [attempt, textOf(error)])).toEqual([
        [1, 'new crash'],
        [1, 'new throw'],
      ])
      expect(textOf(row.error)).toBe('new throw')
    })

    test('settles beside plain ends in one exchange, in order', async (f) => {
      const leases = [await f.running(), await f.running(), await f.running()]
      const ends = [
        { to: 'completed', result: null },
        { to: 'retrying', delayMs: 5, error: null, crashed: true },
        { to: 'retrying', delayMs: 5, error: null },
      ] as const
      const settle = leases.map(({ id, epoch }, i) => ({ id, epoch, runMs: 0, ...(ends[i] ?? ends[0]) }))

      expect((await f.jobs.exchange({ workerId: 'w1', settle })).settled).toEqual(['settled', 'settled', 'settled'])

      const rows = await Promise.all(leases.map(({ id }) => f.row(id)))
      expect(rows.map(({ state, attempts, crashes }) => [state, attempts, crashes])).toEqual([
        ['completed', 1, 0],
        ['retrying', 0, 1],
        ['retrying', 1, 0],
      ])
    })
  })
}
