/**
 * Every statement on a growing table of MariaDB is served by an index, asserted at 20,000 rows (1,000,000 with
 * MILLRACE_LONG): no scan of a whole table, no sorting of what an index could have given in order.
 */
import type { RowDataPacket } from 'mysql2/promise'
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { NewJob } from '../../src/store/contract/index.ts'
import { CLAIM_STATEMENTS } from '../../src/store/mysql/claim.ts'
import { DIAGNOSE_STATEMENTS } from '../../src/store/mysql/diagnose.ts'
import { filled, MysqlDialect } from '../../src/store/mysql/dialect.ts'
import { EXTEND_STATEMENTS } from '../../src/store/mysql/extend.ts'
import { INSERT_STATEMENTS } from '../../src/store/mysql/insert.ts'
import { OPENING_STATEMENTS } from '../../src/store/mysql/opening.ts'
import { SETTLE_STATEMENTS } from '../../src/store/mysql/settle.ts'
import { STEPWISE } from '../../src/store/mysql/stepwise.ts'
import { createMysqlStore } from '../../src/store/mysql/store.ts'
import { WAITING_STATEMENTS } from '../../src/store/mysql/waiting.ts'
import { CONTROL_STATEMENTS } from '../../src/store/sql/control.ts'
import { DAMAGE_STATEMENTS } from '../../src/store/sql/damaged.ts'
import { DUE_STATEMENTS } from '../../src/store/sql/due.ts'
import { LEASE_STATEMENTS } from '../../src/store/sql/lease.ts'
import { MAILBOX_STATEMENTS } from '../../src/store/sql/mailbox.ts'
import { QUEUE_STATEMENTS } from '../../src/store/sql/queues.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { describeOn } from '../support/servers.ts'

const ROWS = process.env.MILLRACE_LONG ? 1_000_000 : 20_000
const BATCH = 1000
/** Sorts few rows by design: what runs is bounded by the slots of all workers, what is blocked for a key by its hash. */
const MAY_SORT: ReadonlySet<string> = new Set(['EXPIRED_LEASES', 'BLOCKED'])
/** Counts groups of what runs. */
const MAY_GROUP: ReadonlySet<string> = new Set(['RUNNING'])
const IDS = JSON.stringify([
  ['a', 1, 1],
  ['b', 1, 1],
])

await describeOn('mysql', (server) => {
  test(`no statement scans or sorts a growing table of ${ROWS} rows`, async () => {
    const url = server.freshUrl()
    await server.create(url)
    onTestFinished(() => server.drop(url))
    const store = createMysqlStore({ url })
    await store.open()
    onTestFinished(() => store.close())
    await store.migrate()
    for (let i = 0; i < ROWS; i += BATCH) {
      await store.jobs.insert(Array.from({ length: BATCH }, (_, k) => someJob(i + k)))
    }
    const claim = { workerId: 'w', queues: [{ queue: 'q0', max: 500 }], names: ['job'], limit: 500, leaseMs: 30_000 }
    for (let i = 0; i < 4; i++) {
      const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
      const settle = claimed.map(({ id, epoch }) => ({ id, epoch, runMs: 1, to: 'completed' as const, result: null }))
      await store.jobs.exchange({ workerId: 'w', settle })
    }
    const client = await mysqlClient(url)
    await client.query('ANALYZE TABLE millrace_job, millrace_ready, millrace_archive')

    const dialect = new MysqlDialect()
    const statements = {
      ...OPENING_STATEMENTS,
      ...SETTLE_STATEMENTS,
      ...INSERT_STATEMENTS,
      ...CLAIM_STATEMENTS,
      ...QUEUE_STATEMENTS,
      ...DUE_STATEMENTS,
      ...CONTROL_STATEMENTS,
      ...MAILBOX_STATEMENTS,
      ...DAMAGE_STATEMENTS,
      ...DIAGNOSE_STATEMENTS,
      ...LEASE_STATEMENTS,
      ...EXTEND_STATEMENTS,
      WAIT: numbered(WAITING_STATEMENTS.WAIT),
      WAIT_NOTICING: numbered(WAITING_STATEMENTS.WAIT_NOTICING),
    }
    const faults: string[] = []
    for (const [name, sql] of Object.entries(statements)) {
      if (STEPWISE.has(sql)) continue
      const { text, values } = filled(dialect.template(sql.replace('NOW_SQL', '0')), paramsOf(sql))
      const [rows] = await client.execute<RowDataPacket[]>(`EXPLAIN ${text}`, values as string[])
      faults.push(...rows.flatMap((row) => faultOf(name, row)))
    }

    expect(Object.keys(statements).length).toBeGreaterThan(20)
    expect(faults).toEqual([])
  }, 600_000)
})

function faultOf(name: string, row: RowDataPacket): readonly string[] {
  const { table, type, Extra } = row
  const extra = String(Extra ?? '')
  const isGrowing = /^(millrace_(job|archive|ready|bytes|unique)|[abjlrtu])$/.test(String(table))
  const faults: string[] = []
  if (isGrowing && (type === 'ALL' || type === 'index')) faults.push(`${name}: ${type} of ${table}`)
  if (extra.includes('filesort') && !MAY_SORT.has(name) && !MAY_GROUP.has(name)) faults.push(`${name}: ${extra}`)
  if (extra.includes('join buffer')) faults.push(`${name}: ${extra}`)
  return faults
}

/** A statement that is not one of the shared ones, with its parameters named as theirs are. */
function numbered(text: string): string {
  let n = 0
  return text.replaceAll('?', () => `$${++n}`)
}

/** Parameters of the right kinds, by how a statement uses them. */
function paramsOf(sql: string): (string | number | string[])[] {
  const count = Math.max(0, ...[...sql.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n)))
  return Array.from({ length: count }, (_, i) => {
    const n = i + 1
    if (new RegExp(`(LIST\\(\\$${n} |blocked_on IN LIST\\(\\$${n} )`).test(sql)) return ['q0', 'b']
    // Up to the last: a window as large as can be.
    if (new RegExp(`id <= \\$${n}`).test(sql)) return 'zzz'
    if (new RegExp(`JSON_TABLE\\(\\$${n},`).test(sql)) return IDS
    return new RegExp(`(queue|name|worker_id|recipient) = \\$${n}|_?id >?=? \\$${n}|QUEUE\\(\\$${n}\\)`).test(sql)
      ? 'q0'
      : 5
  })
}

function someJob(i: number): NewJob {
  const job = { id: newId(), name: 'job', version: 1, queue: `q${i % 3}`, priority: i % 16, payload: Buffer.from('{}') }
  if (i % 5 === 1) return { ...job, delayMs: 60_000 + i }
  return i % 5 === 2 ? { ...job, expiresInMs: 3_600_000 } : job
}
