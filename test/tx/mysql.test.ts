/** The adapters of `millrace/tx` on MySQL or MariaDB, with the libraries themselves. */
import mysql, { type RowDataPacket } from 'mysql2/promise'
import { onTestFinished } from 'vitest'
import { describeOn } from '../support/servers.ts'
import { describeLibrary, type Ground } from './cases.ts'
import { drizzleOnMysql } from './drizzle.ts'
import { knexOn } from './knex.ts'
import { kyselyOnMysql } from './kysely.ts'
import { prismaOnMysql } from './prisma.ts'

await describeOn('mysql', (server) => {
  async function prepare(storeUrl: string): Promise<Ground> {
    const connection = await mysql.createConnection(storeUrl)
    onTestFinished(() => connection.end())
    await connection.query('CREATE TABLE IF NOT EXISTS effect (id varchar(80) NOT NULL)')
    const rows = async () => {
      const [found] = await connection.query<RowDataPacket[]>('SELECT id FROM effect ORDER BY id')
      return found.map(({ id }) => String(id))
    }
    return { url: storeUrl, table: 'effect', rows }
  }

  for (const library of [kyselyOnMysql, drizzleOnMysql, knexOn('mysql2'), prismaOnMysql]) {
    describeLibrary(library, server, prepare)
  }
})
