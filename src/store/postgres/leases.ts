/**
 * Which leases may have ended. A row of `millrace_lease` says: look at these jobs at that time. Each claim leaves one, whatever the
 * number of its jobs, so that the end of a lease stands in no index of theirs (see schema.ts).
 *
 * What holds at any moment: each running job is named by a row whose time is not after the end of its lease. Extending a lease
 * only makes that time early; one that is made shorter gets a row of its own. So whoever finds a row whose time has come looks at
 * its jobs, takes back those whose lease has ended, and leaves a row for the rest. A store takes back the rows of its own claims
 * when all their jobs have ended through it (held.ts); what it forgets goes when its time comes.
 */
import { randomUUID } from 'node:crypto'
import type { CopiedJob, ReclaimedJob } from '../contract/index.ts'
import { takeBackAmong } from '../sql/lease.ts'
import { int, text } from '../sql/rows.ts'
import type { Database, Transaction } from '../sql/session.ts'
import type { LeaseRow } from './held.ts'

/** One transaction looks at the rows of so many jobs, and 1,000 more at most; so many transactions follow each other. */
const JOBS_AT_ONCE = 4_000
const ROUNDS = 50

const NOTE =
  'INSERT INTO millrace_lease (id, until_at, job_ids) VALUES ($1::uuid, $2::bigint, $3::text[]) RETURNING ctid'
/** First how many rows there were; then what runs of their jobs. */
const ENDED =
  'WITH due AS MATERIALIZED (SELECT ctid AS spot, cardinality(job_ids) AS jobs FROM millrace_lease ' +
  'WHERE until_at <= $1 ORDER BY until_at LIMIT 256 FOR UPDATE SKIP LOCKED), counted AS (SELECT spot, ' +
  'sum(jobs) OVER (ROWS UNBOUNDED PRECEDING) - jobs AS jobs_before FROM due), ended AS (DELETE FROM millrace_lease WHERE ' +
  `ctid = ANY (ARRAY(SELECT spot FROM counted WHERE jobs_before < ${JOBS_AT_ONCE})) RETURNING job_ids), ` +
  'running AS (SELECT j.id, j.lease_until FROM millrace_job j WHERE ' +
  'j.id = ANY (ARRAY(SELECT DISTINCT unnest(job_ids) FROM ended)) AND j.state = 3) ' +
  'SELECT NULL AS id, (SELECT count(*) FROM ended) AS at UNION ALL SELECT id, lease_until FROM running'

/** The statements of this file, for the test of their plans. */
export const RECLAIM_STATEMENTS = { ENDED } as const

/** Says when to look at these jobs, which are held until then. */
export async function noteLease(tx: Transaction, until: number, jobIds: readonly string[]): Promise<LeaseRow> {
  const id = randomUUID()
  const { rows } = await tx.query(NOTE, [id, Math.floor(until), jobIds])
  return { id, spot: int(rows[0]?.[0]) }
}

/** The same for jobs that were copied from another store while they ran. */
export async function noteCopied(tx: Transaction, jobs: readonly CopiedJob[]): Promise<void> {
  const held = jobs.filter((job) => job.state === 'processing')
  if (held.length === 0) return
  const until = Math.min(...held.map((job) => job.leaseUntil ?? 0))
  const ids = held.map((job) => job.id)
  await noteLease(tx, until, ids)
}

/**
 * Takes back jobs whose lease has ended, those of early rows first. See `JobsFacet.reclaim`. Rows whose jobs have ended or live on
 * give none: beyond so many transactions the rest waits for the next call.
 */
export async function reclaimEnded(db: Pick<Database, 'transact'>, limit: number): Promise<readonly ReclaimedJob[]> {
  const reclaimed: ReclaimedJob[] = []
  for (let round = 0; round < ROUNDS && reclaimed.length < limit; round++) {
    const taken = await db.transact((tx) => reclaimRows(tx, limit - reclaimed.length))
    if (taken === null) break
    reclaimed.push(...taken)
  }
  return reclaimed
}

/** Null: no row's time has come. */
async function reclaimRows(tx: Transaction, limit: number): Promise<readonly ReclaimedJob[] | null> {
  const { rows } = await tx.query(ENDED, [tx.now])
  const [head = [], ...running] = rows
  if (int(head[1]) === 0) return null
  const leases = running.map((row) => ({ id: text(row[0]), until: int(row[1] ?? 0) })).sort((a, b) => a.until - b.until)
  const ended = leases.filter(({ until }) => until <= tx.now).slice(0, limit)
  const { taken, kept } = await takeBackAmong(
    tx,
    ended.map(({ id }) => id),
  )
  const rest = [...leases.slice(ended.length), ...kept]
  if (rest.length === 0) return taken
  const until = Math.min(...rest.map((lease) => lease.until))
  const ids = rest.map(({ id }) => id)
  await noteLease(tx, until, ids)
  return taken
}
