/**
 * What waits for a lock that somebody holds: it lets go of what it holds itself and is run again, until its deadline has passed; and
 * what the server ends for the time it took is told so. Neither costs the connections that lie idle.
 */
import pg from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Connection } from '../../src/store/postgres/connection.ts'
import { PostgresDatabase } from '../../src/store/postgres/database.ts'
import { extendWaiting } from '../../src/store/postgres/extend.ts'
import { postgresSettings } from '../../src/store/postgres/options.ts'
import type { Transaction } from '../../src/store/sql/session.ts'
import { describeOn, freshStoreUrl, migratedStore, withDeadline } from '../support/servers.ts'
import { startProxyTo } from '../support/tcp-proxy.ts'

const LONG_MS = 6_000
const MIDDLE_MS = 3_000
const SHORT_MS = 1_500
const WAIT = { timeout: 10_000, interval: 20 }
const ROW = 'SELECT version FROM millrace_state'
const LOCK = `${ROW} FOR UPDATE`
const COUNT = 'SELECT count(*) FROM millrace_state'
const WRITE = 'UPDATE millrace_state SET version = version + 1 WHERE NOW_SQL > 0'
const RIDDEN =
  'WITH t AS MATERIALIZED (SELECT NOW_SQL AS now) UPDATE millrace_state SET version = version + 1 FROM t WHERE t.now > 0'
const INSERT = 'INSERT INTO millrace_queue (name) VALUES ($1)'
const SET = "SELECT current_setting('lock_timeout'), current_setting('statement_timeout')"
const LOCK_TABLE = 'LOCK TABLE millrace_state IN ACCESS EXCLUSIVE MODE'
const CONFLICT = "DO $$ BEGIN PERFORM pg_sleep(0.4); RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$"
const LEASES = [{ id: 'held', epoch: 1 }]

/** Each way in which a call may wait. */
const CALLS: Readonly<Record<string, (database: PostgresDatabase) => Promise<unknown>>> = {
  statement: (database) => database.statement(database.timed(WRITE), [database.nowParam()], 'ordinary'),
  read: (database) => database.read((session) => session.query(ROW)),
  transaction: (database) => database.transact((tx) => tx.query(LOCK)),
  'transaction whose statements wait one behind the other': (database) =>
    database.transact((tx) => Promise.all([tx.query(LOCK), tx.query(LOCK), tx.query(LOCK)])),
}

/** Each way in which a call may meet conflicts. */
const CONFLICTS: Readonly<Record<string, (database: PostgresDatabase) => Promise<unknown>>> = {
  statement: (database) => database.statement(CONFLICT, [], 'ordinary'),
  read: (database) => database.read((session) => session.query(CONFLICT)),
  transaction: (database) => database.transact((tx) => tx.query(CONFLICT)),
}

