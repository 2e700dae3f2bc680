/**
 * What the slow road needs of a database: to run statements, one after the other, inside transactions. Everything that is
 * not hot (control, due, leases, bonds, reads) is written once over these types; a driver gives a `Dialect` and a `Database`.
 *
 * Statements are written with `$1…$n`, tables as `millrace_job`, and four forms that a dialect replaces:
 * `x IN LIST($1 text)` for one list parameter, `ROWS($1: id text, at int) v` for a table made of one parameter (`rowsJson`),
 * `BYTES(v.data)` for bytes that came in such a table, and `REMEMBERED(v.id)` for the condition that an id is remembered
 * (`remembered.ts`). What no text can say in both worlds is a `RowsStatement`.
 */
import type { QueryWords } from './query/words.ts'
import type { Columns } from './rows.ts'
import type { Urgency } from './shares.ts'

/** A bound value. A list goes where the statement says LIST. */
export type SqlValue = string | number | null | Uint8Array | readonly string[] | readonly number[]

/** How a column travels in a table of rows. */
export type ColumnType = 'text' | 'int' | 'real' | 'bytes'
/** Columns by name, each with how it travels. */
export type ColumnTypes = Readonly<Record<string, ColumnType>>

/** A write of many rows, which are one parameter (`rowsJson`). `table` is a name without its prefix: `job`. */
export type RowsStatement =
  /** `onTaken` (a row with this `key` is there): fail, leave it, or overwrite the columns named. */
  | {
      readonly write: 'insert'
      readonly table: string
      readonly columns: ColumnTypes
      readonly key: readonly string[]
      readonly onTaken: 'fail' | 'skip' | readonly string[]
    }
  /** Sets columns of the rows that `key` finds, which is unique. */
  | { readonly write: 'update'; readonly table: string; readonly key: ColumnTypes; readonly set: ColumnTypes }
  | { readonly write: 'delete'; readonly table: string; readonly key: ColumnTypes }

/** Text, or a write of many rows. */
export type Statement = string | RowsStatement

/** What a statement gave. */
export interface SqlResult {
  readonly rows: readonly Columns[]
  /** Rows written; for a read, rows found. */
  readonly changes: number
}

/** One connection's way to run statements. Calls that are not awaited in between may travel together; they run in order. */
export interface Session {
  query(statement: Statement, params?: readonly SqlValue[]): Promise<SqlResult>
}

/** A session that runs queries by filter too. */
export interface QuerySession extends Session {
  /** Runs a SELECT that was compiled for this very database (`query/`): its text and values go as they are. */
  select(text: string, values: readonly SqlValue[]): Promise<readonly Columns[]>
}

/** A session inside a transaction. */
export interface Transaction extends QuerySession {
  /** The store's time of this transaction, milliseconds since the epoch. */
  readonly now: number
  /** Jobs that an earlier try of this transaction found it has to lock; `Restart` after adding to it. */
  readonly known: Set<string>
  /** How often this transaction was begun before. */
  readonly restarts: number
}

/** Thrown inside a transaction to roll it back and run it again, with what it learned in `known`. */
export class Restart extends Error {}

/** How statements are said to one kind of database. */
export interface Dialect {
  /** The statement as the database takes it. Numbers of parameters may come in any order in its text. Cheap when asked again. */
  compile(statement: Statement): string
  /** How queries by filter are said. */
  readonly words: QueryWords
}

/** One store's database: connections, transactions, time. */
export interface Database {
  readonly dialect: Dialect
  /** Runs what only reads, on one connection, outside of a transaction. */
  read<T>(fn: (session: QuerySession) => Promise<T>): Promise<T>
  /**
   * Runs `fn` in one transaction, again when it throws `Restart` or meets a deadlock. `urgency`: whom it goes ahead of where calls
   * wait for a connection, ordinary by default.
   */
  transact<T>(fn: (tx: Transaction) => Promise<T>, urgency?: Urgency): Promise<T>
  /** The store's time: the server's clock, kept from going back. */
  time(): Promise<number>
  /** Tells workers and waiters elsewhere, soon, that jobs became claimable, ended, or were asked to stop. */
  hint(): void
}

/** Rows as the one parameter of a `RowsStatement` or a ROWS form. Bytes travel as hexadecimal text. */
export function rowsJson(rows: readonly Readonly<Record<string, SqlValue>>[]): string {
  return JSON.stringify(rows, function (this: Readonly<Record<string, unknown>>, name, value: unknown) {
    // Looked at as it stands in the row: a Buffer comes here as what its own `toJSON` made of it.
    const own = this[name]
    return own instanceof Uint8Array ? hexOf(own) : value
  })
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
