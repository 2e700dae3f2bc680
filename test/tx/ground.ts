/** A store with a user's own table in the same database, and transactions on connections of the user's own. */
import { DatabaseSync } from 'node:sqlite'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import type { TestServer } from '../support/servers.ts'
import { tempStorePath } from '../support/temp-store.ts'

/** A user's transaction. */
export interface Begun {
  readonly tx: unknown
  write(id: string): Promise<void>
  end(how: 'commit' | 'rollback'): Promise<void>
}

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
  const open = () => new DatabaseSync(path, { timeout: 5_000 })
  const first = open()
  first.exec('PRAGMA journal_mode = WAL; CREATE TABLE effect (id TEXT NOT NULL)')
  onTestFinished(() => first.close())
  return {
    store: `sqlite:${path}`,
    async begin() {
      const tx = open()
      tx.exec('BEGIN IMMEDIATE')
      return {
        tx,
        write: async (id) => void tx.prepare('INSERT INTO effect VALUES (?)').run(id),
        async end(how) {
          tx.exec(how)
          tx.close()
        },
      }
    },
    rows: async () =>
      first
        .prepare('SELECT id FROM effect ORDER BY id')
        .all()
        .map((row) => String(row.id)),
  }
}

/** The name of the user's table on a store's server, as it stands in statements. */
export function tableOf(store: string): string {
  const { protocol, searchParams } = new URL(store)
  return protocol === 'mysql:' ? 'effect' : `${pg.escapeIdentifier(searchParams.get('schema') ?? '')}.effect`
}

/** Begins a transaction on a server, on a connection of its own. */
export async function beginOn(store: string): Promise<Begun> {
  // allow sql: the table of the test
  const insert = `INSERT INTO ${tableOf(store)} (id) VALUES`
  if (store.startsWith('mysql:')) {
    const tx = await createConnection(store)
    await tx.beginTransaction()
    return {
      tx,
      write: async (id) => void (await tx.execute(`${insert} (?)`, [id])),
      async end(how) {
        await tx[how]()
        await tx.end()
      },
    }
  }
  const tx = new pg.Client({ connectionString: store })
  await tx.connect()
  await tx.query('BEGIN')
  return {
    tx,
    write: async (id) => void (await tx.query(`${insert} ($1)`, [id])),
    async end(how) {
      await tx.query(how)
      await tx.end()
    },
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
