/** Claims of busy workers take turns (src/store/postgres/turns.ts); nothing relies on it. */
import { expect, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { Turns } from '../../src/store/postgres/turns.ts'
import { postgresStore } from '../support/postgres-store.ts'
import { describeOn, migratedStore } from '../support/servers.ts'

const CLAIM = { queues: 'all', names: ['job'], limit: 100, leaseMs: 30_000 } as const
const DEADLINE_MS = 10_000

await describeOn('postgres', (server) => {
  test('claims at once get each job once, and leave no turn behind', async () => {
    const { url, client, schemaName } = await postgresStore(server)
    const stores = await Promise.all(Array.from({ length: 6 }, () => migratedStore(url)))
    await fill(stores[0], 3_600)
    const rounds: string[] = []
    for (let round = 0; round < 3; round++) {
      const both = stores.flatMap((store, i) => [claimed(store, `w${i}`), claimed(store, `w${i}`)])
      rounds.push(...(await Promise.all(both)).flat())
    }

    expect(new Set(rounds).size).toBe(rounds.length)
    expect(rounds).toHaveLength(3_600)
    const { keys } = new Turns(schemaName, DEADLINE_MS)
    for (const key of keys) {
      await expect.poll(async () => (await client.query(TRY, [key])).rows[0]?.taken).toBe(true)
    }
  })

  test('who holds the turns and does nothing holds up nobody', async () => {
    const { store, client, schemaName } = await postgresStore(server)
    await fill(store, 400)
    for (const key of new Turns(schemaName, DEADLINE_MS).keys) await client.query(TRY, [key])

    for (let i = 0; i < 4; i++) expect(await claimed(store, 'w')).toHaveLength(100)
  })
})

const TRY = 'SELECT pg_try_advisory_lock($1::bigint) AS taken'

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
