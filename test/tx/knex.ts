import makeKnex, { type Knex } from 'knex'
import { knex } from '../../src/tx/index.ts'
import type { Library, Tx } from './library.ts'

/** Knex on `pg` or on `mysql2`. */
export function knexOn(client: 'pg' | 'mysql2'): Library {
  return {
    name: 'Knex',
    async open(url, table) {
      const db = makeKnex.knex({ client, connection: url })
      return {
        async transaction(fn) {
          await db.transaction((trx) => fn(txOf(trx, table)))
        },
        close: () => db.destroy(),
      }
    },
  }
}

function txOf(trx: Knex.Transaction, table: string): Tx {
  return {
    handle: knex(trx),
    async write(id) {
      // allow sql: the table of the test
      await trx.raw(`INSERT INTO ${table} (id) VALUES (?)`, [id])
    },
    async nested(fn) {
      await trx.transaction((inner) => fn(txOf(inner, table)))
    },
  }
}
