/** Work inside a caller's own open transaction: `{ tx }` takes the app's `mysql2` connection, of either kind, on the same database, or a handle of `millrace/tx`. */
import type { Connection as Raw } from 'mysql2'
import { ConfigError, MillraceError } from '../../core/errors.ts'
import { handleOf, type StatementTransaction } from '../contract/index.ts'
import { int } from '../sql/rows.ts'
import {
  Restart,
  type RowsStatement,
  type Session,
  type SqlResult,
  type SqlValue,
  type Statement,
  type Transaction,
} from '../sql/session.ts'
import { statementRunner, unusable } from '../sql/statements.ts'
import { BACK, lockingFound } from './beside.ts'
import { executeOn, runOn } from './connection.ts'
import type { MysqlDatabase } from './database.ts'
import { isConflict, isDuplicate, numberOf, translateError } from './errors.ts'
import { packetFault } from './packet.ts'
import type { Runner } from './runner.ts'
import { isTextColumn } from './values.ts'

const HAS_TABLE =
  'SELECT count(*), @@SESSION.sql_mode, @@max_allowed_packet FROM information_schema.tables WHERE table_schema = ? ' +
  'AND table_schema = database() AND table_name = ?'

/** Runs `fn` on the caller's connection, inside its transaction. */
export async function withinTransaction<T>(
  db: MysqlDatabase,
  tx: unknown,
  fn: (inner: Transaction) => Promise<T>,
): Promise<T> {
  const handle = handleOf(tx)
  try {
    const runner = stoppingAtConflict(
      handle?.kind === 'statements'
        ? libraryRunner(handle)
        : connectionRunner(handle === null ? tx : await handle.connection(), handle?.library),
    )
    await begunOrRefused(runner)
    const { rows } = await runner.execute(HAS_TABLE, [db.settings.target.database, 'millrace_job'])
    if (int(rows[0]?.[0]) === 0) {
      throw new ConfigError('CONFIG_INVALID', `\`tx\` is open on a database without the tables of ${db.pool.where}`, {
        hint: 'A transaction covers one database: open the store on the database of your app.',
      })
    }
    if (!String(rows[0]?.[1]).includes('STRICT_')) {
      throw new ConfigError(
        'CONFIG_INVALID',
        '`tx` is not in strict mode: what does not fit would be cut off silently',
        {
          hint: "Begin with: SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES').",
        },
      )
    }
    if (handle?.kind === 'statements' && String(rows[0]?.[1]).includes('NO_BACKSLASH_ESCAPES')) {
      throw new ConfigError(
        'CONFIG_INVALID',
        `\`tx\` of ${handle.library} is in the mode NO_BACKSLASH_ESCAPES: a library that writes values into its statements would write them wrongly`,
        { hint: 'Take it out of sql_mode, or pass the connection of mysql2 itself.' },
      )
    }
    const now = await db.nowOn(runner)
    const own = db.sessionOn(withPacketLimit(runner, Number(rows[0]?.[2])))
    const session = lockingFound(failingOnTaken(own), db.looks)
    return await fn({ ...session, select: own.select, now, known: new Set(), restarts: Number.MAX_SAFE_INTEGER })
  } catch (error) {
    // Neither the server nor Millrace says this, so the library does: the transaction is over, or speaks to another database.
    const isOurs = error instanceof MillraceError || numberOf(error) > 0 || error instanceof Restart
    if (handle !== null && !isOurs) throw unusable(handle.library, 'MySQL or MariaDB', error)
    throw translateError(error, db.pool.where)
  }
}

/**
 * A deadlock ends the caller's transaction at once, and what is sent behind the statement that met it would commit itself. So
 * each statement waits for the one before it, and after such an error none is sent any more but the way back to the savepoint:
 * a wait for a lock ends its statement alone, and what was written before that in the same batch is not to stay. After a
 * deadlock there is no savepoint: the server refuses that (1305), and commits nothing.
 */
