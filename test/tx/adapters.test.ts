/** What the adapters of `millrace/tx` and the stores refuse. */
import { DatabaseSync } from 'node:sqlite'
import { drizzle as drizzleDb } from 'drizzle-orm/node-postgres'
import makeKnex from 'knex'
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { transactionHandle } from '../../src/store/contract/index.ts'
import { drizzle, knex, kysely, prisma } from '../../src/tx/index.ts'
import { openMill } from '../support/mill.ts'
import { tempStorePath } from '../support/temp-store.ts'

const noted = defineJob({ name: 'noted', run: () => undefined })
const refused = { code: 'CONFIG_INVALID' }

test('each adapter refuses what is not a transaction of its library', () => {
  const kyselyDb = new Kysely({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
  const knexDb = makeKnex.knex({ client: 'pg' })
  const ofClient = drizzleDb(new pg.Client())

  // Callers in plain JavaScript pass anything.
  expect(() => kysely(kyselyDb as never)).toThrow(/not a transaction of Kysely/)
  expect(() => knex(knexDb as never)).toThrow(/not a transaction of Knex/)
  expect(() => drizzle(ofClient as never)).toThrow(/not a transaction of Drizzle/)
  expect(() => prisma({ $connect: () => undefined } as never)).toThrow(/not a transaction of Prisma/)
  for (const adapter of [kysely, knex, drizzle, prisma]) {
    for (const thing of [undefined, null, {}, 'tx']) expect(() => adapter(thing as never)).toThrow(/not a transaction/)
  }
})

test('the SQLite store takes a library that stands on node:sqlite, and refuses every other', async () => {
  const path = tempStorePath()
  const mill = await openMill({ store: `sqlite:${path}` })
  const db = new DatabaseSync(path)
  onTestFinished(() => db.close())
  const on = (connection: unknown) =>
    transactionHandle({ kind: 'driver', library: 'Drizzle', connection: () => connection })
  const statements = transactionHandle({
    kind: 'statements',
    library: 'Kysely',
    query: async () => [],
    execute: async () => 0,
  })

  db.exec('BEGIN IMMEDIATE')
  const job = await mill.enqueue(noted, undefined, { tx: on(db) })
  db.exec('COMMIT')

  expect(await mill.get(job.id)).toMatchObject({ state: 'pending' })
  for (const tx of [on({ prepare: () => undefined }), on(Promise.reject(new Error('over'))), statements]) {
    await expect(mill.enqueue(noted, undefined, { tx })).rejects.toMatchObject(refused)
  }
})
