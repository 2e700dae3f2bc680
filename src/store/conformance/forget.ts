/** Completed jobs of which nothing is kept but the id. */
import { describe, expect } from 'vitest'
import type { Lease } from '../contract/index.ts'
import { bytes, type Case, type Fixture, newJob } from './fixture.ts'

const MEMORY_MS = 120_000
const NONE = { completedMs: 0, failedMs: 0, cancelledMs: 0 }
const COMPLETED = { runMs: 1, to: 'completed', result: null, forget: true } as const

/** The cases of forgetting. */
export function forgetCases(test: Case): void {
  describe('forget', () => {
    test('leaves nothing of a completed job', async (f) => {
      const lease = await f.running({ tags: ['t'] })

      expect(await f.settle(lease, { ...COMPLETED, result: bytes('42') })).toBe('settled')

      expect(await f.jobs.get(lease.id)).toBeNull()
      expect(await f.jobs.finished([lease.id])).toEqual([])
      expect((await f.jobs.list({ filter: {}, limit: 10 })).rows).toEqual([])
      expect(await f.jobs.retry([lease.id])).toEqual(['missing'])
      expect(await f.settle(lease, COMPLETED)).toBe('lost')
    })

    test('remembers the id for two minutes', async (f) => {
      const lease = await f.running()
      await f.settle(lease, COMPLETED)
      const again = [newJob({ id: lease.id }), newJob(), newJob({ id: lease.id, unique: { scope: 's', key: 'k' } })]
      const known = { status: 'existing', id: lease.id, state: 'completed' }
      f.clock.advance(MEMORY_MS - 1)

      expect(await f.jobs.prune(NONE, 10)).toBe(0)
      expect(await f.jobs.insert(again)).toMatchObject([known, { status: 'created' }, known])
      expect(await f.jobs.insert([newJob({ id: lease.id })])).toMatchObject([known])

      f.clock.advance(1)
      expect(await f.jobs.prune(NONE, 10)).toBe(1)
      expect(await f.jobs.insert([newJob({ id: lease.id })])).toMatchObject([{ status: 'created' }])
    })

    test('lets go of twenty times as many ids as of jobs at once', async (f) => {
      for (let i = 0; i < 25; i++) await f.settle(await f.running(), COMPLETED)
      f.clock.advance(MEMORY_MS)

      expect(await f.jobs.prune(NONE, 1)).toBe(20)
      expect(await f.jobs.prune(NONE, 1)).toBe(5)
      expect(await f.jobs.prune(NONE, 1)).toBe(0)
    })

    test('remembers each of many ids that were settled at once, of whatever age', async (f) => {
      const old = ['00000000-0000-4000-8000-000000000000', 'ffffffff-ffff-4fff-bfff-ffffffffffff']
      const near = [1, 3, 5].map((n) => `aaaaaaaa-a000-7000-8000-00000000000${n}`)
      const others = [0, 2, 4, 6].map((n) => `aaaaaaaa-a000-7000-8000-00000000000${n}`)
      await f.jobs.insert([...old, ...near].map((id) => newJob({ id })))
      await f.jobs.insert(Array.from({ length: 22 }, () => newJob()))
      const settle = (await f.claim()).map(({ id, epoch }) => ({ id, epoch, ...COMPLETED }))
      const { settled } = await f.jobs.exchange({ workerId: 'w1', settle })
      const again = settle.map(({ id }) => newJob({ id }))
      const bound = settle.map(({ id }) => newJob({ id, unique: { scope: 's', key: id } }))

      expect(settled).toEqual(Array(27).fill('settled'))
      for (const jobs of [again, bound]) {
        expect((await f.jobs.insert(jobs)).map((result) => result.status)).toEqual(Array(27).fill('existing'))
      }
      const [first, ...more] = others.map((id, i) =>
        newJob({ id, ...(i % 2 === 1 && { unique: { scope: 's', key: id } }) }),
      )
      if (first === undefined) throw new Error('there are four')
      expect(await f.jobs.insert([first])).toMatchObject([{ status: 'created' }])
      expect((await f.jobs.insert(more)).map((result) => result.status)).toEqual(Array(3).fill('created'))

      f.clock.advance(MEMORY_MS)
      expect(await f.jobs.prune(NONE, 2)).toBeGreaterThan(0)
      expect(await f.jobs.prune(NONE, 2)).toBe(0)
      expect((await f.jobs.insert(again)).map((result) => result.status)).toEqual(Array(27).fill('created'))
    })

    test('lets a child of a forgotten parent go on', async (f) => {
      const lease = await f.running()
      await f.settle(lease, COMPLETED)

      const results = await f.jobs.insert([newJob({ dependsOn: [{ parentId: lease.id, policy: 'cancel' }] })])

      expect(results).toMatchObject([{ status: 'created', state: 'pending' }])
    })

    test('of a stale attempt changes nothing', async (f) => {
      const lease = await f.running()

      expect(await f.settle({ ...lease, epoch: 2 }, COMPLETED)).toBe('lost')
      expect(await f.settle(lease, COMPLETED, 'another')).toBe('lost')

      expect((await f.row(lease.id)).state).toBe('processing')
      expect(await f.jobs.insert([newJob({ id: lease.id })])).toMatchObject([{ state: 'processing' }])
    })

    test('archives a job of which there is more than its row', async (f) => {
      const parent = await f.running()
      const childId = await f.child(parent.id)
      const unique = await f.running({ unique: { scope: 's', key: 'k' } })
      const large = await f.running({ payload: new Uint8Array(5_000).fill(1) })
      const logged = await f.running()
      const logs = [{ seq: 1, level: 'info', message: bytes('m') }] as const
      await f.jobs.report('w1', [{ ...logged, logs }])
      const largeResult = await f.running()
      const second = await secondClaim(f)

      for (const lease of [parent, unique, large, logged, second]) {
        expect(await f.settle(lease, { ...COMPLETED, result: bytes('r') })).toBe('settled')
      }
      await f.settle(largeResult, { ...COMPLETED, result: new Uint8Array(5_000).fill(2) })

      for (const { id } of [parent, unique, large, logged, second]) {
        expect(await f.row(id)).toMatchObject({ state: 'completed', result: bytes('r') })
      }
      expect((await f.row(largeResult.id)).result).toEqual(new Uint8Array(5_000).fill(2))
      expect((await f.row(large.id)).payload).toEqual(new Uint8Array(5_000).fill(1))
      expect(await f.jobs.logs(logged.id, 0, 10)).toHaveLength(1)
      expect((await f.row(childId)).state).toBe('pending')
    })

    test('settles beside jobs that are kept', async (f) => {
      const leases: Lease[] = []
      for (let i = 0; i < 5; i++) leases.push(await f.running())
      const [gone, kept, failed, logged, goneToo] = leases
      if (!(gone && kept && failed && logged && goneToo)) throw new Error('five are running')
      await f.jobs.report('w1', [{ ...logged, logs: [{ seq: 1, level: 'info', message: bytes('m') }] }])
      const settle = [
        { ...gone, ...COMPLETED },
        { ...kept, ...COMPLETED, forget: false },
        { ...logged, ...COMPLETED },
        { ...goneToo, ...COMPLETED },
      ]
      const failure = { ...failed, runMs: 1, to: 'failed', reason: 'exhausted', error: null } as const

      const { settled } = await f.jobs.exchange({ workerId: 'w1', settle })
      const last = await f.jobs.exchange({ workerId: 'w1', settle: [failure] })

      expect([...settled, ...last.settled]).toEqual(Array(5).fill('settled'))
      // Beside one that has to be archived these may be, too.
      for (const { id } of [gone, goneToo]) expect((await f.jobs.get(id))?.state ?? 'completed').toBe('completed')
      expect((await f.row(kept.id)).state).toBe('completed')
      expect((await f.row(logged.id)).state).toBe('completed')
      expect((await f.row(failed.id)).state).toBe('failed')
    })
  })
}

async function secondClaim(f: Fixture): Promise<Lease> {
  const first = await f.running()
  await f.settle(first, { runMs: 0, to: 'pending' })
  return f.hold(first.id)
}
