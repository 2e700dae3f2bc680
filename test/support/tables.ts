/** The tables of any store, read behind its back: one wording for every database. */
import { DatabaseSync } from 'node:sqlite'
import type { ResultSetHeader, RowDataPacket } from 'mysql2/promise'
import pg from 'pg'
import { connectMysql } from './mysql-client.ts'

/** A row by the names of its columns. Bytes that a server keeps text in are text. */
export type TableRow = Readonly<Record<string, unknown>>

/** The kinds of store that outlive a process. */
export type StoreKind = 'sqlite' | 'postgres' | 'mysql'

/** Somebody else's way to the tables of a store. */
export interface Tables {
  readonly kind: StoreKind
  /** What a statement gives that calls the store's tables `millrace_…`; any other name is a table beside them. */
  rows(sql: string): Promise<readonly TableRow[]>
  /** Resolves when the server has forgotten these sessions of its own numbering, with all that they had been sent. */
  gone(sessions: readonly number[]): Promise<void>
}

/** What `read` makes of the tables of the store at a URL, which must exist. */
export async function readTables<T>(url: string, read: (tables: Tables) => Promise<T>): Promise<T> {
  return READERS[kindOf(url)](url, read)
}

/** Which kind of store a URL names, as the tests write it. */
export function kindOf(url: string): StoreKind {
  if (url.startsWith('sqlite:')) return 'sqlite'
  return url.startsWith('postgres') ? 'postgres' : 'mysql'
}

/** The file of an SQLite store. */
export function pathOf(url: string): string {
  return url.slice('sqlite:'.length).replace(/\?.*$/, '')
}

const READERS = { sqlite: readFile, postgres: readPostgres, mysql: readMysql } as const

async function readFile<T>(url: string, read: (tables: Tables) => Promise<T>): Promise<T> {
  const db = new DatabaseSync(pathOf(url), { timeout: 10_000 })
  const rows: Tables['rows'] = async (sql) => db.prepare(sql).all()
  try {
    // A process that was killed has left nothing that goes on.
    return await read({ kind: 'sqlite', rows, gone: async () => undefined })
  } finally {
    db.close()
  }
}

async function readPostgres<T>(url: string, read: (tables: Tables) => Promise<T>): Promise<T> {
  const plain = new URL(url)
  const schema = pg.escapeIdentifier(plain.searchParams.get('schema') ?? '')
  plain.search = ''
  const client = new pg.Client({ connectionString: plain.href })
  await client.connect()
  const rows: Tables['rows'] = async (sql) => {
    return (await client.query(sql.replace(/\bmillrace_(?=[a-z])/g, `${schema}.`))).rows
  }
  const alive = async (sessions: readonly number[]) => {
    const { rows: found } = await client.query('SELECT pid FROM pg_stat_activity WHERE pid = ANY ($1)', [sessions])
    return found.length
  }
  try {
    await client.query(`SET search_path TO ${schema}`)
    return await read({ kind: 'postgres', rows, gone: (sessions) => none(() => alive(sessions)) })
  } finally {
    await client.end()
  }
}

async function readMysql<T>(url: string, read: (tables: Tables) => Promise<T>): Promise<T> {
  const client = await connectMysql(url)
  const rows: Tables['rows'] = async (sql) => {
    const [found] = await client.query<RowDataPacket[] | ResultSetHeader>(sql)
    return Array.isArray(found) ? found.map(textual) : []
  }
  const alive = async (sessions: readonly number[]) => {
    const ids = (await rows('SELECT id FROM information_schema.processlist')).map(({ id }) => Number(id))
    return ids.filter((id) => sessions.includes(id)).length
  }
  try {
    return await read({ kind: 'mysql', rows, gone: (sessions) => none(() => alive(sessions)) })
  } finally {
    await client.end()
  }
}

const GONE_MS = 30_000

async function none(count: () => Promise<number>): Promise<void> {
  const deadline = performance.now() + GONE_MS
  for (let left = await count(); left > 0; left = await count()) {
    if (performance.now() > deadline) throw new Error(`${left} sessions are still there after ${GONE_MS} ms`)
  }
}

function textual(row: RowDataPacket): TableRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, Buffer.isBuffer(value) ? value.toString() : value]),
  )
}
