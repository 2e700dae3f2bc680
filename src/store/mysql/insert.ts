/**
 * New jobs. Plain ones go by two statements, each over one JSON parameter (a single job by its values), into the job table and
 * the ready table, in one transaction. An id that lives is a row that is there already: then the batch takes the slow road. So
 * it does when an id has ended, which is looked for after the rows are written, since what lived a moment ago may have ended
 * meanwhile; only where one is neither made for this insert nor newer than all that has ended: that look costs as much as a
 * third of the writing. Payloads are one parameter too, all bytes in a row, each job's a part of them: as text in the JSON they
 * would double, and be read once for each column. Jobs with a unique key or parents take the slow road.
 */
import { isFinal } from '../../core/job/state.ts'
import type { InsertResult, NewJob } from '../contract/index.ts'
import { areAlike } from '../sql/alike.ts'
import { insertBound, refusalOf, runTime } from '../sql/insert.ts'
import { codeOf } from '../sql/network-error.ts'
import { BYTES_FIELD, INLINE_BYTES, int, liveState, STATE, tagsText, text } from '../sql/rows.ts'
import { Restart, rowsJson, type Session, type Transaction } from '../sql/session.ts'
import { INSERT_BYTES } from '../sql/write.ts'
import { type MysqlDatabase, STORED_NOW } from './database.ts'
import { queueKey } from './dialect.ts'
import { isConstraint, isDuplicate } from './errors.ts'
import { giveNotice } from './notices.ts'

const IDS = "JSON_TABLE($1, '$[*]' COLUMNS (id VARBINARY(255) PATH '$[0]' ERROR ON ERROR)) v"
const FOUND = (table: string) =>
  `(SELECT count(*) FROM ${IDS} STRAIGHT_JOIN ${table} a FORCE INDEX (PRIMARY) ON a.id = v.id)`
const ENDED = `SELECT ${FOUND('millrace_archive')} + (SELECT count(*) FROM ${IDS} WHERE REMEMBERED(v.id)) AS found`
const NEWEST_ENDED =
  "SELECT GREATEST(COALESCE((SELECT MAX(id) FROM millrace_archive), ''), " +
  "COALESCE((SELECT last_id FROM millrace_done FORCE INDEX (done_ids) ORDER BY bucket DESC, last_id DESC LIMIT 1), '')) AS id"
const INSERT_JOBS =
  'INSERT INTO millrace_job (id, name, queue, priority, state, run_at, created_at, version, expires_at, timeout_ms, retry, ' +
  'tags, payload) SELECT v.id, v.name, v.queue, 100 - v.place, v.state, v.run_at, $2, v.version, v.expires_at, v.timeout_ms, ' +
  'v.retry, v.tags, SUBSTR($3, v.start, v.length) FROM JSON_TABLE($1, ' +
  "'$[*]' COLUMNS (id VARBINARY(255) PATH '$[0]' ERROR ON ERROR, name VARBINARY(16000) PATH '$[1]' ERROR ON ERROR, " +
  "place BIGINT PATH '$[2]', state BIGINT PATH '$[3]', run_at BIGINT PATH '$[4]' ERROR ON ERROR, " +
  "expires_at BIGINT PATH '$[5]' ERROR ON ERROR, queue VARBINARY(16000) PATH '$[6]' ERROR ON ERROR, " +
  "version BIGINT PATH '$[8]' ERROR ON ERROR, timeout_ms BIGINT PATH '$[9]' ERROR ON ERROR, start BIGINT PATH '$[10]', " +
  "length BIGINT PATH '$[11]', retry LONGTEXT CHARACTER SET utf8mb4 PATH '$[12]', " +
  "tags LONGTEXT CHARACTER SET utf8mb4 PATH '$[13]')) v"
// Jobs that differ in id and payload alone, as those of one busy producer do: what they share is read once.
const INSERT_JOBS_ALIKE =
  'INSERT INTO millrace_job (id, name, queue, priority, state, run_at, created_at, version, payload) SELECT v.id, $2, $3, $4, ' +
  `2, ${STORED_NOW}, ${STORED_NOW}, $5, SUBSTR($6, v.start, v.length) FROM JSON_TABLE($1, '$[*]' COLUMNS (` +
  "id VARBINARY(255) PATH '$[0]' ERROR ON ERROR, start BIGINT PATH '$[1]', length BIGINT PATH '$[2]')) v"
const INSERT_READY_ALIKE =
  `INSERT INTO millrace_ready (state, queue_key, place, run_at, id, name, expires_at) SELECT 2, QUEUE($3), $4, ${STORED_NOW}, ` +
  "v.id, $2, NULL FROM JSON_TABLE($1, '$[*]' COLUMNS (id VARBINARY(255) PATH '$[0]')) v"
// One job by itself, without the temporary table that a list of one costs in both, a tenth of the whole call. Nothing is planned.
const INSERT_JOB =
  'INSERT INTO millrace_job (id, name, queue, priority, state, run_at, created_at, version, payload) VALUES ($1, $2, $3, $4, ' +
  `2, ${STORED_NOW}, ${STORED_NOW}, $5, $6)`
