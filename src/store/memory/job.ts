/** One job as the memory store keeps it: the contract's row, changeable, and what a row does not show. */
import type { JobState } from '../../core/job/state.ts'
import type { AttemptRecord, JobRow, LogLine } from '../contract/index.ts'

/** The contract's row with its fields open to writing. */
type Changeable<T> = { -readonly [K in keyof T]: T[K] }

/** A job as the memory store keeps it. */
export interface Job extends Omit<Changeable<JobRow>, 'history'> {
  history: AttemptRecord[]
  readonly uniqueScope: string | null
  /** When the handler of the current lease was about to run; null: not on record. */
  startedAt: number | null
  /** What a `blocked` job with reason `key` waits for. */
  blockedOn: string | null
  /** What an attempt left for the next one. */
  checkpoint: Uint8Array | null
  /** By `seq`, ascending. */
  logs: LogLine[]
}

/** How many ended attempts a job remembers. */
const KEPT_ATTEMPTS = 25

/** The job as others see it: a copy that later changes leave alone. */
export function toRow(job: Job): JobRow {
  const { uniqueScope: _s, startedAt: _a, blockedOn: _b, checkpoint: _c, logs: _l, ...row } = job
  return { ...row, history: [...job.history] }
}

/** Adds an ended attempt; the oldest beyond 25 are forgotten. */
export function recordAttempt(job: Job, record: AttemptRecord): void {
  job.history.push(record)
  if (job.history.length > KEPT_ATTEMPTS) job.history.splice(0, job.history.length - KEPT_ATTEMPTS)
}

/** Whether the job has ended. */
export function isEnded(state: JobState): state is 'completed' | 'failed' | 'cancelled' {
  return state === 'completed' || state === 'failed' || state === 'cancelled'
}

/** Takes the lease off a job: no worker holds it any more. */
export function dropLease(job: Job): void {
  job.workerId = null
  job.claimedAt = null
  job.leaseUntil = null
  job.startedAt = null
}
