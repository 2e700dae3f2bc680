/** Drizzle's transactions (https://orm.drizzle.team): the driver's connection stands in their session. */
import { type TransactionHandle, transactionHandle } from '../store/contract/index.ts'
import { foreign } from './foreign.ts'

/** What tells a transaction of Drizzle from its database: it can be rolled back. */
export interface DrizzleTransaction {
  rollback(): never
  readonly _: object
}

/**
 * Drizzle's transaction as `tx` takes it, on `drizzle-orm/node-postgres` and `drizzle-orm/mysql2`: `{ tx: drizzle(trx) }`. A
 * store refuses the connection of any other driver.
 */
export function drizzle(tx: DrizzleTransaction): TransactionHandle {
  const session = typeof tx?.rollback === 'function' ? sessionOf(tx) : undefined
  if (session === undefined) throw foreign('Drizzle', 'db.transaction(async (tx) => …)')
  const { client } = session
  return transactionHandle({ kind: 'driver', library: 'Drizzle', connection: () => client })
}

/** Drizzle keeps the session beside `_`, which names it in some of its kinds only. */
function sessionOf(tx: DrizzleTransaction): { readonly client: unknown } | undefined {
  const session = 'session' in tx ? tx.session : undefined
  return typeof session === 'object' && session !== null && 'client' in session ? { client: session.client } : undefined
}
