/** Unique keys: who holds one, for how long, and what becomes of those who come second. */
import { describe, expect } from 'vitest'
import { type Case, newJob } from './fixture.ts'

/** The cases of unique keys. */
export function uniqueCases(test: Case): void {
  describe('unique keys', () => {
    test('answers with the holder when the key is taken', async (f) => {
      const holder = await f.add({ unique: 'a' })

      const results = await f.jobs.insert([newJob({ unique: 'a' })])

      expect(results).toEqual([{ status: 'existing', id: holder, state: 'pending' }])
      expect(await f.jobs.count({}, 10)).toEqual({ count: 1, capped: false })
    })

    test('refuses the second when asked to', async (f) => {
      const holder = await f.add({ unique: 'a' })

      const results = await f.jobs.insert([newJob({ unique: { key: 'a', onConflict: 'reject' } })])

      expect(results).toEqual([{ status: 'rejected', id: holder, state: 'pending' }])
    })

    test('holds within one batch', async (f) => {
      const [first, second] = [newJob({ unique: 'a' }), newJob({ unique: 'a' })]

      const results = await f.jobs.insert([first, second])

      expect(results.map((result) => [result.status, result.id])).toEqual([
        ['created', first.id],
        ['existing', first.id],
      ])
    })

    test('tells keys and scopes apart by every character', async (f) => {
      const keys = ['a', 'A', ' a', 'a ', 'á', 'a\u0301', '', 'ab', '["a"]', 'a"b']
      for (const key of keys) await f.add({ unique: { scope: 's', key } })
      for (const scope of ['S', 's ', 'sa', '', 's"']) await f.add({ unique: { scope, key: 'a' } })
      await f.add({ unique: { scope: 'a', key: 'bc' } })
      await f.add({ unique: { scope: 'ab', key: 'c' } })

      const again = await f.jobs.insert(keys.map((key) => newJob({ unique: { scope: 's', key } })))

      expect(new Set(again.map((result) => result.status))).toEqual(new Set(['existing']))
    })

    for (const state of ['scheduled', 'pending', 'processing', 'retrying', 'blocked'] as const) {
      test(`is held while the job is ${state}`, async (f) => {
        const parent = await f.add({ queue: 'other' })
        const holder = await f.add({
          unique: 'a',
          ...(state === 'scheduled' ? { delayMs: 60_000 } : {}),
          ...(state === 'blocked' ? { dependsOn: [{ parentId: parent, policy: 'cancel' }] } : {}),
        })
        if (state === 'processing' || state === 'retrying') {
          const lease = await f.hold(holder)
          if (state === 'retrying') await f.settle(lease, { to: 'retrying', delayMs: 60_000, error: null })
        }

        const results = await f.jobs.insert([newJob({ unique: { key: 'a', onConflict: 'reject' } })])

        expect(results).toEqual([{ status: 'rejected', id: holder, state }])
      })
    }

    for (const end of ['completed', 'failed', 'cancelled', 'expired', 'removed'] as const) {
      test(`is let go when the job is ${end}`, async (f) => {
        const holder = await f.add({ unique: 'a', expiresInMs: 60_000 })
        if (end === 'completed') await f.complete(await f.hold(holder))
        if (end === 'failed') await f.fail(await f.hold(holder))
        if (end === 'cancelled') await f.cancel(holder)
        if (end === 'removed') await f.jobs.remove([holder])
        if (end === 'expired') {
          f.clock.advance(60_001)
          await f.jobs.expire(10)
        }

        await f.add({ unique: { key: 'a', onConflict: 'reject' } })
      })
    }

    test('is held until its window ends, also after the job has ended', async (f) => {
      const holder = await f.add({ unique: { key: 'a', withinMs: 60_000 } })
      await f.complete(await f.hold(holder))
      f.clock.advance(59_999)
      const within = await f.jobs.insert([newJob({ unique: 'a' })])
      f.clock.advance(1)

      const after = await f.jobs.insert([newJob({ unique: 'a' })])

      expect(within).toEqual([{ status: 'existing', id: holder, state: 'completed' }])
      expect(after).toMatchObject([{ status: 'created' }])
    })

    test('is held while the job lives, also after its window has ended', async (f) => {
      const holder = await f.add({ unique: { key: 'a', withinMs: 1_000 } })
      f.clock.advance(5_000)
      await f.jobs.prune({ completedMs: 0, failedMs: 0, cancelledMs: 0 }, 100)

      const results = await f.jobs.insert([newJob({ unique: 'a' })])

      expect(results).toEqual([{ status: 'existing', id: holder, state: 'pending' }])
    })

    test('is let go by a removed job, also within its window', async (f) => {
      const holder = await f.add({ unique: { key: 'a', withinMs: 60_000 } })
      await f.complete(await f.hold(holder))
      await f.jobs.remove([holder])

      await f.add({ unique: { key: 'a', onConflict: 'reject' } })
    })

    test('outlives the retention of its job until the window ends', async (f) => {
      const holder = await f.add({ unique: { key: 'a', withinMs: 3_600_000 } })
      await f.complete(await f.hold(holder))
      f.clock.advance(600_000)
      await f.jobs.prune({ completedMs: 0, failedMs: 0, cancelledMs: 0 }, 100)

      const results = await f.jobs.insert([newJob({ unique: 'a' })])

      expect(results).toEqual([{ status: 'existing', id: holder, state: 'completed' }])
    })
  })

  describe('unique keys: replace', () => {
    test('cancels a waiting holder and takes its key in one step', async (f) => {
      const holder = await f.add({ unique: 'a' })
      const next = newJob({ unique: { key: 'a', onConflict: 'replace' } })

      const results = await f.jobs.insert([next])

      expect(results).toEqual([{ status: 'replaced', id: next.id, state: 'pending', replacedId: holder }])
      expect(await f.row(holder)).toMatchObject({ state: 'cancelled', reason: 'replaced' })
      expect(await f.jobs.insert([newJob({ unique: 'a' })])).toMatchObject([{ status: 'existing', id: next.id }])
    })

    test('asks a running holder to stop', async (f) => {
      const lease = await f.running({ unique: 'a' })
      const next = newJob({ unique: { key: 'a', onConflict: 'replace' } })

      const results = await f.jobs.insert([next])

      expect(results).toMatchObject([{ status: 'replaced', replacedId: lease.id }])
      expect(await f.row(lease.id)).toMatchObject({ state: 'processing', cancelling: true })
      expect(await f.jobs.extend('w1', [lease], 30_000)).toEqual(['cancelling'])
    })

    test('keeps the key with the new job when the old one ends later', async (f) => {
      const lease = await f.running({ unique: 'a' })
      const next = newJob({ unique: { key: 'a', onConflict: 'replace' } })
      await f.jobs.insert([next])
      await f.settle(lease, { to: 'cancelled', reason: 'replaced', error: null })

      expect(await f.jobs.insert([newJob({ unique: 'a' })])).toMatchObject([{ status: 'existing', id: next.id }])
    })

    test('leaves a holder that has ended as it is', async (f) => {
      const holder = await f.add({ unique: { key: 'a', withinMs: 60_000 } })
      await f.complete(await f.hold(holder))
      const before = await f.row(holder)

      await f.jobs.insert([newJob({ unique: { key: 'a', onConflict: 'replace' } })])

      expect(await f.row(holder)).toEqual(before)
    })

    test('ends the dependents of the one it replaces', async (f) => {
      const holder = await f.add({ unique: 'a' })
      const child = await f.child(holder, 'fail')

      await f.jobs.insert([newJob({ unique: { key: 'a', onConflict: 'replace' } })])

      expect(await f.row(child)).toMatchObject({ state: 'failed', reason: 'parent' })
    })

    test('may replace its own parent and is decided by that end', async (f) => {
      const holder = await f.add({ unique: 'a' })
      const goesOn = newJob({
        unique: { key: 'a', onConflict: 'replace' },
        dependsOn: [{ parentId: holder, policy: 'proceed' }],
      })
      await f.jobs.insert([goesOn])
      const ends = newJob({
        unique: { key: 'a', onConflict: 'replace' },
        dependsOn: [{ parentId: goesOn.id, policy: 'cancel' }],
      })

      const results = await f.jobs.insert([ends])

      expect(results).toMatchObject([{ status: 'replaced', state: 'cancelled', replacedId: goesOn.id }])
      expect(await f.row(goesOn.id)).toMatchObject({ state: 'cancelled', reason: 'replaced' })
      await f.add({ unique: { key: 'a', onConflict: 'reject' } })
    })

    test('leaves the holder alone when the new row is refused', async (f) => {
      const holder = await f.add({ unique: 'a' })

      const results = await f.jobs.insert([newJob({ unique: { key: 'a', onConflict: 'replace' }, priority: 1_000 })])

      expect(results).toMatchObject([{ status: 'refused', code: 'STORE_CONSTRAINT' }])
      expect((await f.row(holder)).state).toBe('pending')
    })
  })

  describe('unique keys: retry by hand', () => {
    test('takes a free key back', async (f) => {
      const holder = await f.add({ unique: 'a' })
      await f.fail(await f.hold(holder))
      await f.jobs.retry([holder])

      const results = await f.jobs.insert([newJob({ unique: 'a' })])

      expect(results).toEqual([{ status: 'existing', id: holder, state: 'pending' }])
    })

    test('does not take a key back that another holds by now', async (f) => {
      const first = await f.add({ unique: 'a' })
      await f.fail(await f.hold(first))
      const second = await f.add({ unique: 'a' })
      await f.jobs.retry([first])
      await f.complete(await f.hold(first))

      expect(await f.jobs.insert([newJob({ unique: 'a' })])).toMatchObject([{ status: 'existing', id: second }])
    })

    test('takes it back at a later retry, when it is free again', async (f) => {
      const first = await f.add({ unique: 'a' })
      await f.fail(await f.hold(first))
      const second = await f.add({ unique: 'a', queue: 'other' })
      await f.jobs.retry([first])
      await f.fail(await f.hold(first))
      await f.jobs.remove([second])
      expect((await f.row(first)).uniqueKey).toBe('a')

      await f.jobs.retry([first])

      expect(await f.jobs.insert([newJob({ unique: 'a' })])).toMatchObject([{ status: 'existing', id: first }])
    })

    test('takes a key whose window is over and whose holder has ended', async (f) => {
      const first = await f.add({ unique: 'a' })
      await f.fail(await f.hold(first))
      const second = await f.add({ unique: { key: 'a', withinMs: 1_000 } })
      await f.complete(await f.hold(second))
      f.clock.advance(1_001)

      await f.jobs.retry([first])

      expect(await f.jobs.insert([newJob({ unique: 'a' })])).toMatchObject([{ status: 'existing', id: first }])
    })
  })
}
