/**
 * Statements on a transaction that a library holds: one after the other, since a library may have no line of its own, and a
 * savepoint must not be rolled back to before the statements sent ahead of it have answered. Rows come as the library likes:
 * lists or objects, whole numbers as numbers, bigints or text, bytes as some view. Here they become what the store reads.
 */
import { ConfigError } from '../../core/errors.ts'
import type { StatementTransaction } from '../contract/index.ts'
import type { Columns } from './rows.ts'
import type { SqlResult, SqlValue } from './session.ts'

/** Whole numbers by the names of their columns: the `bigint`s of the schema, and what the stores ask besides. */
const WHOLE: ReadonlySet<string> = new Set([
  ...['version', 'priority', 'state', 'created_at', 'run_at', 'expires_at', 'timeout_ms', 'waiting_on', 'dependents'],
  ...['attempts', 'attempt_offset', 'losses', 'crashes', 'epoch', 'claimed_at', 'lease_until', 'started_at'],
  ...['finished_at', 'cancelling', 'until_at', 'now', 'greatest', 'count', 'count(*)'],
])

/** What gives rows; everything else gives a count. */
const GIVES_ROWS = /^(SELECT|WITH|\()|\bRETURNING\b/i

/** How a store's statements run on such a transaction. */
export interface StatementRunner {
  query(text: string, params?: readonly SqlValue[]): Promise<SqlResult>
}

/** A runner over a library's transaction. `isText` says of a column whether bytes in it are text in UTF-8. */
export function statementRunner(tx: StatementTransaction, isText: (column: string) => boolean): StatementRunner {
  return inLine(async (text, params) => {
    const values = params.map(bindable)
    if (!GIVES_ROWS.test(text)) return { rows: [], changes: await tx.execute(text, values) }
    const rows = (await tx.query(text, values)).map((row) => columnsIn(row, isText))
    return { rows, changes: rows.length }
  })
}

/** A runner whose statements wait for each other, whatever their answers. */
export function inLine(run: (text: string, params: readonly SqlValue[]) => Promise<SqlResult>): StatementRunner {
  let line: Promise<unknown> = Promise.resolve()
  return {
    query(text, params = []) {
      const answer = line.then(() => run(text, params))
      // Whoever asked hears of it; those behind only wait their turn.
      line = answer.catch(() => undefined)
      return answer
    },
  }
}

/** The error for a library's transaction that runs no statement of ours: it is over, or of another kind of database. */
export function unusable(library: string, database: string, error: unknown): ConfigError {
  const said = error instanceof Error ? error.message : String(error)
  return new ConfigError('CONFIG_INVALID', `this transaction of ${library} cannot be used here: ${said}`, {
    fields: { library },
    hint: `It has to be open still, and on the database of the store: ${database}.`,
    cause: error,
  })
}

/** Lists travel as PostgreSQL's text for arrays: what a library makes of a list of its own is not known. */
function bindable(value: SqlValue): string | number | null | Uint8Array {
  if (!Array.isArray(value)) return value as Exclude<SqlValue, readonly unknown[]>
  return `{${value.map((one) => `"${String(one).replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`
}

function columnsIn(row: unknown, isText: (column: string) => boolean): Columns {
  if (Array.isArray(row)) return row.map((value) => columnOf('', value, isText))
  return Object.entries(row as object).map(([name, value]) => {
    // An object puts keys that look like numbers first, whatever their column.
    if (/^\d+$/.test(name)) throw new TypeError(`the column ${name} of a statement needs a name`)
    return columnOf(name, value, isText)
  })
}

function columnOf(name: string, value: unknown, isText: (column: string) => boolean): Columns[number] {
  switch (typeof value) {
    case 'number':
      return value
    case 'string':
      return WHOLE.has(name) ? whole(value) : value
    case 'bigint':
      return whole(value)
    case 'boolean':
      return value ? 1 : 0
    default:
      if (value === null || value === undefined) return null
      if (value instanceof Uint8Array) {
        return isText(name) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString() : value
      }
      // A decimal of the library's own.
      return WHOLE.has(name) ? whole(String(value)) : String(value)
  }
}

function whole(value: string | bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) || typeof value === 'string' ? number : value
}
