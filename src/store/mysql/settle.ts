/**
 * Settling jobs that are plain: completed, with a small result, without dependents or a unique key.
 *
 * It is all or nothing: one statement locks the jobs in the order of their ids and moves to the archive those that are still held
 * by this worker and plain; when it moved fewer than it was given, the transaction is to be undone and the slow road sorts it out.
 *
 * Jobs are found by lists of ids (see `LISTED` in dialect.ts), or, where each has values of its own, by one JSON parameter; those
 * statements have a form for one job by its values. At a steady load most exchanges settle one job, and unpacking a list of one
 * costs the server 20 to 40 µs of the 60 to 100 that the statement takes.
 */
import type { Settlement, SettleResult } from '../contract/index.ts'
import { ALIKE_CHARACTERS } from '../sql/remembered.ts'
import type { SqlResult, SqlValue, Transaction } from '../sql/session.ts'
import { listsOf } from './dialect.ts'

const SETTLED =
  "JSON_TABLE($1, '$[*]' COLUMNS (id VARBINARY(255) PATH '$[0]', epoch BIGINT PATH '$[1]', run_ms BIGINT PATH '$[2]', " +
  "start BIGINT PATH '$[3]', length BIGINT PATH '$[4]')) v STRAIGHT_JOIN millrace_job j FORCE INDEX (PRIMARY) ON j.id = v.id"
const BY_ID = 'millrace_job j FORCE INDEX (PRIMARY) WHERE j.id = $1'
/** `jobs` ends in a condition; the others say where it stands under which epoch a job was held, how long it ran, and its result. */
const archiving = (jobs: string, epoch: string, runMs: string, result: string) =>
  'INSERT INTO millrace_archive (id, name, version, queue, priority, state, created_at, run_at, attempts, attempt_offset, ' +
  'losses, crashes, epoch, worker_id, started_at, finished_at, progress, progress_note, timeout_ms, retry, tags, payload, ' +
  'result) SELECT j.id, j.name, j.version, j.queue, j.priority, 5, j.created_at, j.run_at, j.attempts + 1, j.attempt_offset, ' +
  `j.losses, j.crashes, j.epoch, j.worker_id, $2 - ${runMs}, $2, j.progress, j.progress_note, j.timeout_ms, j.retry, j.tags, ` +
  `j.payload, ${result} FROM ${jobs} AND j.epoch = ${epoch} AND j.worker_id = $4 AND j.state = 3 AND j.dependents = 0 ` +
  'AND j.unique_key IS NULL FOR UPDATE'
const ARCHIVE = archiving(SETTLED, 'v.epoch', 'v.run_ms', 'SUBSTR($3, v.start, v.length)')
const ARCHIVE_ONE = archiving(BY_ID, '$5', '$6', '$3')
const BY_IDS = 'millrace_job j FORCE INDEX (PRIMARY) WHERE j.id IN LIST($1 text)'
const REMOVE = `DELETE j FROM ${BY_IDS}`
/**
 * Takes away those of which there is only the row. Each is asked for a log under its own lock: a range asked for once would be
 * cheaper by 1 µs a job, but it is asked before the others are locked, and waits for the logs that others are writing.
 */
const FORGET =
  // allow sql: constants of this file
  `DELETE j FROM ${BY_IDS} AND j.epoch = 1 AND j.worker_id = $2 AND j.state = 3 AND j.dependents = 0 ` +
  'AND j.unique_key IS NULL AND j.payload IS NOT NULL AND (SELECT 1 FROM millrace_log l FORCE INDEX (PRIMARY) ' +
  'WHERE l.job_id = j.id LIMIT 1) IS NULL'
const REMEMBER =
  'INSERT INTO millrace_done (bucket, first_id, last_id, done_at, ids) SELECT v.bucket, v.first_id, v.last_id, $2, v.ids ' +
  "FROM JSON_TABLE($1, '$[*]' COLUMNS (bucket VARBINARY(40) PATH '$[0]', first_id VARBINARY(255) PATH '$[1]', " +
  "last_id VARBINARY(255) PATH '$[2]', ids LONGTEXT CHARACTER SET utf8mb4 PATH '$[3]')) v"
