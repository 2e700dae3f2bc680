import { CamelCasePlugin, type ControlledTransaction, Kysely, MysqlDialect, PostgresDialect, sql } from 'kysely'
import mysql from 'mysql2'
import pg from 'pg'
import { kysely } from '../../src/tx/index.ts'
import type { Library, Opened, Tx } from './library.ts'

type Db = Record<string, never>

/** Kysely on PostgreSQL. */
export const kyselyOnPostgres: Library = {
  name: 'Kysely',
  open: async (url, table) =>
    opened(new Kysely<Db>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }) }), table),
}

/** Kysely on MySQL, with a plugin that renames columns and bytes that its driver gives as text where it can. */
export const kyselyOnMysql: Library = {
  name: 'Kysely',
  open: async (url, table) => {
    const dialect = new MysqlDialect({
      pool: mysql.createPool({ uri: url, supportBigNumbers: true, bigNumberStrings: true }),
    })
    return opened(new Kysely<Db>({ dialect, plugins: [new CamelCasePlugin()] }), table)
  },
}

function opened(db: Kysely<Db>, table: string): Opened {
  return {
    async transaction(fn) {
      // Savepoints are those of a controlled transaction; it ends as `db.transaction()` would end it.
      const trx = await db.startTransaction().execute()
      try {
        await fn(txOf(trx, table))
        await trx.commit().execute()
      } catch (error) {
        await trx.rollback().execute()
        throw error
      }
    },
    close: () => db.destroy(),
  }
}

function txOf(trx: ControlledTransaction<Db>, table: string): Tx {
  return {
    handle: kysely(trx),
    async write(id) {
      await sql`INSERT INTO ${sql.raw(table)} (id) VALUES (${id})`.execute(trx)
    },
    async nested(fn) {
      const inner = await trx.savepoint('inner_part').execute()
      try {
        await fn(txOf(inner, table))
      } catch (error) {
        await inner.rollbackToSavepoint('inner_part').execute()
        throw error
      }
    },
  }
}
