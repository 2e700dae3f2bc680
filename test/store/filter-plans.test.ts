/**
 * Whatever a filter asks, its statements go along an index in the order of ids and within their window: asserted for each of
 * the SQL stores with statistics at 20,000 rows (1,000,000 with MILLRACE_LONG), half of them ended.
 */
import type { RowDataPacket } from 'mysql2/promise'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { JobFilter, NewJob, Settlement, Store } from '../../src/store/contract/index.ts'
import { MysqlDialect } from '../../src/store/mysql/dialect.ts'
import { createMysqlStore } from '../../src/store/mysql/store.ts'
import { PostgresDialect } from '../../src/store/postgres/dialect.ts'
import { sessionOptions } from '../../src/store/postgres/limits.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import { countMatching, matchingQueries, search } from '../../src/store/sql/query/index.ts'
import type { RunQuery } from '../../src/store/sql/query/search.ts'
import type { QueryWords } from '../../src/store/sql/query/words.ts'
import { rowsOf, WORDS } from '../../src/store/sqlite/read.ts'
import { connectionOf, createSqliteStore } from '../../src/store/sqlite/store.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { describeOn } from '../support/servers.ts'
import { tempStorePath } from '../support/temp-store.ts'

const ROWS = process.env.MILLRACE_LONG ? 1_000_000 : 20_000
const BATCH = 1_000
const TIMEOUT_MS = process.env.MILLRACE_LONG ? 3_600_000 : 300_000

/** One of every kind, alone and together: rare and common, chosen by an index and not. */
const FILTERS: Readonly<Record<string, JobFilter>> = {
  everything: {},
  failed: { states: ['failed'] },
  'failed of a queue': { states: ['failed'], queues: ['q1'] },
  'two rare states': { states: ['failed', 'cancelled'], names: ['job'] },
  'some live states': { states: ['pending', 'retrying'] },
  completed: { states: ['completed'] },
  'a queue in every state': { queues: ['q0', 'q2'] },
  'no such queue': { queues: ['none'] },
  'no such name': { names: ['none'] },
  tag: { tag: 'none' },
  created: { createdAfter: 1, createdBefore: 2 },
  'an id': { idPrefix: '0199', queues: ['q0'] },
  conditions: {
    states: ['pending', 'completed', 'failed'],
    where: [
      { anyOf: [{ field: 'name', match: 'contains', values: ['none'] }, { field: 'error' }] },
      { not: { field: 'worker', match: 'equals', values: ['w'] } },
      { not: { field: 'queue', match: 'equals', values: ['q0'] } },
      { field: 'unique', match: 'starts', values: ['k'] },
      { field: 'priority', above: 3 },
      { field: 'attempt', oneOf: [0, 1] },
      { field: 'finished', above: 5 },
      { field: 'wait', above: 5, now: 10 },
      { field: 'took', below: 5, now: 10 },
      { not: { field: 'state', states: ['failed'] } },
    ],
  },
}

/** The faults of one statement's plan. */
type Explain = (text: string, values: readonly unknown[]) => Promise<readonly string[]>

test(
  `sqlite: filters read ${ROWS} rows along an index in order, in windows`,
  async () => {
    const store = createSqliteStore({ path: tempStorePath(), durability: 'normal' })
    await grow(store)
    const c = connectionOf(store)
    c.db.exec('ANALYZE')
    const explain: Explain = async (text, values) =>
      rowsOf(c, `EXPLAIN QUERY PLAN ${text}`, values as never[])
        .map((row) => String(row[3]))
        .filter((detail) => {
          const isOfJobs = /^(SCAN|SEARCH) a\b/.test(detail)
          const isInOrder = /USING (COVERING )?INDEX (sqlite_autoindex_millrace_|millrace_archive_ended_badly)/.test(
            detail,
          )
          return (
            (isOfJobs && !isInOrder && !isWhole(text)) || /^SCAN b\b/.test(detail) || detail.includes('TEMP B-TREE')
          )
        })

    await expectPlans(async (text, values) => rowsOf(c, text, values), WORDS, explain)
  },
  TIMEOUT_MS,
)

await describeOn('postgres', (server) => {
  test(
    `postgres: filters read ${ROWS} rows along an index in order, in windows`,
    async () => {
      const url = server.freshUrl()
      onTestFinished(() => server.drop(url))
      const schema = new URL(url).searchParams.get('schema') ?? ''
      await grow(createPostgresStore({ url }))
      const client = new pg.Client({ connectionString: url, options: sessionOptions(30_000) })
      await client.connect()
      onTestFinished(() => client.end())
      for (const table of ['job', 'archive', 'bytes', 'attempt'])
        await client.query(`VACUUM ANALYZE "${schema}".${table}`)
      const run: RunQuery = async (text, values) =>
        (await client.query({ text, values: [...values], rowMode: 'array' })).rows
      const explain: Explain = async (text, values) => {
        const { rows } = await client.query({ text: `EXPLAIN ${text}`, values: [...values], rowMode: 'array' })
        const lines = rows.map((row) => String(row[0]).trim())
        return lines.filter(
          (line) =>
            (/(Seq|Bitmap Heap) Scan on (job|archive|bytes|attempt)\b/.test(line) && !isWhole(text)) ||
            (/Index (Only )?Scan .* on (job|archive) a/.test(line) &&
              !isWhole(text) &&
              !/(_pkey|archive_failed|archive_cancelled)/.test(line)) ||
            (line.includes('Sort') && !isByIds(text)),
        )
      }

      await expectPlans(run, new PostgresDialect(schema).words, explain)
    },
    TIMEOUT_MS,
  )
})

