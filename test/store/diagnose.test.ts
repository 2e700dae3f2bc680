/** What diagnose finds on servers: each finding appears with its cause, and goes with it. */
import mysql from 'mysql2/promise'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { DiagnosisLimits, Store } from '../../src/store/contract/index.ts'
import { databaseOf } from '../support/schema-of.ts'
import { describeOn, describeOnPrivate, freshStoreUrl, migratedStore } from '../support/servers.ts'
import { tempStoreUrl } from '../support/temp-store.ts'

describe('sqlite', () => {
  it('an index that was dropped, until it is made by the statement that is printed', async () => {
    const url = tempStoreUrl()
    const store = await migratedStore(url)
    const db = await databaseOf(url)
    await db.run('DROP INDEX millrace_job_due')

    const found = await finding(store, 'INDEX_MISSING')

    expect(found).toMatchObject({ severity: 'problem', message: expect.stringContaining('millrace_job_due') })
    await db.run(found?.fix ?? '')
    expect(await store.diagnose()).toEqual([])
  })

  it('durability that was traded for speed', async () => {
    expect(await finding(await migratedStore(`${tempStoreUrl()}?durability=normal`), 'NOT_DURABLE')).toBeDefined()
  })
})

await describeOn('postgres', (server) => {
  it('a transaction that is open for too long, until it ends', async () => {
    const store = await migratedStore(await freshStoreUrl(server))
    const client = await pgClient(server.url, { application_name: 'the forgotten one' })
    await client.query('BEGIN; SELECT 1')

    const found = await until(() => finding(store, 'OLD_TRANSACTION', { transactionMs: 50 }, 'the forgotten one'))

    expect(found).toMatchObject({ severity: 'warning', fix: expect.stringContaining('pg_terminate_backend') })
    await client.query('COMMIT')
    expect(await finding(store, 'OLD_TRANSACTION', { transactionMs: 50 }, 'the forgotten one')).toBeUndefined()
  })

  it('an index that is missing or invalid, until the statement that is printed was run', async () => {
    const url = await freshStoreUrl(server)
    const schema = new URL(url).searchParams.get('schema') ?? ''
    const store = await migratedStore(url)
    const client = await pgClient(server.url)
    await client.query(`DROP INDEX "${schema}".job_ready`)
    await client.query(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"${schema}".job_due'::regclass`)

    const [missing, invalid] = [await finding(store, 'INDEX_MISSING'), await finding(store, 'INDEX_INVALID')]

    expect(missing?.message).toContain('job_ready')
    expect(invalid?.message).toContain('job_due')
    for (const { fix } of [missing, invalid].filter((one) => one !== undefined)) await client.query(fix)
    expect(await finding(store, 'INDEX_MISSING')).toBeUndefined()
    expect(await finding(store, 'INDEX_INVALID')).toBeUndefined()
  })

  it('dead rows in the hot table, until it is vacuumed', async () => {
    const url = await freshStoreUrl(server)
    const schema = new URL(url).searchParams.get('schema') ?? ''
    const store = await migratedStore(url)
    const client = await pgClient(server.url)
    await client.query(`ALTER TABLE "${schema}".job SET (autovacuum_enabled = off)`)
    await store.jobs.insert(jobs(200))
    await client.query(`UPDATE "${schema}".job SET attempts = 1`)

    const found = await until(() => finding(store, 'DEAD_ROWS', { deadRows: 100 }))

    await client.query((found?.fix ?? '').replace(/;.*/, ''))
    await until(async () => (await finding(store, 'DEAD_ROWS', { deadRows: 100 })) === undefined || undefined)
  })

  it('connections that are nearly used up', async () => {
    const store = await migratedStore(await freshStoreUrl(server))

    expect(await finding(store, 'CONNECTIONS_NEAR', { connections: 0 })).toBeDefined()
    expect(await finding(store, 'CONNECTIONS_NEAR', { connections: 1 })).toBeUndefined()
  })
})

await describeOnPrivate(
  'postgres',
  (server) => {
    it('commits that are not waited for, and a server that never writes to disk', async () => {
      const store = await migratedStore(await freshStoreUrl(server))
      const settings = async () =>
        (await store.diagnose()).filter(({ code }) => code === 'NOT_DURABLE').map(({ message }) => message)

      expect((await settings()).toSorted()).toEqual([
        expect.stringContaining('fsync is off'),
        expect.stringContaining('synchronous_commit is off'),
      ])
    })
  },
  ['fsync=off', 'synchronous_commit=off'],
)

await describeOn('mysql', (server) => {
  it('an index that was dropped, until it is made by the statement that is printed', async () => {
    const url = await freshStoreUrl(server)
    const store = await migratedStore(url)
    const db = await databaseOf(url)
    await db.run('DROP INDEX job_due ON millrace_job')

    const found = await finding(store, 'INDEX_MISSING')

    expect(found).toMatchObject({ severity: 'problem', message: expect.stringContaining('job_due') })
    await db.run(found?.fix ?? '')
    expect(await finding(store, 'INDEX_MISSING')).toBeUndefined()
  })

  it('a transaction that is open for too long, until it ends, and says when it may not look', async () => {
    const url = await freshStoreUrl(server)
    const store = await migratedStore(url)
    const db = await databaseOf(url)
    await db.run('START TRANSACTION WITH CONSISTENT SNAPSHOT')
    await db.run('SELECT * FROM millrace_job')

    const found = await until(() => finding(store, 'OLD_TRANSACTION', { transactionMs: 50 }))

    expect(found?.fix).toContain('KILL ')
    await db.run('COMMIT')
    const worker = await createStore((await server.rolesOf(url)).worker)
    await worker.open()
    onTestFinished(() => worker.close())
    expect(await finding(worker, 'CANNOT_SEE')).toMatchObject({ severity: 'warning' })
  })

  it('changes that are kept for old transactions, and connections that are nearly used up', async () => {
    const store = await migratedStore(await freshStoreUrl(server))

    expect(await finding(store, 'HISTORY_LONG', { history: -1 })).toBeDefined()
    expect(await finding(store, 'HISTORY_LONG', { history: 1e12 })).toBeUndefined()
    expect(await finding(store, 'CONNECTIONS_NEAR', { connections: 0 })).toBeDefined()
    expect(await finding(store, 'CONNECTIONS_NEAR', { connections: 1 })).toBeUndefined()
  })
})

await describeOnPrivate(
  'mysql',
  (server) => {
    it('a server that is not strict, or not durable, until it is', async () => {
      const store = await migratedStore(await freshStoreUrl(server))
      const { hostname, port } = new URL(server.url)
      const admin = await mysql.createConnection({ host: hostname, port: Number(port), user: 'root' })
      onTestFinished(() => admin.end())

      const found = [await finding(store, 'NOT_STRICT'), await finding(store, 'NOT_DURABLE')]

      for (const one of found) await admin.query(one?.fix ?? '')
      expect(await finding(store, 'NOT_STRICT')).toBeUndefined()
      expect(await finding(store, 'NOT_DURABLE')).toBeUndefined()
    })
  },
  ['--sql-mode=', '--innodb-flush-log-at-trx-commit=2'],
)

async function finding(store: Store, code: string, limits: Partial<DiagnosisLimits> = {}, says = '') {
  const found = await store.diagnose(limits)
  return found.find((one) => one.code === code && one.message.includes(says))
}

/** The first answer that is one. Not asked all the time: MySQL shows its transactions anew only after 100 ms without a look. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>()
  const isFound = async () => {
    const answer = await ask()
    if (answer !== undefined) resolve(answer)
    return answer !== undefined
  }
  await expect.poll(isFound, { timeout: 20_000, interval: 250 }).toBe(true)
  return promise
}

async function pgClient(url: string, options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, ...options })
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

function jobs(count: number) {
  return Array.from({ length: count }, () => ({
    ...{ id: newId(), name: 'n', version: 1, queue: 'q', priority: 5 },
    payload: Buffer.from('{}'),
  }))
}
