/** Writes a ledger back: each kind of change by one statement over all its rows, sent together. */
import type { Ledger } from './ledger.ts'
import { CHANGED_COLUMNS, changedColumns, type LiveJob } from './live-job.ts'
import { BYTES_FIELD, INLINE_BYTES, STATE } from './rows.ts'
import { Restart, type RowsStatement, rowsJson, type SqlValue } from './session.ts'

const UPDATE_JOBS: RowsStatement = { write: 'update', table: 'job', key: { id: 'text' }, set: CHANGED_COLUMNS }
const UPDATE_ERRORS: RowsStatement = {
  write: 'update',
  table: 'job',
  key: { id: 'text' },
  set: { error: 'bytes' },
}
const DELETE_JOBS: RowsStatement = { write: 'delete', table: 'job', key: { id: 'text' } }
const INSERT_JOBS: RowsStatement = {
  write: 'insert',
  table: 'job',
  columns: {
    id: 'text',
    name: 'text',
    version: 'int',
    queue: 'text',
    priority: 'int',
    state: 'int',
    reason: 'text',
    created_at: 'int',
    run_at: 'int',
    expires_at: 'int',
    timeout_ms: 'int',
    retry: 'text',
    tags: 'text',
    unique_scope: 'text',
    unique_key: 'text',
    waiting_on: 'int',
    dependents: 'int',
    payload: 'bytes',
  },
  key: ['id'],
  onTaken: 'skip',
}
/** Writes large values of jobs. */
export const INSERT_BYTES: RowsStatement = {
  write: 'insert',
  table: 'bytes',
  columns: { job_id: 'text', field: 'int', data: 'bytes' },
  key: ['job_id', 'field'],
  onTaken: ['data'],
}
const INSERT_ATTEMPTS: RowsStatement = {
  write: 'insert',
  table: 'attempt',
  columns: {
    job_id: 'text',
    epoch: 'int',
    attempt: 'int',
    worker_id: 'text',
    started_at: 'int',
    ended_at: 'int',
    outcome: 'text',
    error: 'bytes',
  },
  key: ['job_id', 'epoch'],
  onTaken: ['attempt', 'worker_id', 'started_at', 'ended_at', 'outcome', 'error'],
}
const FORGET_OLD =
  'DELETE FROM millrace_attempt WHERE job_id = $1 AND epoch < (SELECT epoch FROM (SELECT epoch FROM millrace_attempt ' +
  'WHERE job_id = $2 ORDER BY epoch DESC LIMIT 1 OFFSET 24) AS oldest)'
const KEPT_ATTEMPTS = 25
const ARCHIVE =
  'INSERT INTO millrace_archive (id, name, version, queue, priority, state, reason, created_at, run_at, attempts, ' +
  'attempt_offset, losses, crashes, epoch, worker_id, started_at, finished_at, progress, progress_note, timeout_ms, retry, ' +
  'tags, unique_scope, unique_key, payload, result, error) SELECT j.id, j.name, j.version, j.queue, j.priority, v.state, ' +
  'v.reason, j.created_at, j.run_at, j.attempts + v.counted, j.attempt_offset, v.losses, v.crashes, j.epoch, ' +
  'CASE WHEN v.counted = 1 THEN j.worker_id END, v.started_at, v.finished_at, j.progress, j.progress_note, j.timeout_ms, ' +
  'j.retry, j.tags, j.unique_scope, j.unique_key, j.payload, BYTES(v.result), ' +
  'CASE WHEN v.state = 5 THEN NULL WHEN v.has_error = 1 THEN BYTES(v.error) ELSE j.error END ' +
  'FROM ROWS($1: id text, state int, reason text, counted int, started_at int, finished_at int, result text, error text, ' +
  'has_error int, losses int, crashes int) v JOIN millrace_job j ON j.id = v.id'
/** Deletes all that belongs to ended jobs, each by one list of ids. */
export const DROP_ALL_OF = [
  'DELETE FROM millrace_archive WHERE id IN LIST($1 text)',
  'DELETE FROM millrace_bytes WHERE job_id IN LIST($1 text)',
  'DELETE FROM millrace_attempt WHERE job_id IN LIST($1 text)',
  'DELETE FROM millrace_log WHERE job_id IN LIST($1 text)',
] as const