await describeOn('mysql', (server) => {
  test(
    `mysql: filters read ${ROWS} rows along an index in order, in windows`,
    async () => {
      const url = server.freshUrl()
      await server.create(url)
      onTestFinished(() => server.drop(url))
      await grow(createMysqlStore({ url }))
      const client = await mysqlClient(url, { rowsAsArray: true })
      await client.query('ANALYZE TABLE millrace_job, millrace_archive')
      const bound = (values: readonly unknown[]) => values as string[]
      const run: RunQuery = async (text, values) =>
        (await client.execute<RowDataPacket[]>(text, bound(values)))[0] as never
      const explain: Explain = async (text, values) => {
        const [rows] = await client.execute<RowDataPacket[]>(
          { sql: `EXPLAIN ${text}`, rowsAsArray: false },
          bound(values),
        )
        return rows.flatMap(({ table, type, key, Extra }) => {
          const isFault =
            (table === 'a' &&
              (!['PRIMARY', 'archive_state'].includes(String(key)) || type === 'ALL') &&
              !isWhole(text)) ||
            (/^[bt]$/.test(String(table)) && key !== 'PRIMARY' && !String(Extra).includes('Table function')) ||
            String(Extra).includes('filesort')
          return isFault ? [`${table}: ${type} ${key} ${Extra}`] : []
        })
      }

      await expectPlans(run, new MysqlDialect().words, explain)
    },
    TIMEOUT_MS,
  )
})

async function expectPlans(run: RunQuery, words: QueryWords, explain: Explain): Promise<void> {
  const faults: string[] = []
  let seen = 0
  for (const [name, filter] of Object.entries(FILTERS)) {
    let windows = 0
    let hasEnd = false
    const looking: RunQuery = async (text, values) => {
      seen++
      faults.push(...(await explain(text, values)).map((fault) => `${name}: ${fault}  in  ${text}`))
      const rows = await run(text, values)
      if (text.includes('offset')) {
        windows++
        hasEnd ||= rows.length > 0
      } else if (hasEnd && !isByIds(text) && !/id["`] [<>]= /.test(text)) faults.push(`${name}: no end in  ${text}`)
      return rows
    }
    const inWindows = async <T>(call: Promise<T>): Promise<T> => {
      const result = await call
      // Failed and cancelled jobs alone, and all jobs, are what an index gives.
      if (windows === 0 && name !== 'everything' && name !== 'failed') faults.push(`${name}: no window`)
      windows = 0
      hasEnd = false
      return result
    }
    for (const order of ['newest', 'oldest'] as const) {
      const asked = { filter, order, limit: 50 } as const
      const first = await inWindows(search(looking, words, 'all', { ...asked, cursor: undefined }))
      if (first.next === undefined) continue
      await inWindows(search(looking, words, 'ids', { ...asked, cursor: first.next }))
    }
    await inWindows(countMatching(looking, words, filter, 10_000, undefined))
    for (const { text, values } of matchingQueries(words, filter, [newId(), newId()])) await looking(text, values)
  }
  expect(seen).toBeGreaterThan(100)
  expect(faults).toEqual([])
}

/** Every row that is met counts: the cap is the bound. */
function isWhole(text: string): boolean {
  return /^select count\(\*\)/.test(text) && !text.includes('where')
}

function isByIds(text: string): boolean {
  return /id["`]? in \(/.test(text)
}

async function grow(store: Store): Promise<void> {
  onTestFinished(() => store.close())
  await store.open()
  await store.migrate()
  for (let i = 0; i < ROWS; i += BATCH) {
    await store.jobs.insert(Array.from({ length: BATCH }, (_, k) => someJob(i + k)))
    const claim = { workerId: 'w', queues: 'all' as const, names: ['job'], limit: BATCH / 2, leaseMs: 3_600_000 }
    const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
    const settle = claimed.map(({ id, epoch }, k): Settlement => {
      const lease = { id, epoch, runMs: 1 }
      if (k % 9 === 0) return { ...lease, to: 'failed', reason: 'exhausted', error: new Uint8Array(Buffer.from('no')) }
      return k % 9 === 1
        ? { ...lease, to: 'cancelled', reason: 'requested', error: null }
        : { ...lease, to: 'completed', result: null }
    })
    await store.jobs.exchange({ workerId: 'w', settle })
  }
}

function someJob(i: number): NewJob {
  return {
    id: newId(),
    name: i % 7 === 0 ? 'other' : 'job',
    version: 1,
    queue: `q${i % 3}`,
    priority: i % 16,
    payload: new Uint8Array(Buffer.from('{}')),
    ...(i % 5 === 1 && { tags: ['red'] }),
  }
}
