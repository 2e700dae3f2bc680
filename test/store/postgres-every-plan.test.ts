/**
 * Every statement that any operation of the PostgreSQL store sends, with statistics at 20,000 rows (1,000,000 with
 * MILLRACE_LONG), as a session of its own plans it and as one behind a pooler does, where nothing is set: what it reads of a
 * growing table it finds by an index, and it sorts few rows.
 */
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { transactionHandle } from '../../src/store/contract/index.ts'
import { sessionOptions } from '../../src/store/postgres/limits.ts'
import { type PostgresStore, postgresStore } from '../support/postgres-store.ts'
import { describeOn } from '../support/servers.ts'
import { grow, type Within } from './every-operation.ts'
import { type Sent, statementsOf } from './server-plans.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const ROWS = LONG ? 1_000_000 : 20_000
const GROWING = new Set([
  'job',
  'lease',
  'archive',
  'done',
  'bytes',
  'attempt',
  'log',
  'edge',
  'unique',
  'state',
  'message',
])
/** These hold few entries: of jobs that are asked to stop. */
const FEW = new Set(['job_cancelling'])
/** A page, or what belongs to the jobs of a batch, may be sorted. */
const MAX_SORTED = 1_000

/** Which jobs run is told by all leases, counted no further than 100,000. */
const BY_ALL_LEASES = /unnest\(job_ids\) AS job_id FROM/
/** Where nothing is set, a small table of edges is read whole instead of looked up a hundred times: up to about 25,000 of them. */
const BY_CHOICE = /^DELETE FROM \S+"edge" AS j USING/

/** A node of a plan, as `EXPLAIN (FORMAT JSON)` tells it. */
interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Index Cond'?: string
  readonly 'Plan Rows': number
  readonly Plans?: readonly PlanNode[]
}

await describeOn('postgres', (server) => {
  test(
    `no operation scans or sorts a growing table of ${ROWS} rows`,
    async () => {
      const made = await postgresStore(server)
      await fill(made)
      const driver = { prototype: pg.Client.prototype, method: 'query' }
      const statements = await statementsOf(driver, made.store, within(server.url))
      const own = await connected(server.url, sessionOptions(60_000))
      const pooled = await connected(server.url)

      const faults: string[] = []
      for (const { text, values } of statements) {
        const tell = (whose: string, plan: PlanNode) =>
          faults.push(...faultsOf(plan).map((fault) => `${whose}: ${fault}  in  ${text}`))
        if (BY_ALL_LEASES.test(text)) continue
        tell('own', await preparedPlan(own, text))
        if (LONG || !BY_CHOICE.test(text)) tell('pooled', await plan(pooled, text, values))
      }

      expect(faults).toEqual([])
      expect(statements.length).toBeGreaterThan(100)
    },
    LONG ? 3_600_000 : 120_000,
  )
})

/** Planned once for whatever values: as it is where statements have names. */
async function preparedPlan(client: pg.Client, text: string): Promise<PlanNode> {
  const params = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n)))
  await client.query(`PREPARE plan AS ${text}`)
  const nulls = params === 0 ? '' : `(${Array(params).fill('NULL').join(', ')})`
  const found = await plan(client, `EXECUTE plan${nulls}`, [])
  await client.query('DEALLOCATE plan')
  return found
}

/** Planned for these values. */
async function plan(client: pg.Client, text: string, values: Sent['values']): Promise<PlanNode> {
  const { rows } = await client.query({ text: `EXPLAIN (FORMAT JSON) ${text}`, values: [...values] })
  return rows[0]['QUERY PLAN'][0].Plan
}

/** `isBounded`: whoever asks stops when it has enough. */
function faultsOf(node: PlanNode, isBounded = false): readonly string[] {
  const { 'Node Type': type, 'Relation Name': table = '', 'Index Name': index = '', Plans: below = [] } = node
  const faults: string[] = []
  const isWhole = type === 'Seq Scan' || (/^Index (Only )?Scan$/.test(type) && node['Index Cond'] === undefined)
  if (GROWING.has(table) && isWhole && !isBounded && !FEW.has(index)) faults.push(`${type} of ${table} ${index}`)
  const sorted = below[0]?.['Plan Rows'] ?? 0
  if (type === 'Sort' && sorted > MAX_SORTED) faults.push(`Sort of ${sorted} rows`)
  // A sort and an aggregate ask for all there is; everything else hands on how much is wanted.
  const bounds = type === 'Limit' || (isBounded && !/Sort|Aggregate|Hash|Materialize/.test(type))
  return [...faults, ...below.flatMap((each) => faultsOf(each, bounds))]
}

/** Many rows in each table that grows, with statistics. */
async function fill({ store, client, schema }: PostgresStore): Promise<void> {
  await grow(store, ROWS)
  // Leases of claims of one job, and ids that are remembered: as many as such claims would leave.
  await client.query(
    `INSERT INTO ${schema}.lease (id, until_at, job_ids) SELECT gen_random_uuid(), 4000000000000 + i, ARRAY['none'] FROM generate_series(1, $1) AS i`,
    [ROWS],
  )
  await client.query(
    `INSERT INTO ${schema}.done (first_id, last_id, done_at) SELECT $2 || i, $2 || i, 4000000000000 + i FROM generate_series(1, $1) AS i`,
    [ROWS, newId()],
  )
  await client.query(
    `INSERT INTO ${schema}.message (recipient, verb, posted_by, posted_at, expires_at) SELECT id, 'pause', 'me', 0, 4000000000000 FROM ${schema}.job`,
  )
  for (const table of GROWING) await client.query(`VACUUM ANALYZE ${schema}.${pg.escapeIdentifier(table)}`)
}

async function connected(url: string, options?: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, ...(options !== undefined && { options }) })
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

/** A transaction on a client of the caller's, as it is and as a library hands it on. */
function within(url: string): Within {
  return async (fn) => {
    const client = await connected(url)
    const handle = transactionHandle({
      kind: 'statements',
      library: 'a library',
      query: async (text, values) => (await client.query(text, [...values])).rows,
      execute: async (text, values) => (await client.query(text, [...values])).rowCount ?? 0,
    })
    for (const tx of [client, handle]) {
      await client.query('BEGIN')
      await fn(tx)
      await client.query('ROLLBACK')
    }
  }
}
