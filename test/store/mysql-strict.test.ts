/** Nothing is cut off silently: the store's own sessions are strict, and a caller's that is not is refused. */
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { NewJob } from '../../src/store/contract/index.ts'
import { transactionHandle } from '../../src/store/contract/index.ts'
import { Connection } from '../../src/store/mysql/connection.ts'
import { mysqlSettings } from '../../src/store/mysql/options.ts'
import { createMysqlStore } from '../../src/store/mysql/store.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { borrowedStoreUrl, describeOn, migratedStore } from '../support/servers.ts'
import { startProxyTo } from '../support/tcp-proxy.ts'

const TOO_LONG = "INSERT INTO millrace_state (state_key, value, version) VALUES (REPEAT('k', 4000), '', 1)"
/** Modes of a session, and of two of the same length that are not strict. */
const STRICT = 'STRICT_ALL_TABLES,STRICT_TRANS_TABLES'
const LAX = 'NO_ZERO_IN_DATE,NO_AUTO_VALUE_ON_ZERO'

await describeOn('mysql', (server) => {
  test('a session of its own refuses what does not fit, whatever the default of the server', async () => {
    const url = await borrowedStoreUrl(server)
    await migratedStore(url)
    const connection = await Connection.open(mysqlSettings(url), 10_000)
    onTestFinished(() => connection.close())

    const mode = String((await connection.execute('SELECT @@SESSION.sql_mode', [])).rows[0]?.[0])

    expect(mode.split(',')).toEqual(expect.arrayContaining(STRICT.split(',')))
    await expect(connection.execute(TOO_LONG, [])).rejects.toMatchObject({ code: 'ER_DATA_TOO_LONG' })
  })

  test('a store whose sessions are kept from being strict does not open', async () => {
    const { proxy, url } = await startProxyTo(await borrowedStoreUrl(server))
    proxy.replace(STRICT, LAX)
    const store = createMysqlStore({ url })

    await expect(store.open()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('it is not strict'),
    })
  })

  test('a transaction of a session that is not strict is refused, and takes what it is told once it is', async () => {
    const { store, tx } = await ground()
    await tx.query("SET SESSION sql_mode = ''")
    await tx.beginTransaction()
    const job = someJob()

    await expect(store.jobs.insertWithin(tx, [job])).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('strict mode'),
    })
    await tx.query("SET SESSION sql_mode = 'STRICT_TRANS_TABLES'")
    expect(await store.jobs.insertWithin(tx, [job])).toMatchObject([{ status: 'created' }])

    await tx.commit()
    expect(await store.jobs.get(job.id)).toMatchObject({ state: 'pending' })
  })

  test('a library that writes values into its statements is refused where a backslash is a letter', async () => {
    const { store, tx } = await ground()
    await tx.query("SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES'")
    await tx.beginTransaction()
    const handle = transactionHandle({
      kind: 'statements',
      library: 'Example',
      query: async (text, values) => {
        const [rows] = await tx.execute({ sql: text, rowsAsArray: true }, [...values])
        return Array.isArray(rows) ? rows : []
      },
      execute: async (text, values) => {
        const [result] = await tx.execute(text, [...values])
        return 'affectedRows' in result ? result.affectedRows : 0
      },
    })

    await expect(store.jobs.insertWithin(handle, [someJob()])).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/Example.*NO_BACKSLASH_ESCAPES/),
    })

    await tx.rollback()
  })

  test('the connection of mysql2 is not: it binds its values', async () => {
    const { store, tx } = await ground()
    await tx.query("SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES'")
    await tx.beginTransaction()
    const job = someJob({ name: String.raw`a\'b\\` })

    await store.jobs.insertWithin(tx, [job])
    await tx.commit()

    expect(await store.jobs.get(job.id)).toMatchObject({ name: job.name })
  })

  async function ground() {
    const url = await borrowedStoreUrl(server)
    return { store: await migratedStore(url), tx: await mysqlClient(url) }
  }
})

function someJob(parts: Partial<NewJob> = {}): NewJob {
  return { id: newId(), name: 'n', version: 1, queue: 'q', priority: 5, payload: Buffer.from('{}'), ...parts }
}
