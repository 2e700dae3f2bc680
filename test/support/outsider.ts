/** Somebody else's session on the database of a store, of either kind: it ends sessions, and holds locks. */
import type { RowDataPacket } from 'mysql2/promise'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import { connectMysql } from './mysql-client.ts'

/** A session beside a store's own. It ends when the test has finished. */
export interface Outsider {
  /** Runs statements that need no answer, each by itself. */
  run(...statements: readonly string[]): Promise<void>
  /** Begins a transaction and locks a job's row in it. */
  lock(jobId: string): Promise<void>
  /** Ends that transaction. */
  release(): Promise<void>
  /** Ends the other sessions on this store. Returns how many. */
  endOthers(): Promise<number>
  /** Ends one of them: `pick` gives a number from 0 to 1 that says which. False when there is none. */
  endOne(pick: () => number): Promise<boolean>
  /** The same, and resolves when the server has forgotten them. */
  endOthersForGood(): Promise<void>
  close(): Promise<void>
}

/** Connects to the database of a store's URL, which must exist. */
export async function outsiderOn(url: string): Promise<Outsider> {
  const session = url.startsWith('postgres') ? await postgresSession(url) : await mysqlSession(url)
  const endOthers = async () => {
    const ids = await session.others()
    for (const id of ids) await session.end(id)
    return ids.length
  }
  return {
    async run(...statements) {
      for (const statement of statements) await session.run(statement)
    },
    async lock(jobId) {
      await session.run('START TRANSACTION')
      await session.lock(jobId)
    },
    release: () => session.run('ROLLBACK'),
    endOthers,
    async endOne(pick) {
      const ids = await session.others()
      const id = ids[Math.floor(pick() * ids.length)]
      if (id !== undefined) await session.end(id)
      return id !== undefined
    },
    async endOthersForGood() {
      while ((await endOthers()) > 0) await new Promise(setImmediate)
    },
    close: () => session.close(),
  }
}

interface Session {
  run(statement: string): Promise<void>
  lock(jobId: string): Promise<void>
  others(): Promise<readonly number[]>
  end(id: number): Promise<void>
  close(): Promise<void>
}

/** Sessions on a schema, known by the statements that they ran last. */
const POSTGRES_OTHERS = `SELECT pid FROM pg_stat_activity WHERE application_name = 'millrace' AND query LIKE $1`

async function postgresSession(url: string): Promise<Session> {
  const plain = new URL(url)
  const schema = plain.searchParams.get('schema') ?? ''
  plain.search = ''
  const client = new pg.Client({ connectionString: plain.href })
  // It may be the server that ends.
  client.on('error', () => undefined)
  await client.connect()
  const close = () => client.end()
  onTestFinished(close)
  const lock = `SELECT 1 FROM ${pg.escapeIdentifier(schema)}.job WHERE id = $1 FOR UPDATE`
  return {
    async run(statement) {
      await client.query(statement)
    },
    async lock(jobId) {
      await client.query(lock, [jobId])
    },
    others: async () => (await client.query(POSTGRES_OTHERS, [`%${schema}%`])).rows.map((row) => Number(row.pid)),
    async end(id) {
      await client.query('SELECT pg_terminate_backend($1)', [id])
    },
    close,
  }
}

const MYSQL_OTHERS = 'SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()'

async function mysqlSession(url: string): Promise<Session> {
  const client = await connectMysql(url)
  // It may be the server that ends.
  client.on('error', () => undefined)
  const close = () => client.end().catch(() => undefined)
  onTestFinished(close)
  return {
    async run(statement) {
      await client.query(statement)
    },
    async lock(jobId) {
      await client.execute('SELECT 1 FROM millrace_job WHERE id = ? FOR UPDATE', [jobId])
    },
    others: async () => (await client.query<RowDataPacket[]>(MYSQL_OTHERS))[0].map((row) => Number(row.id)),
    async end(id) {
      // One that has ended by itself meanwhile is no longer known.
      await client.query(`KILL ${id}`).catch(() => undefined)
    },
    close,
  }
}