const INSERT_JOB_READY =
  'INSERT INTO millrace_ready (state, queue_key, place, run_at, id, name, expires_at) VALUES (2, QUEUE($3), $4, ' +
  `${STORED_NOW}, $1, $2, NULL)`
const INSERT_READY =
  'INSERT INTO millrace_ready (state, queue_key, place, run_at, id, name, expires_at) SELECT v.state, ' +
  "coalesce(v.queue_key, v.queue), v.place, v.run_at, v.id, v.name, v.expires_at FROM JSON_TABLE($1, '$[*]' COLUMNS (" +
  "id VARBINARY(255) PATH '$[0]', name VARBINARY(16000) PATH '$[1]', place BIGINT PATH '$[2]', state BIGINT PATH '$[3]', " +
  "run_at BIGINT PATH '$[4]', expires_at BIGINT PATH '$[5]', queue VARBINARY(16000) PATH '$[6]', " +
  "queue_key VARBINARY(190) PATH '$[7]')) v"

/** The statements whose plans the tests assert. */
export const INSERT_STATEMENTS = {
  ENDED,
  NEWEST_ENDED,
  INSERT_JOBS,
  INSERT_JOBS_ALIKE,
  INSERT_READY,
  INSERT_READY_ALIKE,
} as const

/** Somebody else's transaction is not begun again; what was tried in it is, so often. */
const MAX_TRIES = 5

/** Thrown inside a transaction when an id is there already: the slow road sorts it out. */
class Taken extends Error {}

/** Inserts a batch by itself. */
export async function insertJobs(db: MysqlDatabase, jobs: readonly NewJob[]): Promise<readonly InsertResult[]> {
  if (jobs.length === 0) return db.read(async () => [])
  const results = await insertBatch(db, jobs)
  if (results.some((result) => result.status === 'created' || result.status === 'replaced')) db.hint()
  return results
}

async function insertBatch(db: MysqlDatabase, jobs: readonly NewJob[]): Promise<readonly InsertResult[]> {
  try {
    if (!isBound(jobs)) return await insertPlain(db, jobs)
  } catch (error) {
    if (!(error instanceof Taken || isDuplicate(error) || isRefusal(error))) throw error
  }
  try {
    return await db.transact((tx) => insertBound(tx, jobs))
  } catch (error) {
    if (!isRefusal(error)) throw error
  }
  // A row that the database refuses ends the batch: now each goes behind a savepoint of its own.
  return db.transact((tx) => oneByOne(tx, jobs, (some) => insertBound(tx, some)))
}

/** A job that was made, and has not ended with it: one whose parent failed ends as it is born. */
function isBornAlive(result: InsertResult | undefined): boolean {
  return (result?.status === 'created' || result?.status === 'replaced') && !isFinal(result.state)
}

/** Inserts a batch inside somebody's transaction, which goes on whatever row is refused. With `notify` its commit wakes who waits. */
export async function insertInside(
  tx: Transaction,
  jobs: readonly NewJob[],
  notify = false,
): Promise<readonly InsertResult[]> {
  if (jobs.length === 0) return []
  // Ahead of the jobs: where it is refused, nothing was written.
  if (notify) await giveNotice(tx)
  const insert = async (some: readonly NewJob[], isFirst: boolean) => {
    const results = await insertBound(tx, some, (job) => isFirst && job.fresh === true)
    const displaced = new Set(results.map((result) => (result.status === 'replaced' ? result.replacedId : null)))
    const made = some.filter((job, i) => job.fresh !== true && isBornAlive(results[i]) && !displaced.has(job.id))
    // From here on nobody else can make a job of this id. One that came and ended before was not seen by who looked before it came.
    if (made.length === 0) return results
    const ended = await tx.query(ENDED, [JSON.stringify(made.map(({ id }) => [id]))])
    if (int(ended.rows[0]?.[0]) > 0) throw new Restart('an id has ended')
    return results
  }
  for (let tries = 1; ; tries++) {
    try {
      return await guarded(tx, () => insert(jobs, tries === 1))
    } catch (error) {
      // Somebody else wrote a key or an id meanwhile: now it is seen.
      if (error instanceof Restart && tries < MAX_TRIES) continue
      if (!isConstraint(error)) throw error
      return oneByOne(tx, jobs, (some) => insert(some, false))
    }
  }
}

function isBound(jobs: readonly NewJob[]): boolean {
  return jobs.some((job) => job.unique !== undefined || job.dependsOn !== undefined)
}

