/** What is PostgreSQL's alone: migrating at once, a pooler's rules, `pg` clients with a transaction of their own. */
import pg from 'pg'
import { expect, it, onTestFinished, vi } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { NewJob, Store } from '../../src/store/contract/index.ts'
import { STEPS } from '../../src/store/postgres/migrate.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import { describeOn, type TestServer } from '../support/servers.ts'

const LEASE_MS = 30_000

await describeOn('postgres', (server) => {
  it('migrates an empty database from 24 stores at once', async () => {
    const url = freshUrl(server)
    const stores = await Promise.all(Array.from({ length: 24 }, () => opened(url)))

    const applied = await Promise.all(stores.map((store) => store.migrate()))

    expect(applied.flat().toSorted((a, b) => a - b)).toEqual(STEPS.map((_, i) => i + 1))
    expect(await stores[7]?.schemaVersion()).toMatchObject({ current: STEPS.length, latest: STEPS.length, oldest: 1 })
  })

  it('says what to do about tables that are not there', async () => {
    const store = await opened(freshUrl(server))

    await expect(store.jobs.insert([job()])).rejects.toMatchObject({ kind: 'schema', code: 'STORE_OLDER' })
  })

  it('refuses a server older than 13 when it opens, by its name', async () => {
    const url = freshUrl(server)
    const schema = new URL(url).searchParams.get('schema') ?? ''
    // A function that stands before the server's own tells another version.
    const told = "SELECT CASE $1 WHEN 'server_version_num' THEN '120022' ELSE '12.22' END"
    await server.run(
      `CREATE SCHEMA "${schema}"`,
      `CREATE FUNCTION "${schema}".current_setting(text) RETURNS text LANGUAGE sql AS $$ ${told} $$`,
    )
    vi.stubEnv('PGOPTIONS', `-c search_path=${schema},pg_catalog`)
    onTestFinished(() => {
      vi.unstubAllEnvs()
    })

    const store = createPostgresStore({ url })

    const message = 'the server is PostgreSQL 12.22; 13 or newer is needed'
    await expect(store.open()).rejects.toMatchObject({ code: 'CONFIG_INVALID', message })
  })

  it('works without session state behind a pooler in transaction mode', async () => {
    const store = await migrated(freshUrl(server, { pooler: 'transaction' }))
    const id = newId()
    await store.jobs.insert([job({ id })])
    const claim = { workerId: 'w', queues: 'all', names: ['n'], limit: 5, leaseMs: LEASE_MS } as const

    const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })

    expect(claimed.map((one) => one.id)).toEqual([id])
    expect(store.capabilities.push).toBe(false)
  })
})

await describeOn('postgres', (server) => {
  it("an insert in the caller's transaction is seen after its commit, and never after a rollback", async () => {
    const url = freshUrl(server)
    const store = await migrated(url)
    const user = await client(server)
    const [kept, lost] = [job({ unique: { scope: 's', key: 'k', onConflict: 'existing' } }), job()]
    await user.query('BEGIN')
    const results = await store.jobs.insertWithin(user, [kept, job({ priority: 101 })])
    expect(await store.jobs.get(kept.id)).toBeNull()
    await user.query('COMMIT')
    await user.query('BEGIN')
    await store.jobs.insertWithin(user, [lost])
    await user.query('ROLLBACK')

    expect(results.map((result) => result.status)).toEqual(['created', 'refused'])
    expect((await store.jobs.get(kept.id))?.state).toBe('pending')
    expect(await store.jobs.get(lost.id)).toBeNull()
  })

  it('an insert within refuses a client without a transaction, a pool, and another database', async () => {
    const store = await migrated(freshUrl(server))
    const user = await client(server)
    const pool = new pg.Pool({ connectionString: server.url })
    onTestFinished(() => pool.end())
    const elsewhere = await migrated(freshUrl(server))
    await elsewhere.close()

    await expect(store.jobs.insertWithin(user, [job()])).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(store.jobs.insertWithin(pool, [job()])).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

function freshUrl(server: TestServer, parameters: Readonly<Record<string, string>> = {}): string {
  const url = server.freshUrl(parameters)
  onTestFinished(() => server.drop(url))
  return url
}

async function opened(url: string): Promise<Store> {
  const store = createPostgresStore({ url })
  await store.open()
  onTestFinished(() => store.close())
  return store
}

async function migrated(url: string): Promise<Store> {
  const store = await opened(url)
  await store.migrate()
  return store
}

async function client(server: TestServer): Promise<pg.Client> {
  const made = new pg.Client({ connectionString: server.url })
  made.on('error', () => undefined)
  await made.connect()
  onTestFinished(() => made.end())
  return made
}

function job(parts: Partial<NewJob> = {}): NewJob {
  return { id: newId(), name: 'n', version: 1, queue: 'q', priority: 5, payload: new Uint8Array(3), ...parts }
}
