/** What diagnose finds on SQLite, MySQL and MariaDB: each finding appears with its cause, and goes with it. */
import mysql from 'mysql2/promise'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createStore } from '../../src/runtime/store-url.ts'
import { finding, findsTooFewConnections, until } from '../support/findings.ts'
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

  it('nothing of torn pages, nor of a binary log, where the server is set for both', async () => {
    const store = await migratedStore(await freshStoreUrl(server))
    const { hostname, port, username, password } = new URL(server.url)
    const admin = await mysql.createConnection({ host: hostname, port: Number(port || 3306), user: username, password })
    onTestFinished(() => admin.end())
    const settings = "SELECT @@innodb_doublewrite IN (0, 'OFF') AS single, @@log_bin AND @@sync_binlog <> 1 AS apart"
    const [[row]] = await admin.query<mysql.RowDataPacket[]>(settings)

    const found = [
      await finding(store, 'NOT_DURABLE', {}, 'innodb_doublewrite'),
      await finding(store, 'NOT_DURABLE', {}, 'sync_binlog'),
    ]

    expect(found.map((one) => one !== undefined)).toEqual([row?.single === 1, row?.apart === 1])
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
      const notDurable = async () => (await store.diagnose()).filter(({ code }) => code === 'NOT_DURABLE')

      const [strict, durable] = [await finding(store, 'NOT_STRICT'), await notDurable()]

      expect(durable.map(({ message }) => message.replace(/:.*/, ''))).toEqual([
        'innodb_flush_log_at_trx_commit is 2',
        'sync_binlog is 0',
        'innodb_doublewrite is 0',
      ])
      // The last of them takes a start of the server.
      for (const one of [strict, ...durable.slice(0, 2)]) await admin.query(one?.fix ?? '')
      expect(await finding(store, 'NOT_STRICT')).toBeUndefined()
      expect(await notDurable()).toEqual(durable.slice(2))
    })

    findsTooFewConnections(server, 7)
  },
  [
    '--sql-mode=',
    '--innodb-flush-log-at-trx-commit=2',
    '--max-connections=20',
    '--log-bin=log',
    '--innodb-doublewrite=0',
  ],
)
