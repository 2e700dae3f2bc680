/** What waits for a row that somebody holds: it lets go of what it holds itself and is run again, until its deadline has passed. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { Connection } from '../../src/store/mysql/connection.ts'
import { MysqlDatabase } from '../../src/store/mysql/database.ts'
import { extendWaiting } from '../../src/store/mysql/extend.ts'
import { mysqlSettings } from '../../src/store/mysql/options.ts'
import type { Transaction } from '../../src/store/sql/session.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { describeOn, freshStoreUrl, migratedStore } from '../support/servers.ts'

/** The longest in which a wait ends after a second, which is the shortest there is. */
const LONG_MS = 7_900
const SHORT_MS = 3_000
const WAIT = { timeout: 20_000, interval: 20 }
const LOCK = 'SELECT count FROM millrace_signal WHERE id = 1 FOR UPDATE'
const WRITE = 'UPDATE millrace_signal SET count = count + 1 WHERE id = 1'
const INSERT = "INSERT INTO millrace_state (state_key, value, version) VALUES (?, '', 1)"
const LOCK_WAIT = 'SELECT @@innodb_lock_wait_timeout'

/** Each way in which a call may wait. */
const CALLS: Readonly<Record<string, (database: MysqlDatabase) => Promise<unknown>>> = {
  statement: (database) => database.statement(`${WRITE} AND NOW_SQL > 0`, [], 'ordinary'),
  transaction: (database) => database.transact((tx) => tx.select(LOCK, [])),
  'transaction whose statements wait one behind the other': (database) =>
    database.transact((tx) => Promise.all([tx.select(LOCK, []), tx.select(LOCK, []), tx.select(LOCK, [])])),
  'transaction that does not ask for the time': (database) =>
    database.transactUnasked((session) => session.select(LOCK, [])),
}

await describeOn('mysql', (server) => {
  test('a transaction that waits for a row undoes what it wrote and is run again, until the row is free', async () => {
    const { database, holder, client } = await ground(LONG_MS)
    let tries = 0
    const call = database.transact(async (tx: Transaction) => {
      tries++
      // If these were still there from the try before, they would be refused.
      await tx.select(INSERT, ['before'])
      await Promise.all([tx.select(LOCK, []), tx.select(INSERT, ['behind'])])
    })
    await expect.poll(() => tries, WAIT).toBeGreaterThan(2)

    await holder.rollback()
    await call

    const [rows] = await client.query("SELECT 1 FROM millrace_state WHERE state_key IN ('before', 'behind')")
    expect(rows).toHaveLength(2)
  })

  test('a statement by itself is run again, too', async () => {
    const { database, holder } = await ground(LONG_MS)
    const execute = vi.spyOn(Connection.prototype, 'execute')
    onTestFinished(() => execute.mockRestore())
    const call = CALLS.statement?.(database)
    const sent = () => execute.mock.calls.filter(([text]) => text.startsWith(WRITE)).length
    await expect.poll(sent, WAIT).toBeGreaterThan(2)

    await holder.rollback()

    expect(await call).toMatchObject({ changes: 1 })
  })

  test.each(Object.keys(CALLS))(
    'a %s waits to its deadline, is told STORE_BUSY, and idle connections stay',
    async (kind) => {
      const { database } = await ground(SHORT_MS)
      const threads = async () => {
        const both = Promise.withResolvers<void>()
        let begun = 0
        const numberOf = async (connection: Connection) => {
          if (++begun === 2) both.resolve()
          await both.promise
          await connection.check()
          return connection.threadId
        }
        return Promise.all([database.pool.use(numberOf), database.pool.use(numberOf)])
      }
      const before = await threads()
      expect(new Set(before).size).toBe(2)
      const begun = performance.now()

      await expect(CALLS[kind]?.(database)).rejects.toMatchObject({
        kind: 'transient',
        code: 'STORE_BUSY',
        message: expect.stringContaining('It may have been done all the same'),
      })

      expect(performance.now() - begun).toBeGreaterThan(SHORT_MS - 10)
      const after = await threads()
      // The one that waited stays as well when the deadline comes between two tries.
      expect(after.filter((thread) => before.includes(thread)).length).toBeGreaterThan(0)
    },
  )

  test('a heartbeat that waits for less leaves its connection to wait as long as before', async () => {
    const { database } = await ground(30_000)
    const waits = () => database.pool.use(async (connection) => (await connection.execute(LOCK_WAIT, [])).rows[0]?.[0])
    expect(await waits()).toBe(7)

    expect(await extendWaiting(database, 'w', [{ id: 'no job', epoch: 1 }], 60_000, 50)).toEqual(['lost'])

    expect(await waits()).toBe(7)
  })

  /** A store's database, whose row of hints somebody holds. */
  async function ground(deadlineMs: number) {
    const url = await freshStoreUrl(server, { deadline: `${deadlineMs}ms` })
    await migratedStore(url)
    const holder = await mysqlClient(url)
    await holder.beginTransaction()
    await holder.query(LOCK)
    const database = new MysqlDatabase(mysqlSettings(url), undefined, () => undefined)
    database.open()
    onTestFinished(() => database.close())
    return { database, holder, client: await mysqlClient(url) }
  }
})
