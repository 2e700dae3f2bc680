/** The one place that knows both the columns' names and the fields': rows of the SQL stores as the contract's objects. */
import { isFinal, JOB_STATES, type JobState } from '../../core/job/state.ts'
import type { AttemptRecord, JobRow } from '../contract/index.ts'

// Bytes above this many live in a table of their own, so that an update never rewrites a large row.
export { INLINE_BYTES } from '../../core/batch.ts'

/** Which large value of a job a row of the bytes table holds. */
export const BYTES_FIELD = { payload: 1, result: 2, error: 3, checkpoint: 4 } as const

/** The integer that is stored for a state. */
export const STATE = {
  blocked: 0,
  scheduled: 1,
  pending: 2,
  processing: 3,
  retrying: 4,
  completed: 5,
  failed: 6,
  cancelled: 7,
} as const satisfies Record<JobState, number>

/** The columns that `toJobRow` reads, in its order, from the hot table. */
export const LIVE_COLUMNS =
  'id, name, version, queue, priority, state, reason, created_at, run_at, expires_at, NULL, attempts, attempt_offset, ' +
  'losses, crashes, epoch, worker_id, claimed_at, lease_until, cancelling, progress, progress_note, timeout_ms, retry, ' +
  'tags, unique_key, waiting_on, dependents, payload, NULL, error, started_at'

/** The same from the archive. */
export const ARCHIVE_COLUMNS =
  'id, name, version, queue, priority, state, reason, created_at, run_at, NULL, finished_at, attempts, attempt_offset, ' +
  'losses, crashes, epoch, worker_id, NULL, NULL, 0, progress, progress_note, timeout_ms, retry, ' +
  'tags, unique_key, 0, 0, payload, result, error, started_at'

/** What is read of a job. `open` leaves out what a user of the database may be kept from: payload, result, large values. */
export type Sight = 'all' | 'open'

/** `LIVE_COLUMNS` for `open`. */
export const OPEN_LIVE_COLUMNS = LIVE_COLUMNS.replace('payload, NULL, error', 'NULL, NULL, error')
/** `ARCHIVE_COLUMNS` for `open`. */
export const OPEN_ARCHIVE_COLUMNS = ARCHIVE_COLUMNS.replace('payload, result, error', 'NULL, NULL, error')

/** A row as an array of columns. A bigint is an integer beyond what a number can hold. */
export type Columns = readonly (string | number | bigint | Uint8Array | null)[]

/** A driver's row, known to be an array: every statement is prepared with its rows as arrays. */
export function columnsOf(row: unknown): Columns {
  // True where statements are prepared by the driver's own connection, which turns arrays on.
  return row as Columns
}

const NO_TAGS: readonly string[] = []

/** The last instant that a Date can hold, in milliseconds since the epoch (ECMA-262, 21.4.1.1); below 2^53. */
const LAST_INSTANT = 8_640_000_000_000_000

/**
 * The state of a row in the hot table. In a damaged row the integer may stand for none: such a job reads as `blocked`, since
 * it lives and nobody will ever claim it, and can be cancelled or removed like one.
 */
export function liveState(value: unknown): JobState {
  const state = typeof value === 'number' ? JOB_STATES[value] : undefined
  return state === undefined || isFinal(state) ? 'blocked' : state
}

/** The state of a row in the archive; `failed` when the integer stands for none. */
export function endedState(value: unknown): JobState {
  const state = typeof value === 'number' ? JOB_STATES[value] : undefined
  return state !== undefined && isFinal(state) ? state : 'failed'
}

/** Tags as stored: JSON text, null when there are none. */
export function tagsText(tags: readonly string[] | undefined): string | null {
  return tags === undefined || tags.length === 0 ? null : JSON.stringify(tags)
}

/** Tags as they were stored; null when they are not a list of texts, in a damaged row. */
export function tagsOrNull(text: unknown): readonly string[] | null {
  return text === null || text === undefined ? NO_TAGS : listOrNull(text)
}

