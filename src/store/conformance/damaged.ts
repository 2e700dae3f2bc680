/** Rows that no Millrace wrote are named by `diagnose`; those of a healthy store never are. */
import { describe, expect } from 'vitest'
import type { CopiedJob, DiagnosisLimits, Store } from '../contract/index.ts'
import { bytes, type Case, type Fixture, LEASE_MS, newJob } from './fixture.ts'

const YEAR_MS = 31_557_600_000
/** The year 9999, and 1 BC. */
const [FAR, BEFORE] = [253_402_300_799_999, -62_198_755_200_000]

/** The cases of damaged rows. */
export function damagedCases(test: Case): void {
  describe('damaged rows', () => {
    test('no job of a healthy store is named, whatever its state and its past', async (f) => {
      await waiting(f)
      await blocked(f)
      await running(f)

      expect(await named(f.store)).toEqual([])
      f.clock.advance(LEASE_MS + 1)
      expect(await named(f.store)).toEqual([])
      await f.jobs.reclaim(100)
      await f.jobs.promote(100)
      expect(await named(f.store)).toEqual([])
      f.clock.advance(YEAR_MS)
      await f.jobs.expire(100)
      await f.claim()
      expect(await named(f.store)).toEqual([])
    })

    test('a damaged job is named, with what is wrong and what ends it', async (f) => {
      if (!f.store.capabilities.persistent) return
      const good = await f.add()
      const bad = await copied(f, await f.add(), { epoch: -1 })

      const found = await named(f.store)

      expect(found).toEqual([`job ${bad}: epoch is -1`])
      const first = (await f.store.diagnose()).find(({ code }) => code === 'ROW_DAMAGED')
      expect(first?.severity).toBe('problem')
      expect(first?.fix).toContain(`millrace job cancel ${bad}`)
      expect(await f.cancel(bad)).toBe('cancelled')
      expect(await named(f.store)).toEqual([])
      expect(await f.row(good)).toMatchObject({ state: 'pending' })
    })

    test('one whose lease never ends is named, and can be cancelled', async (f) => {
      if (!f.store.capabilities.persistent) return
      const { id } = await f.running()
      const child = await f.child(id, 'proceed')
      const bad = await copied(f, id, { leaseUntil: null, dependents: 0 })

      expect(await named(f.store)).toEqual([`job ${bad}: runs under no lease, so nobody takes it back`])

      expect(await f.jobs.cancel([id, bad])).toEqual(['cancelling', 'cancelled'])
      expect(await f.row(bad)).toMatchObject({ state: 'cancelled', reason: 'requested' })
      expect(await f.row(child)).toMatchObject({ state: 'blocked' })
      expect(await named(f.store)).toEqual([])
    })

    test('jobs that wait for nobody, and jobs that wait for each other, are named until they are cancelled', async (f) => {
      if (!f.store.capabilities.persistent) return
      const parent = await f.add()
      const child = await f.child(parent)
      const ids: string[] = []
      for (const dependents of [1, 1, 1, 0]) ids.push(await copied(f, child, { dependents }))
      const [a = '', b = '', c = '', orphan = ''] = ids.sort()
      const edge = (parentId: string, childId: string) => ({ parentId, childId, policy: 'cancel' as const })
      await f.store.copy.write('edges', [edge(a, b), edge(b, c), edge(c, a), edge('nobody', orphan)])

      expect(await named(f.store)).toEqual([
        `job ${orphan}: waits for a parent that is not there: nobody`,
        expect.stringMatching(new RegExp(`in a ring.*: ${a} → ${c} → ${b} → ${a}$`)),
      ])

      await f.jobs.cancel([a, orphan])
      expect(await named(f.store)).toEqual([])
      expect(await f.row(child)).toMatchObject({ state: 'blocked', waitingOn: 1 })
      expect(await f.row(c)).toMatchObject({ state: 'cancelled', reason: 'parent' })
    })

    test('ten are named, the oldest, and the others counted; no more are looked at than it is told to', async (f) => {
      if (!f.store.capabilities.persistent) return
      const ids: string[] = []
      for (let i = 0; i < 12; i++) ids.push(await copied(f, await f.add(), { attempts: 7 }))
      ids.sort()

      const found = await named(f.store)

      expect(found).toHaveLength(11)
      for (const [i, id] of ids.slice(0, 10).entries()) expect(found[i]).toContain(id)
      expect(found[10]).toBe('2 more jobs are damaged')
      // Every other one is what it was copied from.
      expect(await named(f.store, { rows: 4 })).toHaveLength(2)
      expect(await named(f.store, { rows: 0 })).toEqual([])
    })
  })
}

