/** What only a server can do to a store: refuse, fall silent, end connections, hold locks; and what a store does then. */
import { expect, it, vi } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { NewJob, Store } from '../../src/store/contract/index.ts'
import { outsiderOn } from '../support/outsider.ts'
import { describeOn, freshStoreUrl, migratedStore, SERVER_KINDS } from '../support/servers.ts'
import { startProxyTo } from '../support/tcp-proxy.ts'

const LEASE_MS = 30_000

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    it('goes on by itself after its connections were ended', async () => {
      const url = await freshStoreUrl(server)
      const store = await migratedStore(url)
      await store.jobs.insert([job()])
      await (await outsiderOn(url)).endOthersForGood()

      // A call may still meet an ended connection that has not told it yet, one for each that is idle; the same again is one row.
      const second = job()
      await vi.waitFor(() => store.jobs.insert([second]), { timeout: 5_000 })

      expect(await store.jobs.count({}, 10)).toEqual({ count: 2, capped: false })
    })

    it('fails within its deadline when another transaction holds what it needs', async () => {
      const url = await freshStoreUrl(server, { deadline: '500' })
      const store = await migratedStore(url)
      const waiting = job()
      await store.jobs.insert([waiting])
      const outsider = await outsiderOn(url)
      await outsider.lock(waiting.id)

      await expect(store.jobs.cancel([waiting.id])).rejects.toMatchObject({ kind: 'transient' })

      await outsider.release()
      expect(await store.jobs.cancel([waiting.id])).toEqual(['cancelled'])
    })

    it('fails within its deadline when the server falls silent, and goes on when it speaks again', async () => {
      const { proxy, url } = await startProxyTo(await freshStoreUrl(server, { deadline: '1000' }))
      const store = await migratedStore(url)
      proxy.setSilent(true)

      await expect(store.jobs.insert([job()])).rejects.toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })

      proxy.setSilent(false)
      await store.jobs.insert([job()])
    })

    it('closes soon while the server is silent and has a hint to answer', async () => {
      const { proxy, url } = await startProxyTo(await freshStoreUrl(server, { deadline: '1000' }))
      const store = await migratedStore(url)
      store.wake.subscribe(() => undefined)
      await store.jobs.insert([job()])
      await expect.poll(() => proxy.open, { timeout: 10_000 }).toBeGreaterThan(1)
      await store.jobs.insert([job()])
      proxy.setSilent(true)
      const begun = performance.now()

      await store.close()

      expect(performance.now() - begun).toBeLessThan(5_000)
    })

    it('a call that waits for a connection does not hold up a heartbeat', async () => {
      const url = await freshStoreUrl(server, { pool: '2' })
      const store = await migratedStore(url)
      await store.jobs.insert([job()])
      const claim = { workerId: 'w', queues: [{ queue: 'q', max: 1 }], names: ['n'], limit: 1, leaseMs: LEASE_MS }
      const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
      const stuck = job()
      await store.jobs.insert([stuck])
      const outsider = await outsiderOn(url)
      await outsider.lock(stuck.id)
      const cancels = Array.from({ length: 5 }, () => store.jobs.cancel([stuck.id]))

      expect(await store.jobs.extend('w', claimed, LEASE_MS)).toEqual(['held'])

      await outsider.release()
      await Promise.all(cancels)
    })

    it('refuses at once, transient, when nothing listens, and never tells the password', async () => {
      const url = new URL(server.freshUrl())
      url.port = '1'
      url.password = 'se%40cret'
      const store = await createStore(url.href)

      const error = await failureOf(store)

      expect(error).toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })
      expect(`${String(error)} ${JSON.stringify(error)} ${store.description}`).not.toMatch(/se(@|%40)cret/)
    })
  })
}

async function failureOf(store: Store): Promise<unknown> {
  try {
    await store.open()
    return null
  } catch (error) {
    return error
  }
}

function job(): NewJob {
  return { id: newId(), name: 'n', version: 1, queue: 'q', priority: 5, payload: new Uint8Array(3) }
}
