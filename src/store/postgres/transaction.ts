/** Work inside a caller's own open transaction: `{ tx }` takes the app's `pg` client on the same database. */
import { ConfigError } from '../../core/errors.ts'
import type { Columns } from '../sql/rows.ts'
import type { SqlResult, SqlValue, Transaction } from '../sql/session.ts'
import { parserOf } from './connection.ts'
import type { PostgresDatabase } from './database.ts'
import { ident } from './dialect.ts'
import { codeOf, translateError } from './errors.ts'

/** What is used of a `pg` client or a client of a pool. */
interface UserClient {
  query(config: {
    readonly text: string
    readonly values: readonly unknown[]
    readonly rowMode: 'array'
    readonly types: unknown
  }): Promise<{ readonly rows: unknown[]; readonly rowCount: number | null }>
}

const SAME_DATABASE = 'SELECT to_regclass($1)'

/** Runs `fn` on the caller's connection, inside its transaction. */
export async function withinTransaction<T>(
  db: PostgresDatabase,
  tx: unknown,
  fn: (inner: Transaction) => Promise<T>,
): Promise<T> {
  if (!isClient(tx)) {
    throw new ConfigError('CONFIG_INVALID', '`tx` is not a client of pg', {
      hint: 'Pass the client on which your transaction is open: a Client, or what pool.connect() gave.',
    })
  }
  const query = async (text: string, values: readonly SqlValue[] = []): Promise<SqlResult> => {
    const result = await tx.query({ text, values, rowMode: 'array', types: { getTypeParser: parserOf } })
    // Rows are arrays of what the parsers give.
    return { rows: result.rows as readonly unknown[] as readonly Columns[], changes: result.rowCount ?? 0 }
  }
  try {
    await begunOrRefused(query)
    const table = `${ident(db.settings.schema)}.job`
    if ((await query(SAME_DATABASE, [table])).rows[0]?.[0] == null) {
      throw new ConfigError('CONFIG_INVALID', `\`tx\` is open on a database without the tables of ${db.pool.where}`, {
        hint: 'A transaction covers one database: open the store on the database of your app.',
      })
    }
    const now = await db.nowOn({ query })
    return await fn({ ...db.sessionOn({ query }), now, known: new Set(), restarts: Number.MAX_SAFE_INTEGER })
  } catch (error) {
    throw translateError(error, db.pool.where)
  }
}

/** A savepoint needs a transaction block, which is the one way to ask for one that every version of the driver has. */
async function begunOrRefused(query: (text: string) => Promise<SqlResult>): Promise<void> {
  try {
    await query('SAVEPOINT tx_probe')
    await query('RELEASE SAVEPOINT tx_probe')
  } catch (error) {
    if (codeOf(error) !== '25P01') throw error
    throw new ConfigError('CONFIG_INVALID', '`tx` has no open transaction', {
      hint: "Begin one first: await client.query('BEGIN').",
    })
  }
}

function isClient(tx: unknown): tx is UserClient {
  if (typeof tx !== 'object' || tx === null || !('query' in tx) || typeof tx.query !== 'function') return false
  // A pool's own `query` may take another connection each time, so no transaction is open on a pool.
  return !('totalCount' in tx)
}
