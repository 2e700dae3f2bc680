/** Knex's transactions (https://knexjs.org): the driver's connection is what their own client gives for it. */
import { type TransactionHandle, transactionHandle } from '../store/contract/index.ts'
import { foreign } from './foreign.ts'

/** What is used of a `Knex.Transaction`. */
export interface KnexTransaction {
  isCompleted(): boolean
  readonly client: unknown
}

/** Knex's transaction as `tx` takes it, with its clients `pg` and `mysql2`: `{ tx: knex(trx) }`. Rejects when it is over. */
export function knex(trx: KnexTransaction): TransactionHandle {
  const client = typeof trx?.isCompleted === 'function' ? trx.client : undefined
  if (!canAcquire(client)) throw foreign('Knex', 'knex.transaction(async (trx) => …)')
  // The client of a transaction has one connection, and gives that.
  return transactionHandle({ kind: 'driver', library: 'Knex', connection: () => client.acquireConnection() })
}

function canAcquire(client: unknown): client is { acquireConnection(): Promise<unknown> } {
  const mayBe = typeof client === 'object' && client !== null && 'acquireConnection' in client
  return (
    mayBe && typeof client.acquireConnection === 'function' && 'transacting' in client && client.transacting === true
  )
}