async function named(store: Store, limits: Partial<DiagnosisLimits> = {}): Promise<readonly string[]> {
  const found = await store.diagnose(limits)
  return found.filter(({ code }) => code === 'ROW_DAMAGED').map(({ message }) => message)
}

/** Writes a job once more as it is but for these parts, under an id of its own, which it returns. */
async function copied(f: Fixture, id: string, parts: Partial<CopiedJob>): Promise<string> {
  const { items } = await f.store.copy.read('live', null, 1_000)
  const job = items.find((one) => one.id === id)
  if (job === undefined) throw new Error(`job ${id} does not live`)
  const other = newJob().id
  await f.store.copy.write('live', [{ ...job, ...parts, id: other }])
  return other
}

async function waiting(f: Fixture): Promise<void> {
  await f.add({ tags: ['a', 'b "c"'], retry: 'anything', timeoutMs: 0, unique: 'k', priority: 99 })
  await f.add({ delayMs: 90 * YEAR_MS, expiresInMs: 1_000 })
  await f.add({ runAt: FAR, version: -7 })
  await f.add({ runAt: BEFORE, payload: new Uint8Array(5_000), priority: 0 })
  await f.add({ queue: 'q2', name: 'ä'.repeat(100), payload: new Uint8Array(0) })
  // Tried, crashed, put back by hand, moved.
  const retrying = await f.running()
  await f.settle(retrying, { to: 'retrying', delayMs: 60_000, error: bytes('no') })
  await f.jobs.update([retrying.id], { runAt: FAR })
  const crashed = await f.running()
  await f.settle(crashed, { to: 'retrying', delayMs: 0, error: null, crashed: true })
  const snoozed = await f.running()
  await f.settle(snoozed, { to: 'scheduled', delayMs: 1_000 })
  const failed = await f.running()
  await f.fail(failed)
  await f.jobs.retry([failed.id])
  await f.jobs.update([failed.id], { priority: 100 })
  for (let i = 0; i < 3; i++) {
    await f.jobs.start('w1', await f.hold(failed.id, { limit: 1 }))
    await f.lose()
  }
  expect(await f.row(failed.id)).toMatchObject({ reason: 'quarantined' })
  await f.jobs.retry([failed.id])
}

async function blocked(f: Fixture): Promise<void> {
  const key = await f.running()
  await f.settle(key, { to: 'blocked', reason: 'key', on: 'k1' })
  await f.jobs.update([key.id], { runAt: FAR })
  const [top, other, done] = [await f.add(), await f.running(), await f.running()]
  await f.complete(done)
  const left = await f.child(top, 'fail')
  const right = await f.child([top, other.id, done.id], 'proceed', { delayMs: 1_000, unique: 'r' })
  const bottom = await f.child([left, right])
  await f.jobs.insert([newJob({ dependsOn: [{ parentId: bottom, policy: 'cancel' }] })])
  const doomed = await f.child([top, bottom])
  await f.cancel(doomed)
  await f.complete(other)
  expect(await f.row(right)).toMatchObject({ state: 'blocked', waitingOn: 1 })
}

async function running(f: Fixture): Promise<void> {
  await f.running({ queue: 'long' }, { leaseMs: 90 * YEAR_MS })
  const lease = await f.running()
  await f.jobs.start('w1', lease)
  await f.jobs.extend('w1', [lease], LEASE_MS)
  const stopping = await f.running()
  await f.cancel(stopping.id)
  await f.child(stopping.id)
  const released = await f.running()
  await f.settle(released, { to: 'pending' })
}
