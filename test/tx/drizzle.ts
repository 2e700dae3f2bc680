import { type SQL, sql } from 'drizzle-orm'
import * as onMysql from 'drizzle-orm/mysql2'
import * as onPostgres from 'drizzle-orm/node-postgres'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { type DrizzleTransaction, drizzle } from '../../src/tx/index.ts'
import type { Library, Tx } from './library.ts'

/** Drizzle on node-postgres. */
export const drizzleOnPostgres: Library = {
  name: 'Drizzle',
  async open(url, table) {
    const pool = new pg.Pool({ connectionString: url })
    const db = onPostgres.drizzle({ client: pool })
    return { transaction: (fn) => db.transaction((trx) => fn(txOf(trx, table))), close: () => pool.end() }
  },
}

/** Drizzle on mysql2. */
export const drizzleOnMysql: Library = {
  name: 'Drizzle',
  async open(url, table) {
    const pool = mysql.createPool(url)
    const db = onMysql.drizzle({ client: pool })
    return { transaction: (fn) => db.transaction((trx) => fn(txOf(trx, table))), close: () => pool.end() }
  },
}

/** What the two kinds of transaction have in common. */
interface Trx extends DrizzleTransaction {
  execute(query: SQL): Promise<unknown>
  transaction(fn: (inner: Trx) => Promise<void>): Promise<void>
}

function txOf(trx: Trx, table: string): Tx {
  return {
    handle: drizzle(trx),
    async write(id) {
      await trx.execute(sql`INSERT INTO ${sql.raw(table)} (id) VALUES (${id})`)
    },
    nested: (fn) => trx.transaction((inner) => fn(txOf(inner, table))),
  }
}