export function stoppingAtConflict(runner: Runner): Runner {
  let last: Promise<unknown> = Promise.resolve()
  let conflict: { readonly error: unknown } | undefined
  const inTurn = <T>(text: string, send: () => Promise<T>): Promise<T> => {
    const answer = last.then(() => {
      if (conflict !== undefined && text !== BACK) throw conflict.error
      return send()
    })
    last = answer.catch((error: unknown) => {
      if (isConflict(error)) conflict ??= { error }
    })
    return answer
  }
  return {
    execute: (text, values) => inTurn(text, () => runner.execute(text, values)),
    run: (text) => inTurn(text, () => runner.run(text)),
  }
}

/** The same runner, but for packets that are larger than the server takes: it would end the caller's transaction. */
function withPacketLimit(runner: Runner, maxBytes: number): Runner {
  return {
    execute(text, values) {
      const fault = packetFault(values, maxBytes)
      return fault === null ? runner.execute(text, values) : Promise.reject(fault)
    },
    run: (text) => runner.run(text),
  }
}

function connectionRunner(connection: unknown, library: string | undefined): Runner {
  const raw = callbackConnection(connection)
  if (raw === null) {
    const whose = library === undefined ? '`tx`' : `the connection of this transaction of ${library}`
    throw new ConfigError('CONFIG_INVALID', `${whose} is not a connection of mysql2`, {
      hint: 'Pass the connection on which your transaction is open: of createConnection, what pool.getConnection() gave, or what an adapter of millrace/tx makes of a transaction on mysql2.',
    })
  }
  return {
    execute: (text, values) => executeOn(raw, text, values),
    run: (text) => runOn(raw, text),
  }
}

function libraryRunner(handle: StatementTransaction): Runner {
  const runner = statementRunner(handle, isTextColumn)
  return {
    execute: (text, values) => runner.query(text, values),
    run: async (text) => {
      await runner.query(text)
    },
  }
}

/**
 * What the caller's connection has set is not ours. The driver's usual setting counts a row that was left as a row that was
 * written, so an insert that would leave a row fails instead, and is tried again by whoever asked.
 */
function failingOnTaken(session: Session): Session {
  return {
    async query(statement: Statement, params?: readonly SqlValue[]): Promise<SqlResult> {
      if (typeof statement === 'string' || statement.write !== 'insert' || statement.onTaken !== 'skip') {
        return session.query(statement, params)
      }
      try {
        return await session.query(failing(statement), params)
      } catch (error) {
        if (!isDuplicate(error)) throw error
        throw new Restart('somebody else wrote the same meanwhile')
      }
    },
  }
}

const FAILING = new WeakMap<RowsStatement, RowsStatement>()

function failing(statement: Extract<RowsStatement, { readonly write: 'insert' }>): RowsStatement {
  const known = FAILING.get(statement)
  if (known !== undefined) return known
  const made: RowsStatement = { ...statement, onTaken: 'fail' }
  FAILING.set(statement, made)
  return made
}

/** Outside of a transaction each statement commits itself, and a savepoint is gone when the next one asks for it. */
async function begunOrRefused(runner: Runner): Promise<void> {
  try {
    await runner.run('SAVEPOINT tx_probe')
    await runner.run('RELEASE SAVEPOINT tx_probe')
  } catch (error) {
    if (numberOf(error) !== SAVEPOINT_UNKNOWN) throw error
    throw new ConfigError('CONFIG_INVALID', '`tx` has no open transaction', {
      hint: 'Begin one first: await connection.beginTransaction().',
    })
  }
}

const SAVEPOINT_UNKNOWN = 1305

/** The connection of the callback kind, which the promise kind wraps; null when it is none, or a pool. */
function callbackConnection(tx: unknown): Raw | null {
  if (typeof tx !== 'object' || tx === null) return null
  // The promise kind has its connection under this name.
  const inner: unknown = 'connection' in tx ? tx.connection : tx
  if (typeof inner !== 'object' || inner === null) return null
  const isConnection =
    'execute' in inner && typeof inner.execute === 'function' && 'threadId' in inner && !('getConnection' in inner)
  // It has what is used of one.
  return isConnection ? (inner as unknown as Raw) : null
}
