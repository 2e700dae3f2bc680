/** Expiry: waiting jobs whose time has passed. */
import { describe, expect } from 'vitest'
import { newId } from '../../base/id.ts'
import { type Case, LEASE_MS } from './fixture.ts'

/** The cases of expiry. */
export function expireCases(test: Case): void {
  describe('expire', () => {
    test('fails waiting jobs whose time has passed and leaves running ones', async (f) => {
      const running = await f.running({ expiresInMs: 1_000 })
      const waiting = await f.add({ expiresInMs: 1_000 })
      const scheduled = await f.add({ expiresInMs: 1_000, delayMs: 500 })
      const later = await f.add({ expiresInMs: 1_001 })
      f.clock.advance(999)
      expect(await f.jobs.expire(10)).toBe(0)
      f.clock.advance(1)

      expect(await f.jobs.expire(10)).toBe(2)

      for (const id of [waiting, scheduled]) {
        expect(await f.row(id)).toMatchObject({ state: 'failed', reason: 'expired', attempts: 0, expiresAt: null })
      }
      expect((await f.row(running.id)).state).toBe('processing')
      expect((await f.row(later)).state).toBe('pending')
    })

    test('fails no more than asked, soonest first', async (f) => {
      const second = await f.add({ expiresInMs: 200 })
      const first = await f.add({ expiresInMs: 100 })
      f.clock.advance(500)

      expect(await f.jobs.expire(1)).toBe(1)

      expect((await f.row(first)).state).toBe('failed')
      expect((await f.row(second)).state).toBe('pending')
    })

    test('counts a dependent that ends with its expired parent once, whatever the order of their ids', async (f) => {
      const [low, high] = [newId(), newId()]
      const parent = await f.add({ id: high, expiresInMs: 100 })
      const child = await f.child(parent, 'cancel', { id: low, expiresInMs: 200 })
      f.clock.advance(500)

      expect(await f.jobs.expire(10)).toBe(1)

      expect(await f.row(child)).toMatchObject({ state: 'cancelled', reason: 'parent' })
    })

    test('leaves a job that runs past its expiry to complete', async (f) => {
      const lease = await f.running({ expiresInMs: 1_000 })
      f.clock.advance(LEASE_MS - 1)
      await f.jobs.expire(10)

      await f.complete(lease)
    })
  })
}
