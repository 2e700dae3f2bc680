/**
 * New jobs. Plain ones go by one statement over arrays, committed by itself: one round trip for a batch. The archive is
 * looked into by the same statement, since an id that has finished must not run again; so is the live table, since a job
 * that ends meanwhile leaves it without a trace in this statement's view of the archive. Where all ids were made for this very
 * insert there is nothing to look for, which is a third of the work: should one be there all the same, the statement fails as a
 * whole, and they are inserted like any others. Jobs with a unique key or parents take the slow road.
 */
import { StoreError } from '../../core/errors.ts'
import type { JobState } from '../../core/job/state.ts'
import type { InsertResult, NewJob } from '../contract/index.ts'
import { areAlike } from '../sql/alike.ts'
import { insertBound, refusalOf } from '../sql/insert.ts'
import { codeOf } from '../sql/network-error.ts'
import { endedState, INLINE_BYTES, int, liveState, tagsText, text } from '../sql/rows.ts'
import { Restart, type Session, type SqlValue, type Transaction } from '../sql/session.ts'
import { bigintArray, bytesArray, textArray } from './arrays.ts'
import type { PostgresDatabase } from './database.ts'
import { isConstraint } from './errors.ts'

/** So often a batch inside somebody's transaction is tried while others take its keys. */
const MAX_TRIES = 5
/** A batch of more is from somebody busy: the hint goes behind it. */
const MAX_RIDING = 32

const GIVEN =
  'WITH t AS MATERIALIZED (SELECT NOW_SQL AS now), given AS MATERIALIZED (SELECT v.*, ' +
  'coalesce(v.run_at, t.now + v.delay_ms) AS due_at, t.now FROM t, unnest($2::text[], $3::text[], $4::bigint[], $5::text[], ' +
  '$6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::bytea[]) ' +
  'AS v(id, name, version, queue, priority, delay_ms, run_at, expires_ms, timeout_ms, retry, tags, payload))'
const ABSENT =
  ' WHERE NOT EXISTS (SELECT 1 FROM millrace_archive a WHERE a.id = v.id) AND NOT REMEMBERED(v.id) ' +
  'AND NOT EXISTS (SELECT 1 FROM millrace_job j WHERE j.id = v.id) ON CONFLICT (id) DO NOTHING'
const FRESH =
  'INSERT INTO millrace_job (id, name, version, queue, priority, state, created_at, run_at, expires_at, timeout_ms, retry, ' +
  'tags, payload) SELECT id, name, version, queue, priority, CASE WHEN due_at > now THEN 1 ELSE 2 END, now, due_at, ' +
  `now + expires_ms, timeout_ms, retry, tags, CASE WHEN octet_length(payload) <= ${INLINE_BYTES} THEN payload END FROM given v`
const BORN = ' RETURNING id, state'
const PLAIN = `${GIVEN} ${FRESH}${ABSENT}${BORN}`
const PLAIN_FRESH = `${GIVEN} ${FRESH}${BORN}`
// Jobs that differ in id and payload alone, as those of one busy producer do: everything else is sent once.
const ALIKE_FRESH =
  'WITH t AS MATERIALIZED (SELECT NOW_SQL AS now) INSERT INTO millrace_job (id, name, version, queue, priority, state, ' +
  'created_at, run_at, payload) SELECT v.id, $3::text, $4::bigint, $5::text, $6::bigint, 2, t.now, t.now, v.payload FROM t, ' +
  'unnest($2::text[], $7::bytea[]) AS v(id, payload)'
const ALIKE = `${ALIKE_FRESH}${ABSENT}${BORN}`
const WITH_BYTES =
  `${GIVEN}, born AS (${FRESH}${ABSENT}${BORN}), large AS (INSERT INTO millrace_bytes (job_id, field, data) SELECT given.id, 1, payload ` +
  `FROM given JOIN born ON born.id = given.id WHERE octet_length(payload) > ${INLINE_BYTES}) SELECT id, state FROM born`
const STATES =
  'SELECT id, state, 0 FROM millrace_job WHERE id IN LIST($1 text) UNION ALL ' +
  'SELECT id, state, 1 FROM millrace_archive WHERE id IN LIST($2 text) UNION ALL ' +
  'SELECT v.id, 5, 1 FROM unnest($3::text[]) AS v(id) WHERE REMEMBERED(v.id)'

/** The statements whose plans the tests assert, before `NOW_SQL` is put in. */
export const INSERT_STATEMENTS = { PLAIN, PLAIN_FRESH, ALIKE, ALIKE_FRESH, WITH_BYTES } as const

