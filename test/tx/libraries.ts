/** The libraries that `millrace/tx` has adapters for, by the server that they work on. */
import type { ServerKind } from '../support/servers.ts'
import { drizzleOnMysql, drizzleOnPostgres } from './drizzle.ts'
import { knexOn } from './knex.ts'
import { kyselyOnMysql, kyselyOnPostgres } from './kysely.ts'
import type { Library } from './library.ts'
import { prismaOnMysql, prismaOnPostgres } from './prisma.ts'

export const LIBRARIES: Readonly<Record<ServerKind, readonly Library[]>> = {
  postgres: [kyselyOnPostgres, drizzleOnPostgres, knexOn('pg'), prismaOnPostgres],
  mysql: [kyselyOnMysql, drizzleOnMysql, knexOn('mysql2'), prismaOnMysql],
}
