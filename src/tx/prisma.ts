/** Prisma's interactive transactions (https://prisma.io): statements run as raw queries, which keep no values but those bound. */
import { type TransactionHandle, transactionHandle } from '../store/contract/index.ts'
import { foreign } from './foreign.ts'

/** What is used of the client that `$transaction(async (tx) => …)` gives; the client itself has `$connect`. */
export interface PrismaTransaction {
  $queryRawUnsafe(query: string, ...values: never[]): PromiseLike<unknown>
  $executeRawUnsafe(query: string, ...values: never[]): PromiseLike<number>
  readonly $connect?: undefined
}

/** Prisma's interactive transaction as `tx` takes it, with `@prisma/adapter-pg` and `@prisma/adapter-mariadb`: `{ tx: prisma(trx) }`. */
export function prisma(tx: PrismaTransaction): TransactionHandle {
  if (typeof tx?.$queryRawUnsafe !== 'function' || tx.$connect !== undefined) {
    throw foreign('Prisma', 'prisma.$transaction(async (tx) => …)')
  }
  return transactionHandle({
    kind: 'statements',
    library: 'Prisma',
    async query(text, params) {
      // Prisma takes any values, and gives a list of rows.
      const rows = await told(tx.$queryRawUnsafe(text, ...(params as readonly never[])))
      return Array.isArray(rows) ? rows : []
    },
    execute: (text, params) => told(tx.$executeRawUnsafe(text, ...(params as readonly never[]))),
  })
}

/** Rejects with the database's own code, which Prisma wraps into one of its. */
async function told<T>(answer: PromiseLike<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw unwrapped(error)
  }
}

function unwrapped(error: unknown): unknown {
  const cause = at(error, 'meta', 'driverAdapterError', 'cause')
  const [code, said] = [at(cause, 'originalCode'), at(cause, 'originalMessage')]
  const message = typeof said === 'string' ? said : error instanceof Error ? error.message.trim() : String(error)
  const told = new Error(message, { cause: error })
  // PostgreSQL's codes are text of five characters, MySQL's are numbers. Prisma's own, also five, would be taken for the former.
  return code === undefined ? told : Object.assign(told, { code: String(code), errno: Number(code) })
}

function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value
  for (const name of path) {
    if (typeof found !== 'object' || found === null) return undefined
    found = (found as Readonly<Record<string, unknown>>)[name]
  }
  return found
}
