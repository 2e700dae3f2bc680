/** A job whose row somebody's transaction holds, as one that made it a parent does: its worker keeps the leases of all others. */
import { expect, test, vi } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { describeOn, freshStoreUrl, migratedStore, SERVER_KINDS } from '../support/servers.ts'
import { beginOn } from './begin.ts'

const LEASE_MS = 2_000
const WORK = { poll: '20ms', heartbeat: '100ms', lease: `${LEASE_MS}ms`, grace: '50ms' } as const
const WAIT = { timeout: 20_000, interval: 20 }

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    test('is passed over by a heartbeat, told from one that is lost, and extended once it is free', async () => {
      const url = await freshStoreUrl(server)
      const { jobs } = await migratedStore(url)
      const mill = await openMill({ store: url })
      const job = defineJob({ name: 'job', run: () => null })
      const [one, other] = await mill.enqueueMany(job, [undefined, undefined])
      const claim = { workerId: 'w', queues: 'all', names: ['job'], limit: 2, leaseMs: LEASE_MS } as const
      const { claimed } = await jobs.exchange({ workerId: 'w', settle: [], claim })
      const leases = claimed.toSorted((a, b) => (a.id < b.id ? -1 : 1))
      expect(leases.map(({ id }) => id)).toEqual([one?.id, other?.id].sort())
      const [held = { id: '', epoch: 0 }, free = { id: '', epoch: 0 }] = leases
      const gone = { id: held.id, epoch: held.epoch + 1 }
      const user = await beginOn(url)
      await mill.enqueue(job, undefined, { dependsOn: held, tx: user.tx })

      expect(await jobs.extend('w', [held, free, gone], 60_000)).toEqual(['locked', 'held', 'lost'])
      expect(await jobs.extend('another', [held], 60_000)).toEqual(['lost'])
      await expect(jobs.extendWaiting('w', [held], 60_000, 50)).rejects.toMatchObject({ code: 'STORE_BUSY' })
      const waiting = jobs.extendWaiting('w', [held], 60_000)
      await user.end('commit')

      expect(await waiting).toEqual(['held'])
      expect(await jobs.extend('w', [held, free, gone], 60_000)).toEqual(['held', 'held', 'lost'])
    })

    test('costs no other job its lease, however long the transaction stays open', async () => {
      const store = await freshStoreUrl(server)
      const mill = await openMill({ store })
      const lost: string[] = []
      mill.on('lease.lost', ({ jobId }) => lost.push(jobId))
      const release = Promise.withResolvers<void>()
      const child = defineJob({ name: 'child', run: () => 'ran' })
      const holds = defineJob({
        name: 'holds',
        run: async (_: undefined, job): Promise<string> => {
          const user = await beginOn(store)
          await mill.enqueue(child, undefined, { dependsOn: job, tx: user.tx })
          await new Promise((resolve) => job.signal.addEventListener('abort', resolve))
          await user.end('rollback')
          return 'aborted'
        },
      })
      const bystander = defineJob({ name: 'bystander', run: () => release.promise })
      const others = await mill.enqueueMany(bystander, Array(3).fill(undefined))
      mill.work([holds, bystander, child], WORK)
      await vi.waitFor(async () => expect(await mill.count({ state: 'processing' })).toMatchObject({ count: 3 }), WAIT)
      const holder = await mill.enqueue(holds)

      await vi.waitFor(() => expect(lost).toContain(holder.id), WAIT)
      const leases = async () => Promise.all(others.map(async ({ id }) => (await mill.get(id))?.leaseUntil?.getTime()))
      const before = await leases()
      await vi.waitFor(async () => {
        for (const [i, until] of (await leases()).entries()) expect(until).toBeGreaterThan(before[i] ?? Number.NaN)
      }, WAIT)
      release.resolve()

      await Promise.all(others.map((job) => job.result({ timeout: '20s' })))
      expect(lost).not.toEqual(expect.arrayContaining(others.map(({ id }) => id)))
      for (const { id } of others) expect(await mill.get(id)).toMatchObject({ state: 'completed', losses: 0 })
    })
  })
}
