/**
 * Every statement on a growing table of PostgreSQL is served by an index, asserted with statistics at 20,000 rows (1,000,000
 * with MILLRACE_LONG): no scan of a whole table, no sorting of what an index could have given in order.
 */
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { NewJob } from '../../src/store/contract/index.ts'
import { CLAIM_STATEMENTS } from '../../src/store/postgres/claim.ts'
import { DIAGNOSE_STATEMENTS } from '../../src/store/postgres/diagnose.ts'
import { PostgresDialect } from '../../src/store/postgres/dialect.ts'
import { exchangeSql } from '../../src/store/postgres/exchange-sql.ts'
import { EXTEND_STATEMENTS } from '../../src/store/postgres/extend.ts'
import { FRONT_SQL } from '../../src/store/postgres/front-sql.ts'
import { INSERT_STATEMENTS } from '../../src/store/postgres/insert.ts'
import { RECLAIM_STATEMENTS } from '../../src/store/postgres/leases.ts'
import { sessionOptions } from '../../src/store/postgres/limits.ts'
import { numbered } from '../../src/store/postgres/named.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import { CONTROL_STATEMENTS } from '../../src/store/sql/control.ts'
import { DAMAGE_STATEMENTS } from '../../src/store/sql/damaged.ts'
import { DUE_STATEMENTS } from '../../src/store/sql/due.ts'
import { MAILBOX_STATEMENTS } from '../../src/store/sql/mailbox.ts'
import { QUEUE_STATEMENTS } from '../../src/store/sql/queues.ts'
import { describeOn } from '../support/servers.ts'

const ROWS = process.env.MILLRACE_LONG ? 1_000_000 : 20_000
const BATCH = 1000
const TABLES = 'job|lease|archive|bytes|attempt|log|edge|unique'
/** These orders are those of an index; what a few ids are sorted by is not among them. */
const SORTS = /Sort Key: .*(priority|run_at|finished_at|lease_until|until_at|expires_at)/
const SETTLES = [null, 'both', 'forget', 'vanish'] as const
const CLAIMS = [null, 'Named', 'All', 'On'] as const
const EXCHANGE = Object.fromEntries(
  SETTLES.flatMap((settles) =>
    CLAIMS.map((claims) => [`${settles} ${claims}`, numbered(exchangeSql(settles, claims)).text]),
  ),
)

/** Read all leases: one row a claim. */
const BY_LEASES: ReadonlySet<string> = new Set(['RUNNING', 'UNNOTED'])
const FRONT = Object.fromEntries(Object.entries(FRONT_SQL).map(([name, sql]) => [name, numbered(sql).text]))

await describeOn('postgres', (server) => {
  test(`no statement scans or sorts a growing table of ${ROWS} rows`, async () => {
    const url = server.freshUrl()
    onTestFinished(() => server.drop(url))
    const schema = new URL(url).searchParams.get('schema') ?? ''
    const store = createPostgresStore({ url })
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
    const client = new pg.Client({ connectionString: server.url, options: sessionOptions(60_000) })
    await client.connect()
    onTestFinished(() => client.end())
    await client.query(`ANALYZE ${pg.escapeIdentifier(schema)}.job, ${pg.escapeIdentifier(schema)}.archive`)

    const dialect = new PostgresDialect(schema)
    const statements = {
      ...EXCHANGE,
      ...FRONT,
      ...INSERT_STATEMENTS,
      ...CLAIM_STATEMENTS,
      ...QUEUE_STATEMENTS,
      ...DUE_STATEMENTS,
      ...CONTROL_STATEMENTS,
      ...MAILBOX_STATEMENTS,
      ...DAMAGE_STATEMENTS,
      ...DIAGNOSE_STATEMENTS,
      ...RECLAIM_STATEMENTS,
      ...EXTEND_STATEMENTS,
    }
    const faults: string[] = []
    for (const [name, sql] of Object.entries(statements)) {
      const text = dialect.compile(sql.replace('NOW_SQL', '$1::bigint'))
      const params = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n)))
      await client.query(`PREPARE plan AS ${text}`)
      const nulls = params === 0 ? '' : `(${Array(params).fill('NULL').join(', ')})`
      const { rows } = await client.query(`EXPLAIN EXECUTE plan${nulls}`)
      await client.query('DEALLOCATE plan')
      const lines = rows.map((row) => String(row['QUERY PLAN']).trim())
      // Which jobs run is told by all leases: one row a claim, gone with its last job.
      const wanted = BY_LEASES.has(name) ? lines.filter((line) => !/ on lease\b/.test(line)) : lines
      faults.push(...wanted.filter((line) => isFault(line)).map((line) => `${name}: ${line}`))
    }

    expect(Object.keys(statements).length).toBeGreaterThan(20)
    expect(faults).toEqual([])
  }, 600_000)
})

function isFault(line: string): boolean {
  return new RegExp(`(Seq Scan|Bitmap Heap Scan) on (${TABLES})\\b`).test(line) || SORTS.test(line)
}

function someJob(i: number): NewJob {
  const job = { id: newId(), name: 'job', version: 1, queue: `q${i % 3}`, priority: i % 16, payload: Buffer.from('{}') }
  if (i % 5 === 1) return { ...job, delayMs: 60_000 + i }
  return i % 5 === 2 ? { ...job, expiresInMs: 3_600_000 } : job
}
