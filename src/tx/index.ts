/** `millrace/tx`: the transactions of query builders and mappers as `tx` takes them, each by one call. */
export type { TransactionHandle } from '../store/contract/index.ts'
export { type DrizzleTransaction, drizzle } from './drizzle.ts'
export { type KnexTransaction, knex } from './knex.ts'
export { type KyselyTransaction, kysely } from './kysely.ts'
export { type PrismaTransaction, prisma } from './prisma.ts'
