/**
 * Every statement of the SQLite driver on a growing table is served by an index, asserted with statistics at 20,000 rows
 * (1,000,000 with MILLRACE_LONG): no scan of a whole table, no sorting of what an index could have given in order.
 */
import { expect, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { NewJob } from '../../src/store/contract/index.ts'
import { DAMAGE_STATEMENTS } from '../../src/store/sql/damaged.ts'
import { CLAIM_STATEMENTS } from '../../src/store/sqlite/claim.ts'
import { CONTROL_STATEMENTS } from '../../src/store/sqlite/control.ts'
import { said } from '../../src/store/sqlite/diagnose.ts'
import { DUE_STATEMENTS } from '../../src/store/sqlite/due.ts'
import { SETTLE_STATEMENTS } from '../../src/store/sqlite/exchange.ts'
import { LEASE_STATEMENTS } from '../../src/store/sqlite/lease.ts'
import { MAILBOX_STATEMENTS } from '../../src/store/sqlite/mailbox.ts'
import { QUEUE_STATEMENTS } from '../../src/store/sqlite/queues.ts'
import { connectionOf, createSqliteStore } from '../../src/store/sqlite/store.ts'
import { tempStorePath } from '../support/temp-store.ts'

const ROWS = process.env.MILLRACE_LONG ? 1_000_000 : 20_000
const BATCH = 1000

/** What may be scanned: lists handed in as JSON, settings, and intermediate results of a recursion. */
const SMALL = /^SCAN (json_each|value|q|p|millrace_queue|\(subquery|CONSTANT ROW)/

test(`no statement scans or sorts a growing table of ${ROWS} rows`, async () => {
  const store = createSqliteStore({ path: tempStorePath(), durability: 'normal' })
  await store.open()
  await store.migrate()
  for (let i = 0; i < ROWS; i += BATCH) await store.jobs.insert(Array.from({ length: BATCH }, (_, k) => someJob(i + k)))
  const claim = { workerId: 'w', queues: [{ queue: 'q0', max: 500 }], names: ['job'], limit: 500, leaseMs: 30_000 }
  for (let i = 0; i < 4; i++) {
    const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
    const settle = claimed.map(({ id, epoch }) => ({ id, epoch, runMs: 1, to: 'completed' as const, result: null }))
    await store.jobs.exchange({ workerId: 'w', settle })
  }
  const connection = connectionOf(store)
  connection.db.exec('ANALYZE')

  const statements = {
    ...CLAIM_STATEMENTS,
    ...SETTLE_STATEMENTS,
    ...QUEUE_STATEMENTS,
    ...DUE_STATEMENTS,
    ...CONTROL_STATEMENTS,
    ...LEASE_STATEMENTS,
    ...MAILBOX_STATEMENTS,
    ...Object.fromEntries(Object.entries(DAMAGE_STATEMENTS).map(([name, sql]) => [name, said(sql)])),
  }
  const faults = Object.entries(statements).flatMap(([name, sql]) =>
    connection.db
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all()
      .map((row) => String(row.detail))
      .filter(
        (detail) =>
          (detail.startsWith('SCAN') && !SMALL.test(detail) && !detail.includes('INDEX')) ||
          detail.includes('TEMP B-TREE'),
      )
      .map((detail) => `${name}: ${detail}`),
  )
  await store.close()

  expect(Object.keys(statements).length).toBeGreaterThan(10)
  expect(faults).toEqual([])
}, 600_000)

function someJob(i: number): NewJob {
  const job = { id: newId(), name: 'job', version: 1, queue: `q${i % 3}`, priority: i % 16, payload: Buffer.from('{}') }
  if (i % 5 === 1) return { ...job, delayMs: 60_000 + i }
  return i % 5 === 2 ? { ...job, expiresInMs: 3_600_000 } : job
}
