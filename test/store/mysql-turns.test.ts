/** Large claims take turns (src/store/mysql/turns.ts); nothing relies on it. */
import mysql, { type RowDataPacket } from 'mysql2/promise'
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { Turns } from '../../src/store/mysql/turns.ts'
import { describeOn, freshStoreUrl, migratedStore } from '../support/servers.ts'

const CLAIM = { queues: 'all', names: ['job'], limit: 100, leaseMs: 30_000 } as const

await describeOn('mysql', (server) => {
  test('large claims at once get each job once, and leave no turn behind', async () => {
    const url = await freshStoreUrl(server)
    const stores = await Promise.all(Array.from({ length: 6 }, () => migratedStore(url)))
    await fill(stores[0], 1_000)
    const ids = (
      await Promise.all(
        stores.map(async (store, i) => {
          const claims = [0, 1].map(() => claimed(store, `w${i}`))
          return (await Promise.all(claims)).flat()
        }),
      )
    ).flat()

    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.length).toBeGreaterThanOrEqual(900)
    const client = await connected(url)
    await expect.poll(() => holders(client, url)).toEqual([null, null])
  })

  test('who holds the turns and does nothing holds up nobody', async () => {
    const url = await freshStoreUrl(server)
    const store = await migratedStore(url)
    await fill(store, 400)
    const stopped = await connected(url)
    for (const name of namesOf(url)) await stopped.query('SELECT GET_LOCK(?, 0)', [name])

    for (let i = 0; i < 4; i++) expect(await claimed(store, 'w')).toHaveLength(100)
  })
})

async function fill(store: Store | undefined, count: number): Promise<void> {
  const jobs = Array.from({ length: count }, () => {
    return { id: newId(), name: 'job', version: 1, queue: 'q', priority: 50, payload: Buffer.from('{}') }
  })
  await store?.jobs.insert(jobs)
}

async function claimed(store: Store, workerId: string): Promise<readonly string[]> {
  const { claimed } = await store.jobs.exchange({ workerId, settle: [], claim: { ...CLAIM, workerId } })
  return claimed.map(({ id }) => id)
}

async function holders(client: mysql.Connection, url: string): Promise<readonly unknown[]> {
  const asked = namesOf(url).map((name) => client.query<RowDataPacket[]>('SELECT IS_USED_LOCK(?) AS holder', [name]))
  return (await Promise.all(asked)).map(([rows]) => rows[0]?.holder)
}

function namesOf(url: string): readonly string[] {
  return new Turns(new URL(url).pathname.slice(1)).names
}

async function connected(url: string): Promise<mysql.Connection> {
  const client = await mysql.createConnection(url)
  onTestFinished(() => client.end())
  return client
}
