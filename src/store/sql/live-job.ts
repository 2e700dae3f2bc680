/** A live job as the slow road holds it in memory: locked in the database, changed here, written back together. */
import type { Reason } from '../../core/job/state.ts'
import { type Columns, int, STATE, text } from './rows.ts'
import type { ColumnTypes, SqlValue } from './session.ts'

/** A state in which a job has ended. */
export type FinalState = 'completed' | 'failed' | 'cancelled'

/** How a job ends. */
export interface Ending {
  readonly state: FinalState
  readonly reason: Reason | null
  /** What the attempt that ended it leaves behind; absent when it ends without one that counts. */
  readonly last?: LastAttempt
}

/** The attempt with which a job ends. */
export interface LastAttempt {
  /** Null: the attempt has a row of its own already. */
  readonly startedAt: number | null
  /** It crashed: it is no attempt. */
  readonly isUncounted?: true
  readonly result: Uint8Array | null
  readonly error: Uint8Array | null
}

/** A locked job, open to changes. */
export interface LiveJob {
  readonly id: string
  name: string
  queue: string
  priority: number
  state: number
  reason: string | null
  blockedOn: string | null
  runAt: number
  attempts: number
  losses: number
  crashes: number
  readonly epoch: number
  workerId: string | null
  claimedAt: number | null
  leaseUntil: number | null
  startedAt: number | null
  cancelling: boolean
  readonly uniqueScope: string | null
  readonly uniqueKey: string | null
  waitingOn: number
  dependents: number
  hasError: boolean
  expiresAt: number | null
  /** Set when it changed here and has to be written. */
  isDirty: boolean
  /** Set when it ended here. */
  ending: Ending | null
}

/** The columns of `liveJobOf`, in its order. */
export const LOCKED_COLUMNS =
  'id, name, queue, priority, state, reason, blocked_on, run_at, attempts, losses, crashes, epoch, worker_id, claimed_at, ' +
  'lease_until, started_at, cancelling, unique_scope, unique_key, waiting_on, dependents, ' +
  'CASE WHEN error IS NULL THEN 0 ELSE 1 END, expires_at'

/** A row of `LOCKED_COLUMNS` as a job. */
export function liveJobOf(row: Columns): LiveJob {
  return {
    id: text(row[0]),
    name: text(row[1]),
    queue: text(row[2]),
    priority: int(row[3]),
    state: int(row[4]),
    reason: textOrNull(row[5]),
    blockedOn: textOrNull(row[6]),
    runAt: int(row[7]),
    attempts: int(row[8]),
    losses: int(row[9]),
    crashes: int(row[10]),
    epoch: int(row[11]),
    workerId: textOrNull(row[12]),
    claimedAt: intOrNull(row[13]),
    leaseUntil: intOrNull(row[14]),
    startedAt: intOrNull(row[15]),
    cancelling: int(row[16]) === 1,
    uniqueScope: textOrNull(row[17]),
    uniqueKey: textOrNull(row[18]),
    waitingOn: int(row[19]),
    dependents: int(row[20]),
    hasError: int(row[21]) === 1,
    expiresAt: intOrNull(row[22]),
    isDirty: false,
    ending: null,
  }
}

/** What `changedColumns` gives, for the statement that writes it. */
export const CHANGED_COLUMNS: ColumnTypes = {
  queue: 'text',
  priority: 'int',
  state: 'int',
  reason: 'text',
  blocked_on: 'text',
  run_at: 'int',
  attempts: 'int',
  losses: 'int',
  crashes: 'int',
  worker_id: 'text',
  claimed_at: 'int',
  lease_until: 'int',
  started_at: 'int',
  cancelling: 'int',
  waiting_on: 'int',
  dependents: 'int',
}

/** Everything of a job that the slow road may change. */
export function changedColumns(job: LiveJob): Readonly<Record<string, SqlValue>> {
  return {
    id: job.id,
    queue: job.queue,
    priority: job.priority,
    state: job.state,
    reason: job.reason,
    blocked_on: job.blockedOn,
    run_at: job.runAt,
    attempts: job.attempts,
    losses: job.losses,
    crashes: job.crashes,
    worker_id: job.workerId,
    claimed_at: job.claimedAt,
    lease_until: job.leaseUntil,
    started_at: job.startedAt,
    cancelling: job.cancelling ? 1 : 0,
    waiting_on: job.waitingOn,
    dependents: job.dependents,
  }
}

/** Takes the lease off a job: no worker holds it any more. */
export function dropLease(job: LiveJob): void {
  job.workerId = null
  job.claimedAt = null
  job.leaseUntil = null
  job.startedAt = null
  job.isDirty = true
}

/** Moves a job that waits for its run time, or may run at once. */
export function waitUntil(job: LiveJob, runAt: number, now: number): void {
  job.runAt = runAt
  job.state = runAt > now ? STATE.scheduled : STATE.pending
  job.isDirty = true
}

/** A column as text, null when it is. */
export function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value)
}

/** A column as a number, null when it is. */
export function intOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : int(value)
}
