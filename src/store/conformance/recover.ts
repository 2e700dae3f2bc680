/** Taking back what a dead worker held, without waiting for its leases to end. */
import { describe, expect } from 'vitest'
import { bytes, type Case, type Fixture, LEASE_MS, nth, RACE_ROUNDS, settlement } from './fixture.ts'

/** The cases of recovering from a dead worker. */
export function recoverCases(test: Case): void {
  describe('recover', () => {
    test('takes back what the worker holds before its leases end, as losses', async (f) => {
      const lease = await f.running()
      const claimedAt = await f.store.time()
      f.clock.advance(7)

      const recovered = await f.jobs.recover('w1', [], 10)

      const now = await f.store.time()
      expect(recovered).toEqual([{ id: lease.id, name: 'job', queue: 'q', to: 'pending', losses: 1, crashes: 0 }])
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
      expect((await f.hold(lease.id, { workerId: 'w2' })).epoch).toBe(lease.epoch + 1)
    })

    test('leaves what other workers hold, whatever their names have in common', async (f) => {
      const others = ['w2', 'W1', 'w1 ', '', 'w11']
      const held = []
      for (const workerId of others) held.push(await f.running({}, { workerId }))
      const own = await f.running()

      expect((await f.jobs.recover('w1', held, 10)).map(({ id }) => id)).toEqual([own.id])

      for (const [i, { id }] of held.entries()) {
        expect(await f.row(id)).toMatchObject({ state: 'processing', workerId: others[i], losses: 0 })
      }
      expect(await f.jobs.recover('nobody', [], 10)).toEqual([])
    })

    test('counts a crash for a job that was told to have started, and for one whose start is on record', async (f) => {
      const [told, written, neither] = [await f.running(), await f.running(), await f.running()]
      await f.jobs.start('w1', written)

      const recovered = await f.jobs.recover('w1', [fence(told)], 10)

      const crashes = new Map(recovered.map((job) => [job.id, job.crashes]))
      expect(crashes).toEqual(new Map([told, written, neither].map(({ id }, i) => [id, i < 2 ? 1 : 0])))
      for (const { id } of recovered) expect((await f.row(id)).losses).toBe(1)
    })

    test('counts no crash at all when none is to blame, not even for a start that is on record', async (f) => {
      const job = await f.running()
      await f.jobs.start('w1', job)

      expect(await f.jobs.recover('w1', null, 10)).toMatchObject([{ id: job.id, losses: 1, crashes: 0 }])
    })

    test('does not count a start that is told with another epoch than that of the lease', async (f) => {
      const stale = await f.running()
      await f.lose()
      const current = await f.hold(stale.id)

      const recovered = await f.jobs.recover('w1', [fence(stale), { id: stale.id, epoch: current.epoch + 1 }], 10)

      expect(recovered).toMatchObject([{ id: stale.id, losses: 2, crashes: 0 }])
    })

    test('puts a job in quarantine at its third crash, and its neighbours back', async (f) => {
      const poison = await f.add({ priority: 100 })
      for (let i = 0; i < 2; i++) await f.jobs.recover('w1', [fence(await f.hold(poison, { limit: 1 }))], 10)
      const third = await f.hold(poison, { limit: 1 })
      const neighbour = await f.running()

      const recovered = await f.jobs.recover('w1', [fence(third)], 10)

      expect(byId(recovered)).toMatchObject(
        byId([
          { id: poison, to: 'failed', crashes: 3 },
          { id: neighbour.id, to: 'pending', crashes: 0 },
        ]),
      )
      expect(await f.row(poison)).toMatchObject({ state: 'failed', reason: 'quarantined', losses: 3, attempts: 0 })
    })

    test('cancels a job that was asked to stop, and frees its key and its child', async (f) => {
      const lease = await f.running({ unique: 'k' })
      const child = await f.child(lease.id, 'proceed')
      await f.cancel(lease.id)

      expect(await f.jobs.recover('w1', [], 10)).toMatchObject([{ id: lease.id, to: 'cancelled' }])

      expect(await f.row(lease.id)).toMatchObject({ state: 'cancelled', reason: 'requested', cancelling: false })
      expect((await f.row(child)).state).toBe('pending')
      await f.add({ unique: 'k' })
    })

    test('takes no more than asked, and is done when it gives fewer', async (f) => {
      const ids: string[] = []
      for (let i = 0; i < 5; i++) ids.push((await f.running()).id)

      const rounds = [await f.jobs.recover('w1', [], 2), await f.jobs.recover('w1', [], 2)]
      rounds.push(await f.jobs.recover('w1', [], 2))

      expect(rounds.map((round) => round.length)).toEqual([2, 2, 1])
      expect(
        rounds
          .flat()
          .map(({ id }) => id)
          .toSorted(),
      ).toEqual(ids.toSorted())
      expect(await f.jobs.recover('w1', [], 2)).toEqual([])
      expect(await f.jobs.reclaim(10)).toEqual([])
    })

    test('leaves the worker nothing to say when it lives after all', async (f) => {
      const lease = await f.running()
      await f.jobs.recover('w1', [], 10)
      const before = await f.row(lease.id)

      expect(await f.settle(lease, { to: 'completed', result: bytes('late') })).toBe('lost')
      expect(await f.jobs.extend('w1', [lease], LEASE_MS)).toEqual(['lost'])
      expect(await f.jobs.start('w1', lease)).toBe('lost')

      expect(await f.row(lease.id)).toEqual(before)
    })

    test('finds what was claimed over other connections and in large claims', async (f) => {
      for (let i = 0; i < 300; i++) await f.add()
      const other = await f.connect()
      const claim = { workerId: 'w1', queues: 'all', names: ['job'], limit: 290, leaseMs: LEASE_MS } as const
      expect((await other.jobs.exchange({ workerId: 'w1', settle: [], claim })).claimed).toHaveLength(290)
      await f.claim()
      await f.jobs.extend('w1', await f.claim(), 1)

      expect(await f.jobs.recover('w1', [], 1_000)).toHaveLength(300)
      expect((await f.jobs.count({ states: ['processing'] }, 10)).count).toBe(0)
    })
  })

  describe('races of recover', () => {
    const race = (title: string, body: (f: Fixture) => Promise<void>) => test(title, body, 120_000)

    race('an attempt was either settled or recovered, never both', async (f) => {
      const other = await f.connect()
      for (let i = 0; i < RACE_ROUNDS; i++) {
        const lease = await f.running()
        const settle = { workerId: 'w1', settle: [settlement(lease, { to: 'completed', result: null })] }
        const [{ settled }, recovered] = await Promise.all([
          f.jobs.exchange(settle),
          other.jobs.recover('w1', [fence(lease)], 10),
        ])
        expect([settled[0], recovered.length]).toSatisfy(
          (both) => String(both) === 'settled,0' || String(both) === 'lost,1',
        )
        await f.jobs.cancel([lease.id])
      }
    })

    race('a loss is counted once, by recover or by reclaim or by another who recovers', async (f) => {
      const [second, third] = [await f.connect(), await f.connect()]
      for (let i = 0; i < RACE_ROUNDS; i++) {
        const leases = [await f.running(), await f.running()]
        f.clock.advance(LEASE_MS + 1)

        const taken = await Promise.all([
          f.jobs.recover('w1', leases, 10),
          second.jobs.recover('w1', leases, 10),
          third.jobs.reclaim(10),
        ])
        // What one of them held at that moment another may have passed over.
        const rest = await f.jobs.reclaim(10)

        expect(
          [...taken, rest]
            .flat()
            .map(({ id }) => id)
            .toSorted(),
        ).toEqual(leases.map(({ id }) => id).toSorted())
        for (const { id } of leases) expect(await f.row(id)).toMatchObject({ state: 'pending', losses: 1 })
        await f.jobs.cancel(leases.map(({ id }) => id))
      }
    })

    race('another worker that claims meanwhile keeps what it has', async (f) => {
      const other = await f.connect()
      for (let i = 0; i < RACE_ROUNDS; i++) {
        const dead = await f.running()
        const [recovered, held] = await Promise.all([
          f.jobs.recover('w1', [], 10),
          other.jobs.exchange({
            workerId: 'w2',
            settle: [],
            claim: { workerId: 'w2', queues: 'all', names: ['job'], limit: 10, leaseMs: LEASE_MS },
          }),
        ])
        const next = nth(held.claimed.length > 0 ? held.claimed : await f.claim({ workerId: 'w2' }), 0)
        expect(recovered.map(({ id }) => id)).toEqual([dead.id])
        expect(await f.jobs.recover('w1', [fence(next)], 10)).toEqual([])
        expect(await f.settle(next, { to: 'completed', result: null }, 'w2')).toBe('settled')
      }
    })
  })
}

function fence({ id, epoch }: { readonly id: string; readonly epoch: number }) {
  return { id, epoch }
}

function byId<T extends { readonly id: string }>(rows: readonly T[]): readonly T[] {
  return rows.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}
