/** What is written inside a caller's own transaction: there with its commit, and never otherwise. */
import { describe, expect } from 'vitest'
import type { Completion, Lease } from '../contract/index.ts'
import { bytes, type Case, type Fixture, newJob, textOf } from './fixture.ts'

/** The cases of inserting and settling within a caller's transaction. */
export function withinCases(test: Case): void {
  describe('within a transaction', () => {
    test('new jobs are there after the commit, and never after a rollback', async (f) => {
      if (await isRefused(f)) return
      const [kept, lost] = [newJob({ unique: 'kept' }), newJob({ unique: 'lost' })]

      await f.within(async (tx) => {
        await f.jobs.insertWithin(tx, [kept], true)
        expect(await f.jobs.get(kept.id)).toBeNull()
      })
      await f.within((tx) => f.jobs.insertWithin(tx, [lost]), 'rollback')

      expect((await f.row(kept.id)).state).toBe('pending')
      expect(await f.jobs.get(lost.id)).toBeNull()
      expect(await f.jobs.insert([newJob({ unique: 'lost' })])).toMatchObject([{ status: 'created' }])
    })

    test('an attempt completes with the commit, with all that follows from it', async (f) => {
      if (await isRefused(f)) return
      const lease = await f.running({ unique: 'key' })
      const child = await f.child(lease.id)
      const news = { id: lease.id, epoch: lease.epoch, progress: 1, logs: [line(lease, 'last words')] }

      await f.within(async (tx) => {
        expect(await f.jobs.settleWithin(tx, 'w1', completion(lease, 'done'), news)).toBe('settled')
        expect((await f.row(lease.id)).state).toBe('processing')
      })

      const row = await f.row(lease.id)
      expect(row).toMatchObject({ state: 'completed', attempts: 1, epoch: lease.epoch, progress: 1 })
      expect(textOf(row.result)).toBe('done')
      expect((await f.jobs.logs(lease.id, 0, 9)).map((one) => textOf(one.message))).toEqual(['last words'])
      expect((await f.row(child)).state).toBe('pending')
      expect(await f.jobs.insert([newJob({ unique: 'key' })])).toMatchObject([{ status: 'created' }])
      expect(await f.settle(lease, { to: 'completed', result: null })).toBe('lost')
    })

    test('a large result is kept whole', async (f) => {
      if (await isRefused(f)) return
      const lease = await f.running()
      const large = 'x'.repeat(40_000)

      await f.within((tx) => f.jobs.settleWithin(tx, 'w1', completion(lease, large)))

      expect(textOf((await f.row(lease.id)).result)).toBe(large)
    })

    test('a rollback leaves the attempt held, to be settled like any other', async (f) => {
      if (await isRefused(f)) return
      const lease = await f.running({ unique: 'key' })
      const child = await f.child(lease.id)

      await f.within((tx) => f.jobs.settleWithin(tx, 'w1', completion(lease, 'never')), 'rollback')
      const after = await f.row(lease.id)
      const outcome = await f.settle(lease, { to: 'retrying', delayMs: 0, error: bytes('no') })

      expect(after).toMatchObject({ state: 'processing', epoch: lease.epoch })
      expect(outcome).toBe('settled')
      expect((await f.row(child)).state).toBe('blocked')
    })

    test("another's attempt, an earlier one and one that has completed are lost, and nothing is written", async (f) => {
      if (await isRefused(f)) return
      const first = await f.running()
      await f.lose()
      const lease = await f.hold(first.id)

      await f.within(async (tx) => {
        expect(await f.jobs.settleWithin(tx, 'w1', completion(first, 'stale'))).toBe('lost')
        expect(await f.jobs.settleWithin(tx, 'w2', completion(lease, 'stranger'))).toBe('lost')
        expect(await f.jobs.settleWithin(tx, 'w1', completion(lease, 'mine'))).toBe('settled')
        expect(await f.jobs.settleWithin(tx, 'w1', completion(lease, 'twice'))).toBe('lost')
      })

      expect(textOf((await f.row(lease.id)).result)).toBe('mine')
    })
  })
}

/** A store that cannot take part says so, by its capability and by its error. */
async function isRefused(f: Fixture): Promise<boolean> {
  if (f.store.capabilities.transactions) return false
  const lease = await f.running()
  const refused = { code: 'CONFIG_INVALID' }
  await expect((async () => f.jobs.insertWithin({}, [newJob()]))()).rejects.toMatchObject(refused)
  await expect((async () => f.jobs.settleWithin({}, 'w1', completion(lease, '')))()).rejects.toMatchObject(refused)
  return true
}

function completion({ id, epoch }: Lease, result: string): Completion {
  return { id, epoch, runMs: 5, to: 'completed', result: bytes(result) }
}

function line(lease: Lease, message: string) {
  return { seq: lease.epoch, level: 'info', message: bytes(message) } as const
}
