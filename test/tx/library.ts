/** What the cases need of a library: its transaction as users write one, with the adapter of `millrace/tx` in its hands. */
import type { TransactionHandle } from '../../src/tx/index.ts'

/** A transaction under way. */
export interface Tx {
  readonly handle: TransactionHandle
  /** Writes a row of the user's own, by the library's own means. */
  write(id: string): Promise<void>
  /** Runs `fn` behind a savepoint, as the library does it; what it throws undoes what it did. */
  nested(fn: (inner: Tx) => Promise<void>): Promise<void>
}

/** A library, connected. */
export interface Opened {
  transaction(fn: (tx: Tx) => Promise<void>): Promise<void>
  close(): Promise<void>
}

/** How a library is used on one kind of server. `table` is that of the user's own rows, quoted. */
export interface Library {
  readonly name: string
  open(url: string, table: string): Promise<Opened>
}

/** Runs `fn` behind a savepoint that is made by statements. */
export async function behindSavepoint(run: (sql: string) => PromiseLike<unknown>, fn: () => Promise<void>) {
  await run('SAVEPOINT inner_part')
  try {
    await fn()
  } catch (error) {
    await run('ROLLBACK TO SAVEPOINT inner_part')
    throw error
  }
}
