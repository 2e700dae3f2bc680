/** Work inside a caller's own open transaction: `{ tx }` takes the app's `DatabaseSync` on the same file. */
import { realpathSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { ConfigError } from '../../core/errors.ts'
import { handleOf } from '../contract/index.ts'
import type { Connection } from './connection.ts'

const borrowed = new WeakMap<DatabaseSync, Connection>()

/** Runs `fn` on the caller's connection, at once and without a transaction of its own. */
export function withinTransaction<T>(c: Connection, given: unknown, fn: (inner: Connection) => T): T {
  const tx = connectionOf(given)
  if (!(tx instanceof DatabaseSync)) {
    throw new ConfigError('CONFIG_INVALID', '`tx` is not a DatabaseSync of node:sqlite', {
      hint: 'Pass the DatabaseSync on which your transaction is open.',
    })
  }
  if (!tx.isTransaction) {
    throw new ConfigError('CONFIG_INVALID', '`tx` has no open transaction', {
      hint: "Begin one first: db.exec('BEGIN IMMEDIATE').",
    })
  }
  const path = tx.location()
  if (path === null || realpathSync(path) !== realpathSync(c.path)) {
    throw new ConfigError(
      'CONFIG_INVALID',
      `\`tx\` is open on ${path ?? 'a database in memory'}, the store is ${c.path}`,
      {
        fields: { path },
        hint: 'A transaction covers one file: open the store on the file of your app.',
      },
    )
  }
  const inner = borrowed.get(tx) ?? c.borrow(tx)
  borrowed.set(tx, inner)
  return inner.read(() => fn(inner))
}

/** What a library's transaction stands on, when that is node:sqlite: another driver has its own copy of SQLite. */
function connectionOf(given: unknown): unknown {
  const handle = handleOf(given)
  if (handle === null) return given
  const connection = handle.kind === 'driver' ? handle.connection() : undefined
  if (connection instanceof DatabaseSync) return connection
  if (connection instanceof Promise) connection.catch(() => undefined)
  throw new ConfigError('CONFIG_INVALID', `this transaction of ${handle.library} is not open on node:sqlite`, {
    fields: { library: handle.library },
    hint: 'The SQLite store works inside transactions of node:sqlite alone: pass its DatabaseSync, or enqueue after the commit.',
  })
}
