/** What is MySQL's alone: interrupted migrations, passwords, hints by polling, `mysql2` connections with a transaction. */
import mysql from 'mysql2/promise'
import { expect, it, onTestFinished } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { NewJob, Store } from '../../src/store/contract/index.ts'
import { MysqlDatabase } from '../../src/store/mysql/database.ts'
import { STEPS } from '../../src/store/mysql/migrate.ts'
import { mysqlSettings } from '../../src/store/mysql/options.ts'
import { createMysqlStore } from '../../src/store/mysql/store.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { describeOn, type TestServer } from '../support/servers.ts'

const LEASE_MS = 30_000

await describeOn('mysql', (server) => {
  it('migrates an empty database from 24 stores at once', async () => {
    const url = await freshUrl(server, { pool: '2' })
    const stores = await Promise.all(Array.from({ length: 24 }, () => opened(url)))

    const applied = await Promise.all(stores.map((store) => store.migrate()))

    expect(applied.flat().toSorted((a, b) => a - b)).toEqual(STEPS.map((_, i) => i + 1))
    expect(await stores[7]?.schemaVersion()).toMatchObject({ current: STEPS.length, latest: STEPS.length, oldest: 1 })
  })

  it('takes up a migration that was interrupted', async () => {
    const url = await freshUrl(server)
    const store = await migrated(url)
    const user = await mysqlClient(url)
    await user.query('DELETE FROM millrace_schema')
    await user.query('DROP TABLE millrace_archive, millrace_signal')

    expect(await store.migrate()).toEqual(STEPS.map((_, i) => i + 1))

    await store.jobs.insert([job()])
  })

  it('says what to do about tables that are not there', async () => {
    const store = await opened(await freshUrl(server))

    await expect(store.jobs.insert([job()])).rejects.toMatchObject({ kind: 'schema', code: 'STORE_OLDER' })
  })

  it('refuses a wrong password as what needs a hand, without telling it', async () => {
    const url = new URL(await freshUrl(server))
    url.username = 'nobody-here'
    url.password = 'se%40cret'
    const store = createMysqlStore({ url: url.href })

    const error = await store.open().then(
      () => null,
      (reason: unknown) => reason,
    )

    expect(error).toMatchObject({ kind: 'schema' })
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toMatch(/se(@|%40)cret/)
  })

  it('a connection that the server ended since it lay idle costs no call anything', async () => {
    const url = await freshUrl(server, { pool: '1' })
    const database = new MysqlDatabase(mysqlSettings(url), undefined, () => undefined)
    database.pool.open()
    onTestFinished(() => database.pool.close())
    await database.pool.use((connection) => connection.run('SET SESSION wait_timeout = 1'))
    const user = await mysqlClient(url)
    const sessions =
      'SELECT count(*) AS n FROM information_schema.processlist WHERE db = database() AND id <> connection_id()'
    await expect
      .poll(async () => Number((await user.query<mysql.RowDataPacket[]>(sessions))[0][0]?.n), { timeout: 20_000 })
      .toBe(0)
    // By then its end has arrived here, too.
    await new Promise(setImmediate)

    expect(await database.time()).toBeGreaterThan(0)
  })

  it('hears of what another store did, within the longest poll', async () => {
    const url = await freshUrl(server)
    const [store, other] = [await migrated(url), await opened(url)]
    let heard = 0
    const stop = store.wake.subscribe(() => {
      heard++
    })
    onTestFinished(stop)
    await expect
      .poll(() => heard > 0 || other.jobs.insert([job()]).then(() => heard > 0), { timeout: 20_000 })
      .toBe(true)
  })
})

await describeOn('mysql', (server) => {
  for (const kind of ['promise', 'callback'] as const) {
    it(`an insert in the caller's transaction, on a ${kind} connection, is seen after its commit only`, async () => {
      const url = await freshUrl(server)
      const store = await migrated(url)
      const user = await mysqlClient(url)
      const tx: unknown = kind === 'promise' ? user : Reflect.get(user, 'connection')
      const [kept, lost] = [job({ unique: { scope: 's', key: 'k', onConflict: 'existing' } }), job()]
      await user.beginTransaction()
      const results = await store.jobs.insertWithin(tx, [kept, job({ priority: 101 })])
      expect(await store.jobs.get(kept.id)).toBeNull()
      await user.commit()
      await user.beginTransaction()
      await store.jobs.insertWithin(tx, [lost])
      await user.rollback()

      expect(results.map((result) => result.status)).toEqual(['created', 'refused'])
      expect((await store.jobs.get(kept.id))?.state).toBe('pending')
      expect(await store.jobs.get(lost.id)).toBeNull()
      const claim = { workerId: 'w', queues: 'all', names: ['n'], limit: 5, leaseMs: LEASE_MS } as const
      const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
      expect(claimed.map(({ id }) => id)).toEqual([kept.id])
    })
  }

  it('an insert within refuses a connection without a transaction, a pool, and another database', async () => {
    const url = await freshUrl(server)
    const store = await migrated(url)
    const user = await mysqlClient(url)
    const pool = mysql.createPool(url)
    onTestFinished(() => pool.end())
    const elsewhere = await mysqlClient(server.url)
    await elsewhere.beginTransaction()

    for (const tx of [user, pool, elsewhere]) {
      await expect(store.jobs.insertWithin(tx, [job()])).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    }
  })
})

async function freshUrl(server: TestServer, parameters: Readonly<Record<string, string>> = {}): Promise<string> {
  const url = server.freshUrl(parameters)
  await server.create(url)
  onTestFinished(() => server.drop(url))
  return url
}

async function opened(url: string): Promise<Store> {
  const store = createMysqlStore({ url })
  await store.open()
  onTestFinished(() => store.close())
  return store
}

async function migrated(url: string): Promise<Store> {
  const store = await opened(url)
  await store.migrate()
  return store
}

function job(parts: Partial<NewJob> = {}): NewJob {
  return { id: newId(), name: 'n', version: 1, queue: 'q', priority: 5, payload: new Uint8Array(3), ...parts }
}