type RunPlain = (
  text: string,
  values: readonly SqlValue[],
) => Promise<{ readonly rows: readonly (readonly unknown[])[] }>

/** Inserts a batch by itself. */
export async function insertJobs(db: PostgresDatabase, jobs: readonly NewJob[]): Promise<readonly InsertResult[]> {
  if (jobs.length === 0) return db.read(async () => [])
  let isHinted = false
  const run: RunPlain = (sql, values) =>
    db.newsStatement(sql, values, jobs.length <= MAX_RIDING, (hinted) => {
      isHinted = hinted
    })
  const results = jobs.some(isBound) ? await insertBoundBatch(db, jobs) : await insertPlainBatch(db, jobs, run)
  const isNews = results.some((result) => result.status === 'created' || result.status === 'replaced')
  if (isNews && !isHinted) db.hint()
  return results
}

/**
 * Inserts a batch inside somebody's transaction, which goes on whatever row is refused. Where a library is in between
 * (`isOwn` false) nothing travels but text and numbers, by the slow road.
 */
export async function insertInside(
  db: PostgresDatabase,
  tx: Transaction,
  jobs: readonly NewJob[],
  isOwn: boolean,
): Promise<readonly InsertResult[]> {
  if (jobs.length === 0) return []
  for (let tries = 1; ; tries++) {
    try {
      return await guarded(tx, () =>
        !isOwn || jobs.some(isBound)
          ? insertBound(tx, jobs)
          : // Here a statement that failed could not be followed by another one.
            insertPlain(db, jobs.map(notFresh), (sql, values) => tx.query(sql, values), tx),
      )
    } catch (error) {
      // Somebody else took a key meanwhile: now it is seen.
      if (error instanceof Restart && tries < MAX_TRIES) continue
      if (!isConstraint(error)) throw error
      const [only] = jobs
      if (jobs.length === 1 && only !== undefined) return [refused(only, error)]
      return oneByOne(tx, jobs, (job) => insertInside(db, tx, [job], isOwn))
    }
  }
}

function notFresh(job: NewJob): NewJob {
  return job.fresh === true ? { ...job, fresh: false } : job
}

function isBound(job: NewJob): boolean {
  return job.unique !== undefined || job.dependsOn !== undefined
}

async function insertBoundBatch(db: PostgresDatabase, jobs: readonly NewJob[]): Promise<readonly InsertResult[]> {
  try {
    return await db.transact((tx) => insertBound(tx, jobs))
  } catch (error) {
    if (!isRefusal(error)) throw error
  }
  // A row that the database refuses ends its transaction: now each goes behind a savepoint of its own.
  return db.transact((tx) => oneByOne(tx, jobs, (job) => insertBound(tx, [job])))
}

/** Halves a batch that a constraint refuses until the bad row stands alone. */
async function insertPlainBatch(
  db: PostgresDatabase,
  jobs: readonly NewJob[],
  run: RunPlain,
): Promise<readonly InsertResult[]> {
  try {
    return await insertPlain(db, jobs, run, { query: (sql, values) => db.read((s) => s.query(sql, values)) })
  } catch (error) {
    const [only] = jobs
    if (!isRefusal(error) || only === undefined) throw error
    if (jobs.length === 1) return [refused(only, error)]
    const half = jobs.length >> 1
    const first = await insertPlainBatch(db, jobs.slice(0, half), run)
    return [...first, ...(await insertPlainBatch(db, jobs.slice(half), run))]
  }
}

async function insertPlain(
  db: PostgresDatabase,
  jobs: readonly NewJob[],
  run: RunPlain,
  session: Session,
): Promise<readonly InsertResult[]> {
  const refusals = jobs.map(refusalOf)
  const good = refusals.some((refusal) => refusal !== null) ? jobs.filter((_, i) => refusals[i] === null) : jobs
  const born = await bornOf(db, good, run)
  const known =
    born.size === good.length
      ? undefined
      : await statesOf(
          session,
          good.filter(({ id }) => !born.has(id)),
        )
  const told = new Set<string>()
  return jobs.map((job, i) => {
    const refusal = refusals[i]
    if (refusal !== null && refusal !== undefined) {
      return { status: 'refused', id: job.id, code: 'STORE_CONSTRAINT', message: refusal }
    }
    const state = born.get(job.id)
    if (state === undefined || told.has(job.id)) {
      return { status: 'existing', id: job.id, state: state ?? known?.get(job.id) ?? 'pending' }
    }
    if (born.size < good.length) told.add(job.id)
    return { status: 'created', id: job.id, state }
  })
}