/** Writes what changed in a ledger, locks in their order: keys, jobs, edges. */
export async function writeLedger(ledger: Ledger): Promise<void> {
  const { tx } = ledger
  await ledger.keys.write()
  if (ledger.fresh.length > 0) {
    const { changes } = await tx.query(INSERT_JOBS, [rowsJson(ledger.fresh.map(freshRow))])
    // Somebody inserted one of the ids meanwhile: the next try sees it.
    if (changes < ledger.fresh.length) throw new Restart('an id was inserted meanwhile')
  }
  const archived = ledger.ended.filter((job) => !ledger.removed.has(job.id)).map((job) => endedRow(ledger, job))
  const writes: Promise<unknown>[] = []
  if (ledger.attempts.length > 0) {
    writes.push(tx.query(INSERT_ATTEMPTS, [rowsJson(attemptRows(ledger))]))
    const many = new Set(ledger.attempts.filter(({ record }) => record.epoch >= KEPT_ATTEMPTS).map(({ id }) => id))
    for (const id of many) writes.push(tx.query(FORGET_OLD, [id, id]))
  }
  if (archived.length > 0) writes.push(tx.query(ARCHIVE, [rowsJson(archived)]))
  if (ledger.ended.length > 0) writes.push(tx.query(DELETE_JOBS, [rowsJson(ledger.ended.map(({ id }) => ({ id })))]))
  if (ledger.bytes.length > 0) {
    const rows = ledger.bytes.map(({ id, field, data }) => ({ job_id: id, field, data }))
    writes.push(tx.query(INSERT_BYTES, [rowsJson(rows)]))
  }
  const fresh = new Set(ledger.fresh.map(({ job }) => job))
  const rows = ledger
    .changed()
    .filter((job) => !fresh.has(job))
    .sort(byId)
  if (rows.length > 0) writes.push(tx.query(UPDATE_JOBS, [rowsJson(rows.map(changedColumns))]))
  const errors = ledger.errors.filter(({ id }) => ledger.live(id) !== undefined)
  if (errors.length > 0) writes.push(tx.query(UPDATE_ERRORS, [rowsJson(errors)]))
  writes.push(ledger.edges.write())
  await Promise.all(writes)
  if (ledger.removed.size > 0) {
    const ids = [...ledger.removed].sort()
    await Promise.all(DROP_ALL_OF.map((sql) => tx.query(sql, [ids])))
  }
}

function freshRow({ job, row }: Ledger['fresh'][number]): Readonly<Record<string, SqlValue>> {
  return { ...row, ...changedColumns(job) }
}

/** The row of an ended job beside what the live table has; large values go to the bytes table. */
function endedRow(ledger: Ledger, job: LiveJob): Readonly<Record<string, SqlValue>> {
  const { ending } = job
  if (ending === null) throw new TypeError(`the job ${job.id} has not ended`)
  const { state, reason, last } = ending
  const inline = (field: number, data: Uint8Array | null | undefined) => {
    if (data === null || data === undefined) return null
    if (data.byteLength <= INLINE_BYTES) return data
    ledger.bytes.push({ id: job.id, field, data })
    return null
  }
  return {
    id: job.id,
    state: STATE[state],
    reason,
    counted: last === undefined || last.isUncounted === true ? 0 : 1,
    started_at: last?.startedAt ?? null,
    finished_at: ledger.now,
    result: inline(BYTES_FIELD.result, last?.result),
    error: inline(BYTES_FIELD.error, last?.error),
    has_error: last?.error == null ? 0 : 1,
    losses: job.losses,
    crashes: job.crashes,
  }
}

function attemptRows(ledger: Ledger): readonly Readonly<Record<string, SqlValue>>[] {
  // The last record of an attempt stands: two rows of one key cannot be written by one statement.
  const rows = new Map<string, Readonly<Record<string, SqlValue>>>()
  for (const { id, record } of ledger.attempts) {
    rows.set(`${id} ${record.epoch}`, {
      job_id: id,
      epoch: record.epoch,
      attempt: record.attempt,
      worker_id: record.workerId,
      started_at: record.startedAt,
      ended_at: record.endedAt,
      outcome: record.outcome,
      error: record.error,
    })
  }
  return [...rows.values()]
}

function byId(a: LiveJob, b: LiveJob): number {
  return a.id < b.id ? -1 : 1
}
