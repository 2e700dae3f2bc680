/** Kysely's transactions (https://kysely.dev): statements run through its own, public `executeQuery`. */
import { type TransactionHandle, type TransactionValue, transactionHandle } from '../store/contract/index.ts'
import { foreign } from './foreign.ts'

/** What is used of a `Transaction` or `ControlledTransaction` of Kysely. */
export interface KyselyTransaction {
  readonly isTransaction: true
  withoutPlugins(): {
    executeQuery(query: never): Promise<{
      readonly rows: readonly unknown[]
      readonly numAffectedRows?: bigint | undefined
    }>
  }
}

/** Kysely's transaction as `tx` takes it, on PostgreSQL and MySQL: `{ tx: kysely(trx) }`. Plugins do not see our statements. */
export function kysely(trx: KyselyTransaction): TransactionHandle {
  if (trx?.isTransaction !== true || typeof trx.withoutPlugins !== 'function') {
    throw foreign('Kysely', 'db.transaction().execute((trx) => …)')
  }
  const plain = trx.withoutPlugins()
  const run = (sql: string, parameters: readonly TransactionValue[]) => {
    const query = {
      sql,
      parameters: parameters.map(asBuffer),
      query: { kind: 'RawNode', sqlFragments: [sql], parameters: [] },
      queryId: { queryId: `millrace-${++serial}` },
    }
    // A compiled query, as `CompiledQuery.raw` of Kysely makes one.
    return plain.executeQuery(query as never)
  }
  return transactionHandle({
    kind: 'statements',
    library: 'Kysely',
    query: async (text, params) => (await run(text, params)).rows,
    execute: async (text, params) => Number((await run(text, params)).numAffectedRows ?? 0n),
  })
}

let serial = 0

/** The drivers know bytes as a Buffer. */
function asBuffer(value: TransactionValue): TransactionValue {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value
}