/** Writes those that nobody has; the state of each. */
async function bornOf(db: PostgresDatabase, jobs: readonly NewJob[], run: RunPlain): Promise<Map<string, JobState>> {
  const [first] = jobs
  if (first === undefined) return new Map()
  const isLarge = jobs.some((job) => job.payload.byteLength > INLINE_BYTES)
  const isSame = areAlike(jobs)
  const params = isSame ? alikeParams(db, jobs, first) : paramsOf(db, jobs)
  if (!isLarge && jobs.every((job) => job.fresh === true)) {
    try {
      const { rows } = await run(db.timed(isSame ? ALIKE_FRESH : PLAIN_FRESH), params)
      return isSame ? new Map(jobs.map(({ id }) => [id, 'pending'])) : statesIn(rows)
    } catch (error) {
      if (!isDuplicate(error)) throw error
    }
  }
  return statesIn((await run(db.timed(isSame ? ALIKE : isLarge ? WITH_BYTES : PLAIN), params)).rows)
}

function statesIn(rows: readonly (readonly unknown[])[]): Map<string, JobState> {
  return new Map(rows.map((row) => [text(row[0]), liveState(row[1])]))
}

function alikeParams(db: PostgresDatabase, jobs: readonly NewJob[], first: NewJob): readonly SqlValue[] {
  const ids = textArray(jobs.map((job) => job.id))
  const payloads = bytesArray(jobs.map((job) => job.payload))
  return [db.nowParam(), ids, first.name, first.version, first.queue, first.priority, payloads]
}

function paramsOf(db: PostgresDatabase, jobs: readonly NewJob[]): readonly SqlValue[] {
  const whole = (value: number | undefined) => (value === undefined ? null : Math.floor(value))
  return [
    db.nowParam(),
    textArray(jobs.map((job) => job.id)),
    textArray(jobs.map((job) => job.name)),
    bigintArray(jobs.map((job) => job.version)),
    textArray(jobs.map((job) => job.queue)),
    bigintArray(jobs.map((job) => job.priority)),
    bigintArray(jobs.map((job) => whole(job.delayMs) ?? 0)),
    bigintArray(jobs.map((job) => whole(job.runAt))),
    bigintArray(jobs.map((job) => whole(job.expiresInMs))),
    bigintArray(jobs.map((job) => job.timeoutMs ?? null)),
    textArray(jobs.map((job) => job.retry ?? null)),
    textArray(jobs.map((job) => tagsText(job.tags))),
    bytesArray(jobs.map((job) => job.payload)),
  ]
}

async function statesOf(session: Session, jobs: readonly NewJob[]) {
  const ids = jobs.map((job) => job.id)
  const { rows } = await session.query(STATES, [ids, ids, ids])
  return new Map(rows.map((row) => [text(row[0]), int(row[2]) === 0 ? liveState(row[1]) : endedState(row[1])]))
}

/** Runs `fn` behind a savepoint: when it throws, what it wrote is undone and the transaction goes on. */
async function guarded<T>(tx: Transaction, fn: () => Promise<T>): Promise<T> {
  await tx.query('SAVEPOINT row_guard')
  try {
    const value = await fn()
    await tx.query('RELEASE SAVEPOINT row_guard')
    return value
  } catch (error) {
    await tx.query('ROLLBACK TO SAVEPOINT row_guard')
    throw error
  }
}

async function oneByOne(
  tx: Transaction,
  jobs: readonly NewJob[],
  insert: (job: NewJob) => Promise<readonly InsertResult[]>,
): Promise<readonly InsertResult[]> {
  const results: InsertResult[] = []
  for (const job of jobs) {
    try {
      results.push(...(await guarded(tx, () => insert(job))))
    } catch (error) {
      if (!isConstraint(error)) throw error
      results.push(refused(job, error))
    }
  }
  return results
}

/** An id that is there already (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
function isDuplicate(error: unknown): boolean {
  return error instanceof StoreError && error.fields.code === '23505'
}

/** A constraint, as the database says it or as it was translated. */
function isRefusal(error: unknown): boolean {
  return isConstraint(error) || codeOf(error) === 'STORE_CONSTRAINT'
}

function refused(job: NewJob, error: unknown): InsertResult {
  const message = error instanceof Error ? error.message : String(error)
  return { status: 'refused', id: job.id, code: 'STORE_CONSTRAINT', message }
}