// Nothing is planned. Jobs of about the same time are one row, however many they are.
const REMEMBER_ONE = 'INSERT INTO millrace_done (bucket, first_id, last_id, ids, done_at) VALUES ($1, $2, $3, $4, $5)'

/** The statements whose plans the tests assert. */
export const SETTLE_STATEMENTS = {
  ARCHIVE,
  ARCHIVE_ONE,
  REMOVE,
  FORGET,
  REMEMBER,
  REMEMBER_ONE,
} as const

/** Thrown inside a transaction, which is to be undone: something among what is settled is not plain. */
export class NotPlain extends Error {}

/** Settles what may be plain, in a transaction. Throws `NotPlain` when not everything was. */
export async function settlePlain(
  tx: Transaction,
  workerId: string,
  settle: readonly Settlement[],
): Promise<readonly SettleResult[]> {
  const sorted = settle.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  // One that was claimed before has left attempts behind.
  const kept = sorted.filter((s) => !isForgotten(s) || s.epoch !== 1)
  const forgotten = sorted.flatMap((s) => (isForgotten(s) && s.epoch === 1 ? [s.id] : []))
  // Sent together: when the first ones moved fewer, all is undone.
  const moves: Promise<SqlResult>[] = []
  const rest: Promise<unknown>[] = []
  if (kept.length > 0) {
    moves.push(archive(tx, workerId, kept))
    rest.push(...remove(tx, kept))
  }
  if (forgotten.length > 0) {
    moves.push(...forget(tx, workerId, forgotten))
    rest.push(remember(tx, forgotten))
  }
  const [moved] = await Promise.all([Promise.all(moves), ...rest])
  if (moved.reduce((sum, { changes }) => sum + changes, 0) < settle.length) {
    throw new NotPlain('not every settlement is plain')
  }
  return settle.map((): SettleResult => 'settled')
}

function archive(tx: Transaction, workerId: string, settle: readonly Settlement[]): Promise<SqlResult> {
  const [first] = settle
  if (first !== undefined && settle.length === 1) {
    return tx.query(ARCHIVE_ONE, [first.id, tx.now, resultOf(first), workerId, first.epoch, Math.ceil(first.runMs)])
  }
  const results: Uint8Array[] = []
  let start = 1
  const rows = settle.map((s) => {
    const row: SqlValue[] = [s.id, s.epoch, Math.ceil(s.runMs)]
    const result = resultOf(s)
    if (result !== null) {
      row.push(start, result.byteLength)
      results.push(result)
      start += result.byteLength
    }
    return row
  })
  return tx.query(ARCHIVE, [JSON.stringify(rows), tx.now, Buffer.concat(results), workerId])
}

function remove(tx: Transaction, settled: readonly Settlement[]): Promise<SqlResult>[] {
  return listsOf(settled.map(({ id }) => id)).map((list) => tx.query(REMOVE, [list]))
}

/** `ids`: sorted. */
function forget(tx: Transaction, workerId: string, ids: readonly string[]): Promise<SqlResult>[] {
  return listsOf(ids).map((list) => tx.query(FORGET, [list, workerId]))
}

function remember(tx: Transaction, ids: readonly string[]): Promise<SqlResult> {
  const rows = remembering(ids)
  const [first] = rows
  if (first !== undefined && rows.length === 1) return tx.query(REMEMBER_ONE, [...first, tx.now])
  return tx.query(REMEMBER, [JSON.stringify(rows), tx.now])
}

/** Sorted ids as rows of `millrace_done` (see `sql/remembered.ts`). */
function remembering(ids: readonly string[]): readonly (readonly (string | null)[])[] {
  const alike: string[][] = []
  for (const id of ids) {
    const last = alike.at(-1)
    if (last?.[0]?.slice(0, ALIKE_CHARACTERS) === id.slice(0, ALIKE_CHARACTERS)) last.push(id)
    else alike.push([id])
  }
  return alike.map((row) => {
    const [first = ''] = row
    return [first.slice(0, ALIKE_CHARACTERS), first, row.at(-1) ?? first, row.length > 1 ? `,${row.join()},` : null]
  })
}

function resultOf(s: Settlement): Uint8Array | null {
  return s.to === 'completed' ? s.result : null
}

function isForgotten(s: Settlement): boolean {
  return s.to === 'completed' && s.forget === true
}
