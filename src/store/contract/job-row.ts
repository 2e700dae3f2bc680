/** A job as the store shows it to people and tools: its row, its history, lists of rows, its sealed bytes. */
import type { JobFilter } from '../../core/filter/job-filter.ts'
import type { LogLevel } from '../../core/job/log-level.ts'
import type { BlockedReason, JobState, Reason } from '../../core/job/state.ts'
import type { EdgePolicy } from './new-job.ts'

/** One line of a job's log, its message sealed. */
export interface LogLine {
  readonly attempt: number
  readonly seq: number
  readonly at: number
  readonly level: LogLevel
  readonly message: Uint8Array
}

/** One attempt that ended, oldest first in a job's list. The last 25 are kept. */
export interface AttemptRecord {
  /** One that did not count (lost, crashed, given back) has the number of the next; its epoch is its own. */
  readonly attempt: number
  readonly epoch: number
  readonly workerId: string
  readonly startedAt: number
  readonly endedAt: number
  /** What it led to; `lost`: its lease ended without a word. */
  readonly outcome: 'completed' | 'retrying' | 'failed' | 'cancelled' | 'scheduled' | 'pending' | 'blocked' | 'lost'
  readonly error: Uint8Array | null
}

/**
 * A job as it stands, live or finished. What a damaged row holds is shown as well as can be: a number that is too large as
 * the nearest instant, one that is none as 0, a live state that nobody knows as `blocked`. Reading never throws for it.
 */
export interface JobRow {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly queue: string
  readonly priority: number
  readonly state: JobState
  readonly reason: Reason | BlockedReason | null
  readonly createdAt: number
  readonly runAt: number
  readonly expiresAt: number | null
  readonly finishedAt: number | null
  /** Attempts that ended and counted. */
  readonly attempts: number
  readonly attemptOffset: number
  readonly losses: number
  readonly crashes: number
  readonly epoch: number
  readonly workerId: string | null
  /** When the current lease was claimed; while processing. */
  readonly claimedAt: number | null
  readonly leaseUntil: number | null
  readonly cancelling: boolean
  readonly progress: number | null
  readonly progressNote: Uint8Array | null
  readonly timeoutMs: number | null
  readonly retry: string | null
  readonly tags: readonly string[]
  readonly uniqueKey: string | null
  readonly waitingOn: number
  readonly dependents: number
  readonly payload: Uint8Array
  readonly result: Uint8Array | null
  /** The last error, while retrying or after failing. */
  readonly error: Uint8Array | null
  readonly history: readonly AttemptRecord[]
  /**
   * Payload and result, and an error above 2 KiB, are kept from this user of the database: here they are empty, whatever the
   * job has. Absent where everything may be read.
   */
  readonly isWithheld?: true
}

/** Which page. */
export interface ListRequest {
  readonly filter: JobFilter
  /** 1–200 for pages that people see; a store takes what it is given. */
  readonly limit: number
  /** The `next` of the page before, in the same order. Anything else is refused with `CURSOR_INVALID`. */
  readonly cursor?: string
  readonly oldestFirst?: boolean
}

/** A page of rows. */
export interface ListResult {
  /** Fewer than `limit` do not mean that there are no more: see `next`. */
  readonly rows: readonly JobRow[]
  /** Where to go on; absent when nothing is left to look at. Opaque. */
  readonly next?: string
}

/** How many match among what was looked at. */
export interface CountResult {
  readonly count: number
  /** There are more than the cap. */
  readonly capped: boolean
  /** There is more to look at: count on from here, with what is left of the cap. Absent when capped, and at the end. */
  readonly next?: string
}

/** What is done to each job of a filter, as the operation of the same name does it by ids. */
export type JobChange =
  | { readonly kind: 'cancel' }
  | { readonly kind: 'retry' }
  | { readonly kind: 'remove' }
  | {
      readonly kind: 'update'
      readonly change: { readonly priority?: number; readonly queue?: string; readonly runAt?: number }
    }

/** Which jobs of a filter are changed next. */
export interface ChangeRequest {
  readonly filter: JobFilter
  readonly change: JobChange
  /** The most jobs of this call. */
  readonly limit: number
  /** The `next` of the call before. Anything else is refused with `CURSOR_INVALID`. */
  readonly cursor?: string
}

/** What became of the jobs that matched, oldest id first. */
export interface ChangeResult {
  readonly results: readonly { readonly id: string; readonly outcome: string }[]
  /** Where to go on; absent when nothing is left to look at. */
  readonly next?: string
}

/** A child that waits for a parent. */
export interface EdgeRow {
  readonly parentId: string
  readonly childId: string
  readonly policy: EdgePolicy
}

/**
 * One sealed field of a job and its bytes. `history:N` is the error of attempt N, its own `epoch` telling it from another of that
 * number; `log:N` the log line with seq N.
 */
export interface SealedBytes {
  readonly field: 'payload' | 'result' | 'error' | 'progress' | 'checkpoint' | `history:${number}` | `log:${number}`
  readonly epoch: number
  readonly bytes: Uint8Array
}

/** A job with its sealed fields. */
export interface SealedRow {
  readonly id: string
  readonly name: string
  readonly fields: readonly SealedBytes[]
}

/** What one page of resealing came to. */
export interface ResealResult {
  readonly next: string | null
  readonly visited: number
  readonly rewritten: number
}