await describeOn('postgres', (server) => {
  test('a transaction that waits for a row undoes what it wrote and is run again, until the row is free', async () => {
    const { database, holder } = await ground(LONG_MS, LOCK)
    let tries = 0
    const call = database.transact(async (tx: Transaction) => {
      tries++
      // If these were still there from the try before, they would be refused.
      await tx.query(INSERT, ['before'])
      await Promise.all([tx.query(LOCK), tx.query(INSERT, ['behind'])])
    })
    await expect.poll(() => tries, WAIT).toBeGreaterThan(2)

    await holder.query('ROLLBACK')
    await call

    const { rows } = await database.read((session) => session.query('SELECT name FROM millrace_queue ORDER BY name'))
    expect(rows).toEqual([['before'], ['behind']])
  })

  test.each(['statement', 'read'])('a %s by itself is run again, too', async (kind) => {
    const { database, holder } = await ground(LONG_MS, LOCK_TABLE)
    const sent = sending('."state"')
    const call = CALLS[kind]?.(database)
    await expect.poll(sent, WAIT).toBeGreaterThan(2)

    await holder.query('ROLLBACK')

    expect(await call).toMatchObject({ changes: 1 })
  })

  test('when one of several statements has waited in vain, nobody is given the connection on which the others still wait', async () => {
    const { database, holder } = await ground(LONG_MS, LOCK_TABLE)
    const query = vi.spyOn(Connection.prototype, 'query')
    onTestFinished(() => query.mockRestore())
    const call = database.read((session) => Promise.all([session.query(ROW), session.query(COUNT)]))
    await expect.poll(() => query.mock.contexts.length, WAIT).toBe(6)

    await holder.query('ROLLBACK')

    expect(await call).toMatchObject([{ changes: 1 }, { rows: [[1]] }])
    expect(new Set(query.mock.contexts).size).toBe(3)
  })

  test.each(Object.keys(CALLS))(
    'a %s waits to its deadline, is told STORE_BUSY, and idle connections stay',
    async (kind) => {
      const { database } = await ground(SHORT_MS, LOCK_TABLE)
      const before = await twoPids(database)
      const begun = performance.now()

      await expect(CALLS[kind]?.(database)).rejects.toMatchObject({
        kind: 'transient',
        code: 'STORE_BUSY',
        message: expect.stringMatching(
          kind === 'read' ? /it waited for a lock$/ : /it waited for a lock\. It may have been done all the same/,
        ),
        hint: expect.stringContaining('pg_stat_activity'),
      })

      const took = performance.now() - begun
      expect(took).toBeGreaterThan(SHORT_MS - 10)
      expect(took).toBeLessThan(2 * SHORT_MS)
      const after = await twoPids(database)
      // The one that waited stays as well when the deadline comes between two tries.
      expect(after.filter((pid) => before.includes(pid)).length).toBeGreaterThan(0)
    },
  )

  test('a statement that works for too long is ended by the server before its call is late', async () => {
    const { database } = await ground(MIDDLE_MS, LOCK)
    const before = await twoPids(database)
    const begun = performance.now()

    await expect(database.read((session) => session.query('SELECT pg_sleep(60)'))).rejects.toMatchObject({
      kind: 'transient',
      code: 'STORE_BUSY',
      message: expect.stringContaining('took too long'),
    })

    expect(performance.now() - begun).toBeLessThan(MIDDLE_MS)
    expect((await twoPids(database)).toSorted()).toEqual(before.toSorted())
  })

  test.each(Object.keys(CONFLICTS))('all tries of a %s that meets conflicts have one deadline', async (kind) => {
    const { database } = await ground(SHORT_MS, LOCK)
    const begun = performance.now()

    await expect(CONFLICTS[kind]?.(database)).rejects.toMatchObject({ kind: 'transient' })

    // Eight of them take more than twice as long.
    expect(performance.now() - begun).toBeLessThan(2 * SHORT_MS)
  })

  test('who does not answer at all is STORE_UNREACHABLE, and none of the connections stays', async () => {
    const { url } = await ground(SHORT_MS, LOCK)
    const { proxy, url: through } = await startProxyTo(url)
    const database = opened(through)
    const before = await twoPids(database)
    proxy.setSilent(true)

    await expect(CALLS.transaction?.(database)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })

    proxy.setSilent(false)
    const after = await twoPids(database)
    expect(after.filter((pid) => before.includes(pid))).toEqual([])
  })

  test('a heartbeat that waits for less is told so at once, and the connection waits as long as before', async () => {
    const { database } = await ground(30_000, 'SELECT 1 FROM millrace_job FOR UPDATE')
    const sent = sending('."job"')

    await expect(extendWaiting(database, 'w', LEASES, 60_000, 50)).rejects.toMatchObject({ code: 'STORE_BUSY' })

    expect(sent()).toBe(1)
    const { rows } = await database.read((session) => session.query(SET))
    expect(rows).toEqual([['7500ms', '27s']])
  })

  test('one that waits as long as it may is sent again', async () => {
    const { database, holder } = await ground(LONG_MS, 'SELECT 1 FROM millrace_job FOR UPDATE')
    const sent = sending('."job"')
    const call = extendWaiting(database, 'w', LEASES, 60_000)
    await expect.poll(sent, WAIT).toBeGreaterThan(1)

    await holder.query('ROLLBACK')

    expect(await call).toEqual(['held'])
  })

  test('a ride that a lock is in the way of goes on without its hint within the same deadline', async () => {
    const { database } = await ground(SHORT_MS, LOCK, true)
    const begun = performance.now()
    const heard: boolean[] = []
    const text = database.timed(RIDDEN)

    await expect(
      database.newsStatement(text, [database.nowParam()], true, (isHinted) => heard.push(isHinted)),
    ).rejects.toMatchObject({ code: 'STORE_BUSY', message: expect.stringContaining('waited for a lock') })

    expect(performance.now() - begun).toBeLessThan(SHORT_MS + 1_000)
    expect(heard).not.toContain(true)
  })

  /** A store's database with one row of state and one job that runs, in which somebody else has run `lock`. */
  async function ground(deadlineMs: number, lock: string, rides = false) {
    const url = withDeadline(await freshStoreUrl(server), deadlineMs)
    const store = await migratedStore(url)
    const database = opened(url, rides)
    await store.state.put('k', '', null)
    await store.jobs.insert([{ id: 'held', name: 'n', version: 1, queue: 'q', priority: 5, payload: new Uint8Array() }])
    const claim = { workerId: 'w', queues: 'all', names: ['n'], limit: 1, leaseMs: 30_000 } as const
    await store.jobs.exchange({ workerId: 'w', settle: [], claim })
    await database.transact((tx) => tx.query('DELETE FROM millrace_queue'))
    const holder = new pg.Client({ connectionString: server.url })
    await holder.connect()
    onTestFinished(() => holder.end())
    await holder.query('BEGIN')
    await holder.query(database.dialect.compile(lock))
    return { url, database, holder }
  }
})

function opened(url: string, rides = false): PostgresDatabase {
  const hint = ['channel', 'mark'] as const
  const hints = { hint() {}, hintBehind: () => false, ride: () => (rides ? hint : null), rode() {} }
  const database = new PostgresDatabase(postgresSettings(url), undefined, hints)
  database.pool.open()
  onTestFinished(() => database.pool.close())
  return database
}

/** How many statements on this table were sent from now on. */
function sending(table: string): () => number {
  const query = vi.spyOn(Connection.prototype, 'query')
  onTestFinished(() => query.mockRestore())
  return () => query.mock.calls.filter(([text]) => text.includes(table)).length
}

/** The server's numbers of two connections of the pool. */
async function twoPids(database: PostgresDatabase): Promise<readonly unknown[]> {
  const both = Promise.withResolvers<void>()
  let begun = 0
  const pid = () =>
    database.pool.use(async (connection) => {
      if (++begun === 2) both.resolve()
      await both.promise
      return (await connection.query('SELECT pg_backend_pid()')).rows[0]?.[0]
    })
  const pids = await Promise.all([pid(), pid()])
  expect(new Set(pids).size).toBe(2)
  return pids
}
