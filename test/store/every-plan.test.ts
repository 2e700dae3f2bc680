/**
 * Every statement that any operation of the SQLite store prepares, not only those that its files name: what it reads of a
 * growing table it finds by an index, and never sorts. At 20,000 rows, 1,000,000 with MILLRACE_LONG.
 */
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import type { Store } from '../../src/store/contract/index.ts'
import { connectionOf, createSqliteStore } from '../../src/store/sqlite/store.ts'
import { tempStorePath } from '../support/temp-store.ts'
import { callEverything, grow, uncalled, type Within } from './every-operation.ts'

const ROWS = process.env.MILLRACE_LONG ? 1_000_000 : 20_000

/** What a plan may scan: lists handed in as JSON, settings and nodes (few), what a recursion or a subquery made. */
const SMALL =
  /^SCAN (json_each|t EXISTS VIRTUAL TABLE|found|value|q|p|millrace_queue|millrace_schema|millrace_node|sqlite_master|\(subquery|CONSTANT ROW|\d+-ROW VALUES)/

/** A message to as many as there are jobs. */
const MESSAGES =
  'INSERT INTO millrace_message (recipient, verb, posted_by, posted_at, expires_at) ' +
  "SELECT id, 'pause', 'me', 0, 4000000000000 FROM millrace_job"

test(`no operation scans or sorts a growing table of ${ROWS} rows`, async () => {
  const store = await grownStore()
  const statements = await statementsOf(store)
  const { db } = connectionOf(store)

  const faults = statements.flatMap((sql) => faultsOf(db, sql).map((detail) => `${detail}  in  ${sql}`))

  expect(faults).toEqual([])
  // SQLite prepares a statement anew for each value of such a limit.
  expect(statements.filter((sql) => /LIMIT \?\d*(?! \+ 0)(?:\D|$)/.test(sql))).toEqual([])
  expect(statements.length).toBeGreaterThan(60)
}, 900_000)

function faultsOf(db: DatabaseSync, sql: string): readonly string[] {
  if (!/^(SELECT|INSERT|UPDATE|DELETE|WITH)/i.test(sql)) return []
  return db
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .all()
    .map((row) => String(row.detail))
    .filter((detail) => {
      // Along an index, and not to its end.
      const isBounded = detail.includes('INDEX') && /\b(?:LIMIT|min\(|max\()/i.test(sql)
      const scans = detail.startsWith('SCAN') && !SMALL.test(detail) && !isBounded
      return scans || detail.includes('TEMP B-TREE')
    })
}

/** The text of every statement that the store prepares while each of its operations is called. */
async function statementsOf(store: Store): Promise<readonly string[]> {
  const texts = new Set<string>()
  const prepare = DatabaseSync.prototype.prepare
  onTestFinished(() => {
    DatabaseSync.prototype.prepare = prepare
  })
  DatabaseSync.prototype.prepare = function (sql, ...rest) {
    texts.add(sql)
    return prepare.call(this, sql, ...rest)
  }
  // Statements are prepared once a connection: this one has prepared none yet.
  const path = connectionOf(store).path
  const fresh = createSqliteStore({ path, durability: 'normal' })
  await fresh.open()
  const missed = uncalled(fresh)
  await callEverything(missed.store, within(path))
  expect(missed.names()).toEqual([])
  await fresh.close()
  DatabaseSync.prototype.prepare = prepare
  return [...texts]
}

/** A transaction on a connection of the caller's. */
function within(path: string): Within {
  return async (fn) => {
    const db = new DatabaseSync(path)
    try {
      db.exec('BEGIN IMMEDIATE')
      await fn(db)
      db.exec('ROLLBACK')
    } finally {
      db.close()
    }
  }
}

/** A store of many rows with statistics. */
async function grownStore(): Promise<Store> {
  const store = createSqliteStore({ path: tempStorePath(), durability: 'normal' })
  onTestFinished(() => store.close())
  await store.open()
  await store.migrate()
  await grow(store, ROWS)
  connectionOf(store).db.exec(MESSAGES)
  connectionOf(store).db.exec('ANALYZE')
  return store
}