/** A list of texts that is stored as JSON; null when it is not one. */
export function listOrNull(text: unknown): readonly string[] | null {
  if (typeof text !== 'string') return null
  try {
    const list: unknown = JSON.parse(text)
    return Array.isArray(list) && list.every((one) => typeof one === 'string') ? list : null
  } catch {
    // Not JSON at all: the same as JSON that is no list.
    return null
  }
}

/**
 * A row of `LIVE_COLUMNS` or `ARCHIVE_COLUMNS` as the contract's job. `bytes` looks up a value that is not inline; `history`
 * holds the attempts that have rows of their own, oldest first; the last attempt of an archived job is added from its row.
 */
export function toJobRow(
  row: Columns,
  bytes: (id: string, field: number) => Uint8Array | null,
  history: (id: string) => readonly AttemptRecord[],
): JobRow {
  const id = text(row[0])
  const epoch = int(row[15])
  const workerId = textOrNull(row[16])
  const attempts = int(row[11])
  const finishedAt = intOrNull(row[10])
  const state = finishedAt === null ? liveState(row[5]) : endedState(row[5])
  const isDone = finishedAt !== null
  const error =
    blob(row[30]) ?? (state === 'failed' || state === 'retrying' || isDone ? bytes(id, BYTES_FIELD.error) : null)
  const past = history(id)
  const startedAt = intOrNull(row[31])
  const ended: readonly AttemptRecord[] =
    isDone && workerId !== null && startedAt !== null && state !== 'blocked'
      ? [
          ...past,
          { attempt: attempts, epoch, workerId, startedAt, endedAt: finishedAt, outcome: outcomeOf(state), error },
        ].slice(-25)
      : past
  return {
    id,
    name: text(row[1]),
    version: int(row[2]),
    queue: text(row[3]),
    priority: int(row[4]),
    state,
    // The column holds only what the contract's writers put there: members of the two enums.
    reason: textOrNull(row[6]) as JobRow['reason'],
    createdAt: int(row[7]),
    runAt: int(row[8]),
    expiresAt: intOrNull(row[9]),
    finishedAt,
    attempts,
    attemptOffset: int(row[12]),
    losses: int(row[13]),
    crashes: int(row[14]),
    epoch,
    workerId,
    claimedAt: intOrNull(row[17]),
    leaseUntil: intOrNull(row[18]),
    cancelling: int(row[19]) === 1,
    progress: intOrNull(row[20]),
    progressNote: blob(row[21]),
    timeoutMs: intOrNull(row[22]),
    retry: textOrNull(row[23]),
    tags: tagsOrNull(row[24]) ?? NO_TAGS,
    uniqueKey: textOrNull(row[25]),
    waitingOn: int(row[26]),
    dependents: int(row[27]),
    payload: blob(row[28]) ?? bytes(id, BYTES_FIELD.payload) ?? new Uint8Array(0),
    result: blob(row[29]) ?? (state === 'completed' ? bytes(id, BYTES_FIELD.result) : null),
    error,
    history: ended,
  }
}

function outcomeOf(state: JobState): AttemptRecord['outcome'] {
  return state === 'completed' || state === 'failed' || state === 'cancelled' ? state : 'failed'
}

/** The column as text. */
export function text(value: unknown): string {
  return String(value)
}

/**
 * A column as a number, also in a damaged row: one beyond ±`LAST_INSTANT` reads as that, and what is no number as 0. So
 * whatever a row holds, its numbers can be counted with, shown, and made instants.
 */
export function int(value: unknown): number {
  if (typeof value === 'number' && value <= LAST_INSTANT && value >= -LAST_INSTANT) return value
  return clamped(value)
}

/** Tells whether a column holds a whole number that `int` gives as it is. */
export function isInt(value: unknown): value is number {
  return Number.isInteger(value) && int(value) === value
}

function clamped(value: unknown): number {
  const number = typeof value === 'bigint' ? Number(value) : value
  if (typeof number !== 'number' || Number.isNaN(number)) return 0
  return Math.min(LAST_INSTANT, Math.max(-LAST_INSTANT, number))
}

/** The column as text, null when it is. */
export function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value)
}

function intOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : int(value)
}

function blob(value: unknown): Uint8Array | null {
  return value instanceof Uint8Array ? value : null
}
