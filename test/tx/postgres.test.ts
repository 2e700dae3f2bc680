/** The adapters of `millrace/tx` on PostgreSQL, with the libraries themselves. */
import pg from 'pg'
import { onTestFinished } from 'vitest'
import { describeOn } from '../support/servers.ts'
import { describeLibrary, type Ground } from './cases.ts'
import { drizzleOnPostgres } from './drizzle.ts'
import { knexOn } from './knex.ts'
import { kyselyOnPostgres } from './kysely.ts'
import { prismaOnPostgres } from './prisma.ts'

await describeOn('postgres', (server) => {
  async function prepare(storeUrl: string): Promise<Ground> {
    const table = `${pg.escapeIdentifier(new URL(storeUrl).searchParams.get('schema') ?? '')}.effect`
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    onTestFinished(() => client.end())
    // allow sql: the table of the test
    await client.query(`CREATE TABLE IF NOT EXISTS ${table} (id text NOT NULL)`)
    // allow sql: the table of the test
    const rows = async () =>
      (await client.query(`SELECT id FROM ${table} ORDER BY id`)).rows.map(({ id }) => String(id))
    return { url: server.url, table, rows }
  }

  for (const library of [kyselyOnPostgres, drizzleOnPostgres, knexOn('pg'), prismaOnPostgres]) {
    describeLibrary(library, server, prepare)
  }
})
