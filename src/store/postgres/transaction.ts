/** Work inside a caller's own open transaction: `{ tx }` takes the app's `pg` client on the same database, or a handle of `millrace/tx`. */
import { ConfigError, MillraceError } from '../../core/errors.ts'
import { handleOf } from '../contract/index.ts'
import { codeOf } from '../sql/network-error.ts'
import type { Columns } from '../sql/rows.ts'
import type { Transaction } from '../sql/session.ts'
import { inLine, type StatementRunner, statementRunner, unusable } from '../sql/statements.ts'
import { parserOf } from './connection.ts'
import type { PostgresDatabase } from './database.ts'
import { ident } from './dialect.ts'
import { translateError } from './errors.ts'

/** What is used of a `pg` client or a client of a pool. */
interface UserClient {
  query(config: {
    readonly text: string
    readonly values: readonly unknown[]
    readonly rowMode: 'array'
    readonly types: unknown
  }): Promise<{ readonly rows: unknown[]; readonly rowCount: number | null }>
}

/** As text: libraries do not know the type of a name. */
const SAME_DATABASE = 'SELECT to_regclass($1)::text'

/** Runs `fn` on the caller's connection, inside its transaction. `isOwn`: through `pg` itself, which takes arrays as bytes. */
export async function withinTransaction<T>(
  db: PostgresDatabase,
  tx: unknown,
  fn: (inner: Transaction, isOwn: boolean) => Promise<T>,
): Promise<T> {
  const handle = handleOf(tx)
  const isOwn = handle?.kind !== 'statements'
  try {
    const runner =
      handle?.kind === 'statements'
        ? statementRunner(handle, () => false)
        : clientRunner(handle === null ? tx : await handle.connection(), handle?.library)
    await begunOrRefused(runner)
    const table = `${ident(db.settings.schema)}.job`
    if ((await runner.query(SAME_DATABASE, [table])).rows[0]?.[0] == null) {
      throw new ConfigError('CONFIG_INVALID', `\`tx\` is open on a database without the tables of ${db.pool.where}`, {
        hint: 'A transaction covers one database: open the store on the database of your app.',
      })
    }
    const now = await db.nowOn(runner)
    const inner = { ...db.sessionOn(runner), now, known: new Set<string>(), restarts: Number.MAX_SAFE_INTEGER }
    return await fn(inner, isOwn)
  } catch (error) {
    if (handle !== null && isUnusable(error)) throw unusable(handle.library, 'PostgreSQL', error)
    throw translateError(error, db.pool.where)
  }
}

/** Neither the server nor Millrace says this, so the library does: the transaction is over, or speaks to another database. */
function isUnusable(error: unknown): boolean {
  return !(error instanceof MillraceError) && codeOf(error).length !== 5
}

function clientRunner(client: unknown, library: string | undefined): StatementRunner {
  if (!isClient(client)) {
    const whose = library === undefined ? '`tx`' : `the connection of this transaction of ${library}`
    throw new ConfigError('CONFIG_INVALID', `${whose} is not a client of pg`, {
      hint: 'Pass the client on which your transaction is open: a Client, what pool.connect() gave, or what an adapter of millrace/tx makes of a transaction on pg.',
    })
  }
  // A client that does not pipeline is going to refuse a statement while another one runs.
  return inLine(async (text, values) => {
    const result = await client.query({ text, values, rowMode: 'array', types: { getTypeParser: parserOf } })
    // Rows are arrays of what the parsers give.
    return { rows: result.rows as readonly unknown[] as readonly Columns[], changes: result.rowCount ?? 0 }
  })
}

/** A savepoint needs a transaction block, which is the one way to ask for one that every version of the driver has. */
async function begunOrRefused({ query }: StatementRunner): Promise<void> {
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
