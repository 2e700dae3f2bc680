/** Opening, closing, time, versions. */
import { access } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { describe, expect } from 'vitest'
import type { Store } from '../contract/index.ts'
import { type Case, newJob } from './fixture.ts'

/** What others hear of. */
const NEWS: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
  inserted: ({ jobs }) => jobs.insert([newJob()]),
  'posted a message': ({ cluster }) => cluster.post({ to: 'w', verb: 'pause', by: 'a', ttlMs: 60_000 }),
}

/** The cases of opening, closing and migrating. */
export function lifeCycleCases(test: Case): void {
  describe('life-cycle', () => {
    test('migrates once: a second call applies nothing', async (f) => {
      expect(await f.store.migrate()).toEqual([])

      const version = await f.store.schemaVersion()
      expect(version.current).toBe(version.latest)
      expect(version.latest).toBeGreaterThan(0)
      expect(version.oldest).toBeGreaterThan(0)
      expect(version.oldest).toBeLessThanOrEqual(version.current)
    })

    test('plans nothing when no step is missing', async (f) => {
      expect(await f.store.plan()).toEqual([])
    })

    test('plans all steps for an empty store without looking, also when it is closed', async (f) => {
      const { latest } = await f.store.schemaVersion()
      const steps = await f.store.plan(0)
      await f.store.close()

      expect(await f.store.plan(0)).toEqual(steps)
      expect(await f.store.plan(latest)).toEqual([])
      // The memory store has no tables to make.
      const versions = f.store.capabilities.persistent ? Array.from({ length: latest }, (_, i) => i + 1) : []
      expect(steps.map(({ version }) => version)).toEqual(versions)
    })

    test('migrates from many connections at once without harm', async (f) => {
      const stores = await Promise.all(Array.from({ length: 4 }, () => f.connect()))

      const applied = await Promise.all(stores.map((store) => store.migrate()))

      expect(applied.flat()).toEqual([])
    })

    test('finds nothing wrong with itself but what its server is set to', async (f) => {
      // The case's clock stands still at an instant of its own.
      const found = await f.store.diagnose({ clockMs: Number.MAX_SAFE_INTEGER, connections: 1 })

      const ofServer = [
        'NOT_DURABLE',
        'NOT_STRICT',
        'NOT_READ_COMMITTED',
        'TIMEOUT_OFF',
        'AUTOVACUUM_OFF',
        'CANNOT_SEE',
      ]
      ofServer.push('OLD_TRANSACTION', 'HISTORY_LONG', 'TLS_UNVERIFIED')
      expect(found.filter(({ code }) => !ofServer.includes(code))).toEqual([])
    })

    test('finds a clock that is not this machine’s', async (f) => {
      // The memory store has no clock but the process's own.
      if (!f.store.capabilities.persistent) return
      const codes = async () => (await f.store.diagnose({ clockMs: 60_000 })).map(({ code }) => code)

      expect(await codes()).toContain('CLOCK_OFFSET')
      f.clock.advance(Date.now() - f.clock.now())
      expect(await codes()).not.toContain('CLOCK_OFFSET')
    })

    test('answers a ping', async (f) => {
      await f.store.ping()
    })

    test('says where it is, and never a password', async (f) => {
      expect(f.store.description.length).toBeGreaterThan(0)
      expect(f.store.description).not.toMatch(/:[^/@\s]+@/)
    })

    test('names the file that it is, if it is one, as an absolute path', async (f) => {
      const { file, capabilities } = f.store

      // Whoever holds a file on this machine is neither remote nor gone with the process.
      if (file !== null) expect(capabilities).toMatchObject({ persistent: true, remote: false })
      expect(file === null || isAbsolute(file)).toBe(true)
      if (file !== null) await access(file)
    })

    test('goes by its clock', async (f) => {
      const before = await f.store.time()
      f.clock.advance(1_234)

      expect(await f.store.time()).toBe(before + 1_234)
    })

    test('never goes back in time, also when the clock is set back', async (f) => {
      const before = await f.store.time()
      f.clock.step(-60_000)

      expect(await f.store.time()).toBeGreaterThanOrEqual(before)
    })

    test('closes more than once', async (f) => {
      await f.store.close()
      await f.store.close()
    })

    test('refuses calls after close with kind closed', async (f) => {
      await f.store.close()

      await expect(f.jobs.insert([newJob()])).rejects.toMatchObject({ kind: 'closed', code: 'STORE_CLOSED' })
      await expect(f.jobs.get('x')).rejects.toMatchObject({ kind: 'closed' })
      await expect(f.store.ping()).rejects.toMatchObject({ kind: 'closed' })
      await expect(f.store.queues.list()).rejects.toMatchObject({ kind: 'closed' })
    })

    test('shows what one connection wrote to another', async (f) => {
      const other = await f.connect()
      const id = await f.add()

      expect(await other.jobs.get(id)).toMatchObject({ id, state: 'pending' })
    })

    test('shows the same rows after every connection was closed and opened again', async (f) => {
      if (!f.store.capabilities.persistent) return
      const id = await f.add({ tags: ['a'] })
      const before = await f.row(id)
      await f.store.close()

      const again = await f.connect()

      expect(await again.jobs.get(id)).toEqual(before)
    })

    for (const [what, write] of Object.entries(NEWS)) {
      test(`wakes a listener after another connection ${what}`, async (f) => {
        if (!f.store.capabilities.push) return
        const other = await f.connect()
        await f.add()
        let wake: () => void = () => undefined
        const woken = new Promise<void>((resolve) => {
          wake = resolve
        })
        const stop = f.store.wake.subscribe(() => wake())

        // A hint may be lost, so writes go on until one arrives; the case's time limit is the deadline.
        let isAwake = false
        void woken.then(() => {
          isAwake = true
        })
        while (!isAwake) {
          await write(other)
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
        stop()
      })
    }

    test('wakes nobody who went away', async (f) => {
      let calls = 0
      const stop = f.store.wake.subscribe(() => calls++)
      stop()
      await f.add()
      await new Promise((resolve) => setImmediate(resolve))

      expect(calls).toBe(0)
    })
  })
}
