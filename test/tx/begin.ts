/**
 * A transaction of a user's own on the database of a store, on a connection of its own. For processes without Vitest too, most
 * of which never begin one: what it takes is loaded when it is used.
 */
import { DatabaseSync } from 'node:sqlite'

/** A user's transaction. */
export interface Begun {
  readonly tx: unknown
  write(id: string): Promise<void>
  end(how: 'commit' | 'rollback'): Promise<void>
}

/** The name of the user's table on a store's server, as it stands in statements. */
export function tableOf(store: string): string {
  const { protocol, searchParams } = new URL(store)
  return protocol === 'mysql:' ? 'effect' : `"${(searchParams.get('schema') ?? '').replaceAll('"', '""')}".effect`
}

/** How long SQLite waits for the lock, the event loop with it. */
const BUSY_MS = 5_000

/** Begins a transaction. Its `write` needs the user's table; see `tableOf`. `busyMs`: how long SQLite waits, not turning the loop. */
export async function beginOn(store: string, busyMs = BUSY_MS): Promise<Begun> {
  if (store.startsWith('sqlite:')) return beginOnFile(store.slice('sqlite:'.length).replace(/\?.*$/, ''), busyMs)
  // allow sql: the table of the test
  const insert = `INSERT INTO ${tableOf(store)} (id) VALUES`
  if (store.startsWith('mysql:')) {
    const { createConnection } = await import('mysql2/promise')
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
  const { default: pg } = await import('pg')
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

function beginOnFile(path: string, busyMs: number): Begun {
  const tx = new DatabaseSync(path, { timeout: busyMs })
  try {
    tx.exec('BEGIN IMMEDIATE')
  } catch (error) {
    tx.close()
    throw error
  }
  return {
    tx,
    write: async (id) => void tx.prepare('INSERT INTO effect VALUES (?)').run(id),
    async end(how) {
      tx.exec(how)
      tx.close()
    },
  }
}
