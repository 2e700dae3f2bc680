/**
 * A caller's open transaction as `millrace/tx` hands it to a store, when it is held by a library and not by the driver.
 *
 * A library either lets one reach the driver's own connection (then the store does with it what it does with one that it is
 * given directly), or only runs statements on it. The mark is a registered symbol, so that two copies of this package agree.
 */
const MARK = Symbol.for('millrace.transaction')

/** A value that a store binds through a library. */
export type TransactionValue = string | number | null | Uint8Array

/** The driver's own connection of a transaction. */
export interface DriverTransaction {
  readonly kind: 'driver'
  /** What errors call it: `Drizzle`. */
  readonly library: string
  /** The connection, or a promise of it. Throws when the transaction is over. */
  connection(): unknown
}

/** A transaction on which a library runs statements; the placeholders are those of the store's database. */
export interface StatementTransaction {
  readonly kind: 'statements'
  readonly library: string
  /** Runs a statement that gives rows: each a list of values, or an object whose keys stand in the order of the columns. */
  query(text: string, params: readonly TransactionValue[]): Promise<readonly unknown[]>
  /** Runs any other statement; gives how many rows it wrote. Rejects with the error of the driver: its code, its number. */
  execute(text: string, params: readonly TransactionValue[]): Promise<number>
}

/** What an adapter of `millrace/tx` returns, for the option `tx`. */
export type TransactionHandle = (DriverTransaction | StatementTransaction) & { readonly [MARK]: true }

/** A handle that every store knows as one. */
export function transactionHandle(parts: DriverTransaction | StatementTransaction): TransactionHandle {
  return { ...parts, [MARK]: true }
}

/** What was given as `tx`, when an adapter made it; else null. */
export function handleOf(tx: unknown): TransactionHandle | null {
  if (typeof tx !== 'object' || tx === null || !(MARK in tx)) return null
  // Only `transactionHandle` sets the mark.
  return tx as TransactionHandle
}
