/** A store with a user's own table in the same database, and transactions on connections of the user's own. */
import { DatabaseSync } from 'node:sqlite'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import type { TestServer } from '../support/servers.ts'
import { tempStorePath } from '../support/temp-store.ts'
import { type Begun, beginOn, tableOf } from './begin.ts'

/** Where the cases work. */
export interface Ground {
  readonly store: string
  begin(): Promise<Begun>
  /** The ids that were committed, in their order. */
  rows(): Promise<readonly string[]>
}

/** An SQLite file. */
export async function sqliteGround(): Promise<Ground> {
  const path = tempStorePath()
  const first = new DatabaseSync(path, { timeout: 5_000 })
  first.exec('PRAGMA journal_mode = WAL; CREATE TABLE effect (id TEXT NOT NULL)')
  onTestFinished(() => first.close())
  return {
    store: `sqlite:${path}`,
    begin: () => beginOn(`sqlite:${path}`),
    rows: async () =>
      first
        .prepare('SELECT id FROM effect ORDER BY id')
        .all()
        .map((row) => String(row.id)),
  }
}

/** A schema or database of a server. */
export async function serverGround(server: TestServer): Promise<Ground> {
  const store = server.borrowUrl()
  await server.create(store)
  onTestFinished(() => server.giveBack(store))
  const table = tableOf(store)
  // allow sql: the table of the test
  const select = `SELECT id FROM ${table} ORDER BY id`
  // allow sql: the table of the test
  const create = `CREATE TABLE IF NOT EXISTS ${table} (id varchar(80) NOT NULL)`
  if (server.kind === 'mysql') {
    const connection = await createConnection(store)
    onTestFinished(() => connection.end())
    const rows = async () => (await connection.query<RowDataPacket[]>(select))[0].map(({ id }) => String(id))
    await connection.query(create)
    return { store, begin: () => beginOn(store), rows }
  }
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  onTestFinished(() => client.end())
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${table.replace(/\.effect$/, '')}`)
  await client.query(create)
  return { store, begin: () => beginOn(store), rows: async () => (await client.query(select)).rows.map(({ id }) => id) }
}
