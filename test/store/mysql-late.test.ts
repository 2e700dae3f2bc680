/** What a server does for a call that is past its deadline ends there too (src/store/mysql/late.ts). */
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Connection as OwnConnection } from '../../src/store/mysql/connection.ts'
import { MysqlDatabase } from '../../src/store/mysql/database.ts'
import { LateStatements } from '../../src/store/mysql/late.ts'
import { mysqlSettings } from '../../src/store/mysql/options.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { describeOn, freshStoreUrl, migratedStore, type TestServer } from '../support/servers.ts'
import { startProxyTo } from '../support/tcp-proxy.ts'

/** The server counts its own limits in whole seconds: so they come later, not at the same moment. */
const DEADLINE_MS = 700
/** A write that waits for a row which the test holds. One that sleeps would not do: that ends some seconds after its client has gone. */
const SLOW = 'UPDATE millrace_signal SET count = count + 100 WHERE id = 1'
const OTHERS = 'SELECT SLEEP(60)'
const WAIT = { timeout: 10_000, interval: 25 }

/** Each way to the server, over a table that somebody else has locked. */
const CALLS: Readonly<Record<string, (database: MysqlDatabase) => Promise<unknown>>> = {
  read: (database) => database.read((session) => session.query('SELECT name FROM millrace_queue')),
  statement: (database) => database.statement('SELECT name, NOW_SQL FROM millrace_queue', [], 'ordinary'),
  transaction: (database) =>
    database.transactOpening(
      { statement: 'SELECT NOW_SQL AS now FROM millrace_queue', params: [] },
      async () => null,
      'ordinary',
    ),
}

await describeOn('mysql', (server) => {
  test.each(Object.keys(CALLS))(
    'a %s that is late on a connection that was used before was sent once',
    async (kind) => {
      const { database, holder } = await ground(server)
      await holder.query('LOCK TABLES millrace_queue WRITE')
      await database.time()
      const execute = vi.spyOn(OwnConnection.prototype, 'execute')
      onTestFinished(() => execute.mockRestore())

      await expect(CALLS[kind]?.(database)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })

      expect(execute.mock.calls.filter(([text]) => text.includes('millrace_queue'))).toHaveLength(1)
      await holder.query('UNLOCK TABLES')
    },
  )

  test('a write ends at the deadline of its call, though the server sets it no limit', async () => {
    const { client, database, holder } = await ground(server)
    const call = slowly(database)
    const refused = expect(call).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })
    await expect.poll(() => running(client, SLOW), WAIT).toBe(1)

    await refused

    await expect.poll(() => running(client, SLOW), WAIT).toBe(0)
    await holder.rollback()
    const [rows] = await client.query<RowDataPacket[]>('SELECT count FROM millrace_signal')
    expect(rows[0]?.count).toBeLessThan(100)
  })

  test('closing waits until all that are late were ended', async () => {
    const { client, database } = await ground(server)
    const calls = [slowly(database), slowly(database), slowly(database)]

    await Promise.allSettled(calls)
    await database.pool.close()

    await expect.poll(() => running(client, SLOW), WAIT).toBe(0)
  })

  test('who is late since nothing answers any more closes within seconds all the same', async () => {
    const { url } = await ground(server)
    const { proxy, url: through } = await startProxyTo(url)
    const database = opened(through)
    await database.time()
    proxy.setSilent(true)
    await expect(database.time()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })

    const begun = performance.now()
    await database.pool.close()

    expect(performance.now() - begun).toBeLessThan(3_000)
  })

  test('a statement that is not ours goes on, whoever has its number', async () => {
    const { client, url } = await ground(server)
    const other = await mysqlClient(url)
    const going = other.query(OTHERS).catch(() => undefined)
    await expect.poll(() => running(client, OTHERS), WAIT).toBe(1)

    await new LateStatements(mysqlSettings(url)).end(other.threadId)

    expect(await running(client, OTHERS)).toBe(1)
    await client.query('KILL QUERY ?', [other.threadId])
    await going
  })
})

/** A store of its own: its URL, its database with a short deadline, a client beside it, and one that holds the row of `SLOW`. */
async function ground(server: TestServer) {
  const url = await freshStoreUrl(server, { deadline: `${DEADLINE_MS}ms` })
  await migratedStore(url)
  const holder = await mysqlClient(url)
  await holder.beginTransaction()
  await holder.query('SELECT count FROM millrace_signal WHERE id = 1 FOR UPDATE')
  return { url, holder, client: await mysqlClient(url), database: opened(url) }
}

function opened(url: string): MysqlDatabase {
  const database = new MysqlDatabase(mysqlSettings(url), undefined, () => undefined)
  database.pool.open()
  onTestFinished(() => database.pool.close())
  return database
}

/** A call whose statement waits for a minute. MariaDB would end it at the deadline by itself; MySQL does not have that setting. */
function slowly(database: MysqlDatabase): Promise<unknown> {
  return database.pool.use(async (connection) => {
    await connection.run('SET SESSION innodb_lock_wait_timeout = 60')
    await connection.run('SET SESSION max_statement_time = 0').catch(() => undefined)
    return connection.execute(SLOW, [])
  })
}

/** How often a statement runs in this client's database. */
async function running(client: Connection, statement: string): Promise<number> {
  const text = 'SELECT count(*) AS n FROM information_schema.processlist WHERE db = database() AND info = ?'
  const [rows] = await client.query<RowDataPacket[]>(text, [statement])
  return Number(rows[0]?.n)
}
