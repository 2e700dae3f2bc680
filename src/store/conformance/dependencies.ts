/** Dependencies: waiting, release, the policy of each edge, cascades, parents that ended before. */
import { describe, expect } from 'vitest'
import { newId } from '../../base/id.ts'
import { type Case, type Fixture, newJob } from './fixture.ts'

/** The ways a parent ends without completing, each as a call. */
const ENDINGS: Readonly<Record<string, (f: Fixture, id: string) => Promise<unknown>>> = {
  failed: async (f, id) => f.fail(await f.hold(id)),
  cancelled: (f, id) => f.cancel(id),
  'cancelled while running': async (f, id) => {
    const lease = await f.hold(id)
    await f.cancel(id)
    await f.settle(lease, { to: 'pending' })
  },
  expired: async (f) => {
    f.clock.advance(600_001)
    await f.jobs.expire(100)
  },
  quarantined: async (f, id) => {
    for (let i = 0; i < 3; i++) {
      await f.jobs.start('w1', await f.hold(id))
      await f.lose()
    }
  },
  removed: (f, id) => f.jobs.remove([id]),
  cleared: (f) => f.store.queues.clear('parents', ['pending'], 100),
}

/** The cases of parents and children. */
export function dependencyCases(test: Case): void {
  describe('dependencies', () => {
    test('blocks a child while its parent lives and releases it in the same operation', async (f) => {
      const parent = await f.add()
      const child = await f.child(parent)
      expect(await f.row(child)).toMatchObject({ state: 'blocked', reason: 'parents', waitingOn: 1 })
      expect((await f.row(parent)).dependents).toBe(1)
      expect(await f.jobs.edges(parent)).toEqual([{ parentId: parent, childId: child, policy: 'cancel' }])
      expect(await f.jobs.edges(child)).toEqual(await f.jobs.edges(parent))

      await f.complete(await f.hold(parent))

      expect(await f.row(child)).toMatchObject({ state: 'pending', reason: null, waitingOn: 0 })
      expect((await f.row(parent)).dependents).toBe(0)
      expect(await f.jobs.edges(child)).toEqual([])
    })

    test('waits for every parent', async (f) => {
      const parents = [await f.add(), await f.add(), await f.add()]
      const child = await f.child(parents)
      for (const [i, parent] of parents.entries()) {
        expect(await f.row(child)).toMatchObject({ state: 'blocked', waitingOn: 3 - i })
        await f.complete(await f.hold(parent, { limit: 1, queues: [{ queue: 'q', max: 1 }] }))
      }

      expect((await f.row(child)).state).toBe('pending')
    })

    test('releases into scheduled when the run time is still ahead', async (f) => {
      const parent = await f.add()
      const child = await f.child(parent, 'cancel', { delayMs: 60_000 })
      expect((await f.row(child)).state).toBe('blocked')

      await f.complete(await f.hold(parent))

      expect(await f.row(child)).toMatchObject({ state: 'scheduled', reason: null })
    })

    test('is not promoted, claimed or unblocked by another road', async (f) => {
      const parent = await f.add({ queue: 'parents' })
      const child = await f.child(parent, 'cancel', { delayMs: 1_000 })
      f.clock.advance(5_000)

      expect(await f.jobs.promote(10)).toBe(0)
      expect(await f.jobs.unblock(['parents', 'key'], 10)).toBe(0)
      expect(await f.jobs.retry([child])).toEqual(['live'])
      expect(await f.claim()).toEqual([])
      expect((await f.row(child)).state).toBe('blocked')
    })

    test('goes on waiting while its parent is retried, snoozed or lost', async (f) => {
      const lease = await f.running({ queue: 'parents' })
      const child = await f.child(lease.id)
      await f.settle(lease, { to: 'retrying', delayMs: 0, error: null })
      await f.jobs.promote(10)
      await f.settle(await f.hold(lease.id), { to: 'scheduled', delayMs: 0 })
      await f.hold(lease.id)
      await f.lose()

      expect(await f.row(child)).toMatchObject({ state: 'blocked', waitingOn: 1 })
      expect((await f.row(lease.id)).dependents).toBe(1)
    })

    for (const [how, end] of Object.entries(ENDINGS)) {
      test(`a parent that is ${how} decides by each edge's policy`, async (f) => {
        const parent = await f.add({ queue: 'parents', expiresInMs: 600_000 })
        const cancelled = await f.child(parent, 'cancel')
        const failed = await f.child(parent, 'fail')
        const goesOn = await f.child(parent, 'proceed')

        await end(f, parent)

        expect(await f.row(cancelled)).toMatchObject({
          state: 'cancelled',
          reason: 'parent',
          waitingOn: 0,
          attempts: 0,
        })
        expect(await f.row(failed)).toMatchObject({ state: 'failed', reason: 'parent', waitingOn: 0 })
        expect(await f.row(goesOn)).toMatchObject({ state: 'pending', reason: null, waitingOn: 0 })
      })
    }

    test('carries an end on to grandchildren in the same operation', async (f) => {
      const top = await f.add()
      const child = await f.child(top, 'fail')
      const grandchild = await f.child(child, 'cancel')
      const last = await f.child(grandchild, 'proceed')

      await f.cancel(top)

      expect(await f.row(child)).toMatchObject({ state: 'failed', reason: 'parent' })
      expect(await f.row(grandchild)).toMatchObject({ state: 'cancelled', reason: 'parent' })
      expect((await f.row(last)).state).toBe('pending')
    })

    test('carries an end down a chain of 2,000', async (f) => {
      const jobs = [newJob()]
      for (let i = 1; i < 2_000; i++) {
        jobs.push(newJob({ dependsOn: [{ parentId: jobs[i - 1]?.id ?? '', policy: 'cancel' }] }))
      }
      await f.jobs.insert(jobs)

      await f.cancel(jobs[0]?.id ?? '')

      expect(await f.jobs.count({ states: ['cancelled'] }, 5_000)).toEqual({ count: 2_000, capped: false })
    })

    test('releases a thousand children of one parent', async (f) => {
      const lease = await f.running()
      await f.jobs.insert(
        Array.from({ length: 1_000 }, () => newJob({ dependsOn: [{ parentId: lease.id, policy: 'cancel' }] })),
      )
      expect((await f.row(lease.id)).dependents).toBe(1_000)

      await f.complete(lease)

      expect(await f.jobs.count({ states: ['pending'] }, 5_000)).toEqual({ count: 1_000, capped: false })
    })

    test('ends once when several parents end it', async (f) => {
      const top = await f.add()
      const left = await f.child(top, 'cancel')
      const right = await f.child(top, 'cancel')
      const bottom = await f.child([left, right], 'cancel')

      await f.cancel(top)

      expect(await f.row(bottom)).toMatchObject({ state: 'cancelled', reason: 'parent' })
      expect(await f.jobs.edges(bottom)).toEqual([])
    })

    test('lets its other parents go when it ends', async (f) => {
      const [one, two] = [await f.add(), await f.add()]
      const child = await f.child([one, two])
      await f.cancel(one)

      expect((await f.row(child)).state).toBe('cancelled')
      expect((await f.row(two)).dependents).toBe(0)
      expect(await f.jobs.edges(two)).toEqual([])
    })

    test('takes an edge that is named twice once, the last policy deciding', async (f) => {
      const parent = await f.add()
      const child = await f.add({
        dependsOn: [
          { parentId: parent, policy: 'cancel' },
          { parentId: parent, policy: 'fail' },
        ],
      })
      expect(await f.row(child)).toMatchObject({ waitingOn: 1 })

      await f.cancel(parent)

      expect((await f.row(child)).state).toBe('failed')
    })
  })

  describe('dependencies: a parent that has ended', () => {
    test('completed: the child is born free', async (f) => {
      const lease = await f.running()
      await f.complete(lease)

      const child = await f.child(lease.id)

      expect(await f.row(child)).toMatchObject({ state: 'pending', waitingOn: 0 })
      expect(await f.jobs.edges(child)).toEqual([])
    })

    for (const [policy, state] of [
      ['cancel', 'cancelled'],
      ['fail', 'failed'],
      ['proceed', 'pending'],
    ] as const) {
      test(`cancelled: the edge's policy ${policy} has the child born ${state}`, async (f) => {
        const parent = await f.add()
        await f.cancel(parent)
        const child = newJob({ dependsOn: [{ parentId: parent, policy }] })

        expect(await f.jobs.insert([child])).toEqual([{ status: 'created', id: child.id, state }])

        expect(await f.row(child.id)).toMatchObject({ state, reason: state === 'pending' ? null : 'parent' })
      })
    }

    test('decides also when other parents live', async (f) => {
      const [ended, live] = [await f.add(), await f.add()]
      await f.cancel(ended)

      const child = await f.child([live, ended])

      expect((await f.row(child)).state).toBe('cancelled')
      expect((await f.row(live)).dependents).toBe(0)
    })

    test('holds no key when it is born ended', async (f) => {
      const parent = await f.add()
      await f.cancel(parent)
      await f.child(parent, 'cancel', { unique: 'a' })

      await f.add({ unique: { key: 'a', onConflict: 'reject' } })
    })

    test('a retried parent does not take back a child that was ended or released', async (f) => {
      const parent = await f.add()
      const child = await f.child(parent, 'proceed')
      await f.cancel(parent)
      await f.jobs.retry([parent])

      expect((await f.row(child)).state).toBe('pending')
      expect((await f.row(parent)).dependents).toBe(0)
    })
  })

  describe('dependencies: what is refused', () => {
    test('an unknown parent refuses the row alone', async (f) => {
      const lost = newJob({ dependsOn: [{ parentId: newId(), policy: 'cancel' }] })
      const good = newJob()

      const results = await f.jobs.insert([lost, good])

      expect(results).toMatchObject([
        { status: 'refused', id: lost.id, code: 'PARENT_NOT_FOUND' },
        { status: 'created', id: good.id },
      ])
      expect(await f.jobs.get(lost.id)).toBeNull()
    })

    test('an unknown parent among known ones leaves no trace on them', async (f) => {
      const parent = await f.add()
      const dependsOn = [parent, newId()].map((parentId) => ({ parentId, policy: 'cancel' as const }))

      await f.jobs.insert([newJob({ dependsOn, unique: 'a' })])

      expect((await f.row(parent)).dependents).toBe(0)
      await f.add({ unique: { key: 'a', onConflict: 'reject' } })
    })

    test('a job cannot wait for itself', async (f) => {
      const id = newId()

      const results = await f.jobs.insert([newJob({ id, dependsOn: [{ parentId: id, policy: 'proceed' }] })])

      expect(results).toMatchObject([{ status: 'refused', code: 'PARENT_NOT_FOUND' }])
    })

    test('a parent may stand earlier in the batch, not later', async (f) => {
      const [early, late] = [newJob(), newJob()]
      const dependsOn = (parentId: string) => [{ parentId, policy: 'cancel' as const }]
      const [good, bad] = [newJob({ dependsOn: dependsOn(early.id) }), newJob({ dependsOn: dependsOn(late.id) })]

      const results = await f.jobs.insert([early, good, bad, late])

      expect(results.map((result) => result.status)).toEqual(['created', 'created', 'refused', 'created'])
      expect((await f.row(good.id)).state).toBe('blocked')
    })
  })
}