function insertPlain(db: MysqlDatabase, jobs: readonly NewJob[]): Promise<readonly InsertResult[]> {
  const refusals = jobs.map(refusalOf)
  const good = refusals.some((refusal) => refusal !== null) ? jobs.filter((_, i) => refusals[i] === null) : jobs
  if (new Set(good.map(({ id }) => id)).size < good.length) throw new Taken('an id stands twice')
  const isAlike = areAlike(good)
  const write = async (session: Session, now: number) => {
    const mayHaveEnded = good.some((job) => job.fresh !== true)
    const [states, newest] = await Promise.all([
      isAlike ? writeAlike(session, good) : writePlain(session, good, now),
      mayHaveEnded ? session.query(NEWEST_ENDED).then(({ rows }) => text(rows[0]?.[0])) : '',
    ])
    if (good.some(({ id }) => id <= newest)) {
      const ended = await session.query(ENDED, [JSON.stringify(good.map(({ id }) => [id]))])
      if (int(ended.rows[0]?.[0]) > 0) throw new Taken('an id has ended')
    }
    let at = 0
    return jobs.map((job, i): InsertResult => {
      const refusal = refusals[i] ?? null
      if (refusal !== null) return { status: 'refused', id: job.id, code: 'STORE_CONSTRAINT', message: refusal }
      return { status: 'created', id: job.id, state: liveState(states[at++]) }
    })
  }
  return isAlike ? db.transactUnasked((session) => write(session, 0)) : db.transact((tx) => write(tx, tx.now))
}

/** Writes rows that nobody has; returns the state of each. */
async function writePlain(session: Session, jobs: readonly NewJob[], now: number): Promise<readonly number[]> {
  if (jobs.length === 0) return []
  const large = jobs.filter((job) => job.payload.byteLength > INLINE_BYTES)
  const inline: Uint8Array[] = []
  const states: number[] = []
  let start = 1
  const rows = jobs.map((job) => {
    const runAt = runTime(job, now)
    const state = runAt > now ? STATE.scheduled : STATE.pending
    states.push(state)
    const expiresAt = job.expiresInMs === undefined ? null : Math.floor(now + job.expiresInMs)
    const key = queueKey(job.queue)
    const length = job.payload.byteLength
    const isInline = length <= INLINE_BYTES
    if (isInline) inline.push(job.payload)
    const row = [job.id, job.name, 100 - job.priority, state, runAt, expiresAt, job.queue]
    row.push(key === job.queue ? null : key, job.version, job.timeoutMs ?? null)
    row.push(isInline ? start : null, isInline ? length : null)
    if (isInline) start += length
    if (job.retry !== undefined || (job.tags !== undefined && job.tags.length > 0)) {
      row.push(job.retry ?? null, tagsText(job.tags))
    }
    return row
  })
  const json = JSON.stringify(rows)
  await Promise.all([
    session.query(INSERT_JOBS, [json, now, Buffer.concat(inline)]),
    session.query(INSERT_READY, [json]),
    ...large.map((job) =>
      session.query(INSERT_BYTES, [rowsJson([{ job_id: job.id, field: BYTES_FIELD.payload, data: job.payload }])]),
    ),
  ])
  return states
}

/** Writes rows that differ in id and payload alone, in a transaction that has its time on the server. */
async function writeAlike(session: Session, jobs: readonly NewJob[]): Promise<readonly number[]> {
  const [first] = jobs
  if (first === undefined) return []
  const { name, queue, priority, version } = first
  if (jobs.length === 1) {
    await Promise.all([
      session.query(INSERT_JOB, [first.id, name, queue, priority, version, first.payload]),
      session.query(INSERT_JOB_READY, [first.id, name, queue, 100 - priority]),
    ])
    return [STATE.pending]
  }
  let start = 1
  const rows = jobs.map(({ id, payload: { byteLength } }) => {
    start += byteLength
    return [id, start - byteLength, byteLength]
  })
  const json = JSON.stringify(rows)
  const payloads = Buffer.concat(jobs.map((job) => job.payload))
  await Promise.all([
    session.query(INSERT_JOBS_ALIKE, [json, name, queue, priority, version, payloads]),
    session.query(INSERT_READY_ALIKE, [json, name, queue, 100 - priority]),
  ])
  return jobs.map(() => STATE.pending)
}

/** Runs `fn` behind a savepoint: when it throws, what it wrote is undone and the transaction goes on. */
async function guarded<T>(tx: Transaction, fn: () => Promise<T>): Promise<T> {
  await tx.query('SAVEPOINT row_guard')
  try {
    const value = await fn()
    await tx.query('RELEASE SAVEPOINT row_guard')
    return value
  } catch (error) {
    // After a deadlock the server has no savepoint any more: what went wrong first is what is told.
    await tx.query('ROLLBACK TO SAVEPOINT row_guard').catch(() => undefined)
    throw error
  }
}

async function oneByOne(
  tx: Transaction,
  jobs: readonly NewJob[],
  insert: (jobs: readonly NewJob[]) => Promise<readonly InsertResult[]>,
): Promise<readonly InsertResult[]> {
  const results: InsertResult[] = []
  for (const job of jobs) {
    try {
      results.push(...(await guarded(tx, () => insert([job]))))
    } catch (error) {
      if (!isConstraint(error)) throw error
      const message = error instanceof Error ? error.message : String(error)
      results.push({ status: 'refused', id: job.id, code: 'STORE_CONSTRAINT', message })
    }
  }
  return results
}

/** A constraint, as the database says it or as it was translated. */
function isRefusal(error: unknown): boolean {
  return isConstraint(error) || codeOf(error) === 'STORE_CONSTRAINT'
}
