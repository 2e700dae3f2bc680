/** A copied job as rows of the tables that a SQL store keeps it in, and back. Both SQL roads share it. */

import type { AttemptRecord, CopiedJob } from '../contract/index.ts'
import { intOrNull } from './live-job.ts'
import {
  ARCHIVE_COLUMNS,
  BYTES_FIELD,
  type Columns,
  INLINE_BYTES,
  LIVE_COLUMNS,
  STATE,
  tagsText,
  text,
  textOrNull,
  toJobRow,
} from './rows.ts'
import type { ColumnTypes, SqlValue } from './session.ts'

/** Columns by name. */
export type NamedRow = Readonly<Record<string, SqlValue>>

const SHARED = {
  id: 'text',
  name: 'text',
  version: 'int',
  queue: 'text',
  priority: 'int',
  state: 'int',
  reason: 'text',
  created_at: 'int',
  run_at: 'int',
  attempts: 'int',
  attempt_offset: 'int',
  losses: 'int',
  crashes: 'int',
  epoch: 'int',
  worker_id: 'text',
  started_at: 'int',
  progress: 'real',
  progress_note: 'bytes',
  timeout_ms: 'int',
  retry: 'text',
  tags: 'text',
  unique_scope: 'text',
  unique_key: 'text',
  payload: 'bytes',
  error: 'bytes',
} as const

/** The tables of a job and their columns. */
export const COPIED = {
  job: {
    ...SHARED,
    blocked_on: 'text',
    expires_at: 'int',
    claimed_at: 'int',
    lease_until: 'int',
    cancelling: 'int',
    waiting_on: 'int',
    dependents: 'int',
  },
  archive: { ...SHARED, finished_at: 'int', result: 'bytes' },
  bytes: { job_id: 'text', field: 'int', data: 'bytes' },
  attempt: {
    job_id: 'text',
    epoch: 'int',
    attempt: 'int',
    worker_id: 'text',
    started_at: 'int',
    ended_at: 'int',
    outcome: 'text',
    error: 'bytes',
  },
} as const satisfies Readonly<Record<string, ColumnTypes>>

/** What `copiedJob` reads of a live job, after the columns that make a row. */
export const COPIED_LIVE = `${LIVE_COLUMNS}, unique_scope, blocked_on`
/** The same of the archive. */
export const COPIED_ARCHIVE = `${ARCHIVE_COLUMNS}, unique_scope, NULL`

/** A row of those columns as a copied job. */
export function copiedJob(
  row: Columns,
  bytes: (id: string, field: number) => Uint8Array | null,
  history: (id: string) => readonly AttemptRecord[],
): CopiedJob {
  return {
    ...toJobRow(row, bytes, history),
    startedAt: intOrNull(row[31]),
    uniqueScope: textOrNull(row[32]),
    blockedOn: textOrNull(row[33]),
    checkpoint: bytes(text(row[0]), BYTES_FIELD.checkpoint),
  }
}

/** How many bytes of a job's row travel with it. */
export function inlineBytes(row: Columns): number {
  return row.reduce<number>((sum, value) => sum + (value instanceof Uint8Array ? value.byteLength : 0), 0)
}

/** The rows that a job consists of. */
export function rowsOf(job: CopiedJob): {
  readonly row: NamedRow
  readonly bytes: readonly { readonly job_id: string; readonly field: number; readonly data: Uint8Array }[]
  readonly attempts: readonly NamedRow[]
} {
  const { finishedAt } = job
  const bytes: { job_id: string; field: number; data: Uint8Array }[] = []
  // Where there is a checkpoint, the payload of a running job stands beside it: see checkpoint.ts.
  const hasBoth = job.checkpoint !== null && job.state === 'processing'
  const isBeside = (field: keyof typeof BYTES_FIELD) => field === 'checkpoint' || (field === 'payload' && hasBoth)
  const placed = (field: keyof typeof BYTES_FIELD, data: Uint8Array | null) => {
    if (data === null || (data.byteLength <= INLINE_BYTES && !isBeside(field))) return data
    bytes.push({ job_id: job.id, field: BYTES_FIELD[field], data })
    return null
  }
  placed('checkpoint', job.checkpoint)
  const shared = {
    id: job.id,
    name: job.name,
    version: job.version,
    queue: job.queue,
    priority: job.priority,
    state: STATE[job.state],
    reason: job.reason,
    created_at: job.createdAt,
    run_at: job.runAt,
    attempts: job.attempts,
    attempt_offset: job.attemptOffset,
    losses: job.losses,
    crashes: job.crashes,
    epoch: job.epoch,
    worker_id: job.workerId,
    started_at: job.startedAt,
    progress: job.progress,
    progress_note: job.progressNote,
    timeout_ms: job.timeoutMs,
    retry: job.retry,
    tags: tagsText(job.tags),
    unique_scope: job.uniqueScope,
    unique_key: job.uniqueKey,
    payload: placed('payload', job.payload),
  }
  const row =
    finishedAt === null
      ? {
          ...shared,
          // A live job keeps its error in its row, however large: it is overwritten there by the next attempt.
          error: job.error,
          blocked_on: job.blockedOn,
          expires_at: job.expiresAt,
          claimed_at: job.claimedAt,
          lease_until: job.leaseUntil,
          cancelling: job.cancelling ? 1 : 0,
          waiting_on: job.waitingOn,
          dependents: job.dependents,
        }
      : {
          ...shared,
          finished_at: finishedAt,
          result: placed('result', job.result),
          error: placed('error', job.error),
        }
  // The attempt that ended a job is in its row, where that says when it began.
  const isInRow = (attempt: AttemptRecord) =>
    finishedAt !== null && job.startedAt !== null && job.workerId !== null && attempt.epoch === job.epoch
  const attempts = job.history
    .filter((attempt) => !isInRow(attempt))
    .map((attempt) => ({
      job_id: job.id,
      epoch: attempt.epoch,
      attempt: attempt.attempt,
      worker_id: attempt.workerId,
      started_at: attempt.startedAt,
      ended_at: attempt.endedAt,
      outcome: attempt.outcome,
      error: attempt.error,
    }))
  return { row, bytes, attempts }
}

/** At most so many bytes travel in one page. */
const COPY_PAGE_BYTES = 4 * 1024 * 1024

/** How many of the first rows of a page stay within its bytes; one at least. */
export function fitting(sizes: readonly number[]): number {
  let sum = 0
  const over = sizes.findIndex((size, i) => {
    sum += size
    return i > 0 && sum > COPY_PAGE_BYTES
  })
  return over < 0 ? sizes.length : over
}
