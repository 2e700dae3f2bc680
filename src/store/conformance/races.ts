/** Two connections at once. Whoever comes first, the outcome is one of those that some order would give. */
import { describe, expect } from 'vitest'
import { newId } from '../../base/id.ts'
import { type Case, type Fixture, LEASE_MS, newJob, nth, RACE_ROUNDS, settlement } from './fixture.ts'

/** The cases of several connections at once. */
export function raceCases(test: Case): void {
  const race = (title: string, body: (f: Fixture) => Promise<void>) => test(title, body, 120_000)

  describe('races', () => {
    race('no two connections claim the same job', async (f) => {
      const stores = [f.store, await f.connect(), await f.connect(), await f.connect()]
      const count = RACE_ROUNDS * 4
      await f.jobs.insert(Array.from({ length: count }, () => newJob()))
      const taken: string[] = []
      await Promise.all(
        stores.map(async (store, i) => {
          const workerId = `w${i}`
          for (;;) {
            const claim = { workerId, queues: [{ queue: 'q', max: 3 }], names: ['job'], limit: 3, leaseMs: LEASE_MS }
            const { claimed } = await store.jobs.exchange({ workerId, settle: [], claim })
            if (claimed.length === 0) return
            taken.push(...claimed.map((job) => job.id))
            // Another connection has its turn.
            await Promise.resolve()
          }
        }),
      )

      expect(taken.length).toBe(count)
      expect(new Set(taken).size).toBe(count)
    })

    race('an id inserted over two connections is one job', async (f) => {
      const other = await f.connect()
      for (let i = 0; i < RACE_ROUNDS; i++) {
        const job = newJob()
        const results = await Promise.all([f.jobs.insert([job]), other.jobs.insert([job])])
        expect(
          results
            .flat()
            .map(({ status }) => status)
            .sort(),
        ).toEqual(['created', 'existing'])
      }
    })

    race('a unique key taken over two connections is held by one job', async (f) => {
      const other = await f.connect()
      for (let i = 0; i < RACE_ROUNDS; i++) {
        const key = `k${i}`
        const jobs = [newJob({ unique: key }), newJob({ unique: key })] as const
        const results = (await Promise.all([f.jobs.insert([jobs[0]]), other.jobs.insert([jobs[1]])])).flat()
        expect(results.map(({ status }) => status).sort()).toEqual(['created', 'existing'])
        expect(new Set(results.map(({ id }) => id)).size).toBe(1)
      }
    })

    race('a settled attempt was either settled or reclaimed, never both', async (f) => {
      const other = await f.connect()
      for (let i = 0; i < RACE_ROUNDS; i++) {
        const lease = await f.running()
        f.clock.advance(LEASE_MS + 1)
        const [settled, reclaimed] = await Promise.all([
          f.settle(lease, { to: 'completed', result: null }),
          other.jobs.reclaim(10),
        ])
        expect([settled, reclaimed.length]).toSatisfy(
          (both) => String(both) === 'settled,0' || String(both) === 'lost,1',
        )
        await f.jobs.cancel([lease.id])
      }
    })

    race('a stale worker changes nothing while another runs the job', async (f) => {
      for (let i = 0; i < RACE_ROUNDS; i++) {
        const stale = await f.running()
        await f.lose()
        const current = await f.hold(stale.id, { workerId: 'w2' })
        const before = await f.row(stale.id)
        expect(await f.settle(stale, { to: 'completed', result: null })).toBe('lost')
        expect(await f.settle(stale, { to: 'failed', reason: 'exhausted', error: null })).toBe('lost')
        expect(await f.jobs.extend('w1', [stale], LEASE_MS)).toEqual(['lost'])
        expect(await f.jobs.report('w1', [{ ...stale, progress: 0.5 }])).toEqual(['lost'])
        expect(await f.row(stale.id)).toEqual(before)
        await f.settle(current, { to: 'completed', result: null }, 'w2')
      }
    })
  })

  describe('races: a child that is inserted while its parent ends is never left blocked', () => {
    for (const [name, end] of Object.entries(ENDS)) {
      race(`by ${name}`, async (f) => {
        const other = await f.connect()
        for (let i = 0; i < RACE_ROUNDS; i++) {
          const parentId = await end.prepare(f)
          const child = newJob({
            id: newId(),
            queue: 'children',
            dependsOn: [{ parentId, policy: i % 2 === 0 ? 'cancel' : 'proceed' }],
          })
          const insert = () => f.jobs.insert([child])
          const finish = () => end.finish(other.jobs, f, parentId)
          const [inserted] =
            i % 4 < 2 ? await Promise.all([insert(), finish()]) : (await Promise.all([finish(), insert()])).reverse()
          const result = nth(inserted as Awaited<ReturnType<typeof insert>>, 0)
          // A parent that was pruned before is an unknown one: the child is refused, which is an answer.
          if (result.status === 'refused') continue
          await finish()
          const parent = await f.jobs.get(parentId)
          if (parent === null || parent.finishedAt !== null) expect((await f.row(child.id)).state).not.toBe('blocked')
        }
      })
    }
  })
}

interface End {
  readonly prepare: (f: Fixture) => Promise<string>
  readonly finish: (jobs: Fixture['jobs'], f: Fixture, parentId: string) => Promise<unknown>
}

const ENDS: Readonly<Record<string, End>> = {
  settle: {
    prepare: async (f) => (await f.running()).id,
    finish: (jobs, _, id) =>
      jobs.exchange({ workerId: 'w1', settle: [settlement({ id, epoch: 1 }, { to: 'completed', result: null })] }),
  },
  cancel: { prepare: (f) => f.add(), finish: (jobs, _, id) => jobs.cancel([id]) },
  expire: {
    async prepare(f) {
      const id = await f.add({ expiresInMs: 10 })
      f.clock.advance(11)
      return id
    },
    finish: (jobs) => jobs.expire(100),
  },
  reclaim: {
    async prepare(f) {
      const lease = await f.running()
      await f.cancel(lease.id)
      f.clock.advance(LEASE_MS + 1)
      return lease.id
    },
    finish: (jobs) => jobs.reclaim(100),
  },
  prune: {
    async prepare(f) {
      const lease = await f.running()
      await f.complete(lease)
      f.clock.advance(600_000)
      return lease.id
    },
    finish: (jobs) => jobs.prune({ completedMs: 0, failedMs: 0, cancelledMs: 0 }, 100),
  },
}
