/**
 * The jobs facet of the store contract.
 *
 * Laws that hold for every operation here: it is atomic by itself; the store's clock decides (delays travel as
 * durations, never as a client's instant computed from its own clock); batches come back in the order they went in;
 * payloads are opaque bytes; every write about a running attempt is fenced by `(id, epoch)` and a stale one is the
 * result `lost`, never an exception.
 */
import type { BlockedReason, JobState, Reason } from '../../core/job/state.ts'

/** What becomes of a child when this parent ends without completing: it ends too (`cancel`, `fail`) or goes on (`proceed`). */
export type EdgePolicy = 'cancel' | 'proceed' | 'fail'

/** A dependency of a new job on a job that exists, or that stands earlier in the same batch. */
export interface NewEdge {
  readonly parentId: string
  readonly policy: EdgePolicy
}

/** A uniqueness claim of a new job. The key is held while the job lives and until `withinMs` after its enqueue, whichever is later. */
export interface NewUnique {
  /** Names the space the key is unique in; the client uses the job's name. */
  readonly scope: string
  readonly key: string
  /** Milliseconds from enqueue; absent: held only while the job lives. */
  readonly withinMs?: number
  /**
   * The key is taken: `existing` answers with the holder; `reject` answers `rejected`; `replace` writes the new job, moves
   * the key to it and cancels the holder in the same transaction: at once (reason `replaced`) while it waits, by asking
   * (`cancelling`) while it runs; a holder that has ended is left as it is.
   */
  readonly onConflict: 'existing' | 'replace' | 'reject'
}

/** A job to insert. The caller supplies the id (UUIDv7), so that a repeated insert is recognised. */
export interface NewJob {
  readonly id: string
  readonly name: string
  /** The definition's version that the payload was written for. */
  readonly version: number
  readonly queue: string
  /** 0–100, higher first. */
  readonly priority: number
  readonly payload: Uint8Array
  /** Milliseconds from the store's now. Not together with `runAt`. */
  readonly delayMs?: number
  /** Instant, milliseconds since the epoch. In the past: at once, ordered by that instant. */
  readonly runAt?: number
  /** Milliseconds from the store's now after which a job that has not started is failed with reason `expired`. */
  readonly expiresInMs?: number
  /** Overrides the definition's timeout for this job. */
  readonly timeoutMs?: number
  /** Overrides the definition's retry policy: the normalised policy as JSON text. Opaque to the store. */
  readonly retry?: string
  readonly tags?: readonly string[]
  readonly unique?: NewUnique
  readonly dependsOn?: readonly NewEdge[]
}

/**
 * What became of one new job.
 * - `created`: the row is committed; `state` is what it was born as.
 * - `existing`: the same id was inserted before, or the unique key is held: `id` is that job's.
 * - `replaced`: created, and the holder of its key was cancelled.
 * - `rejected`: the key is held by `id` and the caller asked to be refused.
 * - `refused`: this row alone could not be written (an unknown parent, a constraint); the others of the batch were.
 */
export type InsertResult =
  | { readonly status: 'created'; readonly id: string; readonly state: JobState }
  | { readonly status: 'existing'; readonly id: string; readonly state: JobState }
  | { readonly status: 'replaced'; readonly id: string; readonly state: JobState; readonly replacedId: string }
  | { readonly status: 'rejected'; readonly id: string; readonly state: JobState }
  | {
      readonly status: 'refused'
      readonly id: string
      readonly code: 'PARENT_NOT_FOUND' | 'STORE_CONSTRAINT'
      readonly message: string
    }

/** Names one running attempt: the fence of every write about it. */
export interface Lease {
  readonly id: string
  readonly epoch: number
}

/**
 * How an attempt is settled. `completed`, `retrying`, `failed` and `cancelled` count as an attempt; `scheduled` (snoozed),
 * `pending` (released) and `blocked` (its key is missing) do not. A cancel that was asked for turns `retrying`,
 * `scheduled`, `pending` and `blocked` into `cancelled`, reason `requested`; it never undoes a `completed` or `failed`.
 * `runMs` is how long the handler ran by the worker's monotonic clock; 0 when it did not start.
 */
export type Settlement = Lease & { readonly runMs: number } & (
    | { readonly to: 'completed'; readonly result: Uint8Array | null }
    | { readonly to: 'retrying'; readonly delayMs: number; readonly error: Uint8Array | null }
    | { readonly to: 'failed'; readonly reason: Reason; readonly error: Uint8Array | null }
    | { readonly to: 'cancelled'; readonly reason: Reason; readonly error: Uint8Array | null }
    | { readonly to: 'scheduled'; readonly delayMs: number }
    | { readonly to: 'pending' }
    | { readonly to: 'blocked'; readonly reason: 'key'; readonly on: string }
  )

/** `lost`: the lease is another's or gone; nothing was written. */
export type SettleResult = 'settled' | 'lost'

/** How many jobs one queue may give in one claim. */
export interface QueueShare {
  readonly queue: string
  readonly max: number
}

/** Asks for up to `limit` pending jobs. */
export interface ClaimRequest {
  readonly workerId: string
  /** Served in this order, each up to its `max`; `all`: every queue that has pending jobs, the limit shared evenly. */
  readonly queues: readonly QueueShare[] | 'all'
  /** Only jobs of these names are claimed; others wait untouched. */
  readonly names: readonly string[]
  readonly limit: number
  readonly leaseMs: number
  /** Give no job with two or more losses: the caller has no free slot to run one at once. */
  readonly noSuspects?: boolean
}

/** A job that this worker now holds. */
export interface ClaimedJob extends Lease {
  readonly name: string
  readonly version: number
  readonly queue: string
  readonly priority: number
  readonly payload: Uint8Array
  /** 1-based number of the attempt that this claim begins. */
  readonly attempt: number
  /** Attempts before the last retry by hand; a retry policy counts `attempt - attemptOffset`. */
  readonly attemptOffset: number
  readonly losses: number
  readonly crashes: number
  readonly createdAt: number
  readonly runAt: number
  readonly timeoutMs: number | null
  readonly retry: string | null
  readonly tags: readonly string[]
}

export interface ExchangeRequest {
  readonly workerId: string
  readonly settle: readonly Settlement[]
  /** Absent: only settle. */
  readonly claim?: ClaimRequest
}

export interface ExchangeResult {
  /** One per settlement, in order. */
  readonly settled: readonly SettleResult[]
  /**
   * In claim order: priority (higher first), run time, id, per queue. Either jobs with fewer than two losses, or exactly
   * one with two or more (claimed alone).
   */
  readonly claimed: readonly ClaimedJob[]
  /** Running jobs of this worker whose cancellation was asked for (each named at every exchange until it is settled). */
  readonly cancelling: readonly Lease[]
  /** The store's time of this exchange, in milliseconds since the epoch. */
  readonly now: number
}

export type ExtendResult = 'held' | 'cancelling' | 'lost'

/** News of a running attempt. Absent parts stay as they are. */
export interface JobReport extends Lease {
  /** 0 to 1. */
  readonly progress?: number
  readonly note?: Uint8Array
  readonly logs?: readonly { readonly seq: number; readonly level: LogLevel; readonly message: Uint8Array }[]
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface LogLine {
  readonly attempt: number
  readonly seq: number
  readonly at: number
  readonly level: LogLevel
  readonly message: Uint8Array
}

/** One attempt that ended, oldest first in a job's list. The last 25 are kept. */
export interface AttemptRecord {
  readonly attempt: number
  readonly epoch: number
  readonly workerId: string
  readonly startedAt: number
  readonly endedAt: number
  /** What it led to; `lost`: its lease ended without a word. */
  readonly outcome: 'completed' | 'retrying' | 'failed' | 'cancelled' | 'scheduled' | 'pending' | 'blocked' | 'lost'
  readonly error: Uint8Array | null
}

/** A job as it stands, live or finished. */
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
}

/** Which jobs. Absent parts match everything; lists match any of their members. */
export interface JobFilter {
  readonly states?: readonly JobState[]
  readonly queues?: readonly string[]
  readonly names?: readonly string[]
  /** Jobs that carry this tag. */
  readonly tag?: string
  readonly createdAfter?: number
  readonly createdBefore?: number
}

/** A page of jobs by creation (their ids), newest first unless `oldestFirst`. */
export interface ListRequest {
  readonly filter: JobFilter
  /** 1–200. */
  readonly limit: number
  /** The `next` of the page before. */
  readonly cursor?: string
  readonly oldestFirst?: boolean
}

export interface ListResult {
  readonly rows: readonly JobRow[]
  /** Absent on the last page. Opaque. */
  readonly next?: string
}

export interface EdgeRow {
  readonly parentId: string
  readonly childId: string
  readonly policy: EdgePolicy
}

export interface ReclaimedJob {
  readonly id: string
  readonly name: string
  readonly queue: string
  /** `cancelled`: its cancellation had been asked for. */
  readonly to: 'pending' | 'failed' | 'cancelled'
  readonly losses: number
  readonly crashes: number
}

/** How long finished jobs are kept, in milliseconds. Ids are remembered for 2 minutes at least. */
export interface Retention {
  readonly completedMs: number
  readonly failedMs: number
  readonly cancelledMs: number
}

export type CancelResult = 'cancelled' | 'cancelling' | 'final' | 'missing'
export type RetryResult = 'retried' | 'live' | 'missing'
export type UpdateResult = 'updated' | 'processing' | 'final' | 'missing'
export type RemoveResult = 'removed' | 'processing' | 'missing'

/** Jobs: their way from insert to the archive. */
export interface JobsFacet {
  /**
   * Writes new jobs, all or none but for rows `refused` alone. Inserting an id again, live or archived, is `existing`.
   * A job waits as `blocked` (reason `parents`) while a parent lives, else as `scheduled` when its run time is ahead,
   * else `pending`. A parent that already ended decides at once by the edge's policy. Cost: O(batch).
   */
  insert(jobs: readonly NewJob[]): Promise<readonly InsertResult[]>

  /**
   * The same inside the caller's own open transaction on the same database; nothing is visible before its commit.
   * Drivers with a synchronous connection finish before they return. Capability `transactions`.
   */
  insertWithin(tx: unknown, jobs: readonly NewJob[]): readonly InsertResult[] | Promise<readonly InsertResult[]>

  /**
   * Settles outcomes, then claims. The worker's one hot operation. A settled parent releases or ends its dependents, and
   * a unique key is let go, in the same transaction. Paused queues give nothing; expired jobs are not given.
   */
  exchange(request: ExchangeRequest): Promise<ExchangeResult>

  /** Moves the end of each lease that is still held to now + `leaseMs`. A lease that has run out but was not reclaimed is still held. */
  extend(leases: readonly Lease[], leaseMs: number): Promise<readonly ExtendResult[]>

  /** Records that the handler is about to run, before it runs. A later loss of this lease then counts as a crash. */
  start(lease: Lease): Promise<SettleResult>

  /** Writes progress and log lines of running attempts. At most 1,000 log lines a job are kept, the newest. */
  report(reports: readonly JobReport[]): Promise<readonly SettleResult[]>

  /** Moves due `scheduled` and `retrying` jobs to `pending`, soonest first. Returns how many. */
  promote(limit: number): Promise<number>

  /** Fails waiting jobs whose expiry has passed, reason `expired`. Returns how many. */
  expire(limit: number): Promise<number>

  /** The earliest instant at which `promote` or `expire` has work, or null. */
  nextDue(): Promise<number | null>

  /**
   * Takes back jobs whose lease has ended: losses + 1, crashes + 1 when the handler had started on record; back to
   * `pending`, or `failed` (reason `quarantined`) at the third crash, or `cancelled` when that was asked for.
   */
  reclaim(limit: number): Promise<readonly ReclaimedJob[]>

  /** Moves jobs that are `blocked` for a key among `keyIds` back to `pending`. Returns how many. */
  unblock(keyIds: readonly string[], limit: number): Promise<number>

  /** Cancels waiting jobs at once and asks running ones to stop (`cancelling`). */
  cancel(ids: readonly string[]): Promise<readonly CancelResult[]>

  /** Puts finished jobs back as `pending`, keeping id, payload and history; the retry budget begins anew. Waiting `retrying`/`scheduled` jobs become pending at once, also `retried`. */
  retry(ids: readonly string[]): Promise<readonly RetryResult[]>

  /** Changes waiting jobs. A new `runAt` ahead makes `pending` `scheduled`, one in the past the reverse. */
  update(
    ids: readonly string[],
    change: { readonly priority?: number; readonly queue?: string; readonly runAt?: number },
  ): Promise<readonly UpdateResult[]>

  /** Deletes jobs that are not running, with their bytes, logs and edges. A waiting job is treated as cancelled first. */
  remove(ids: readonly string[]): Promise<readonly RemoveResult[]>

  /** Deletes finished jobs beyond their retention and keys beyond their window, oldest first, at most `limit` of each. Returns how many jobs. */
  prune(retention: Retention, limit: number): Promise<number>

  get(id: string): Promise<JobRow | null>

  /** The rows of those ids that have ended, in any order. For callers that wait for results. */
  finished(ids: readonly string[]): Promise<readonly JobRow[]>

  list(request: ListRequest): Promise<ListResult>

  /** How many match, counted no further than `cap`. */
  count(filter: JobFilter, cap: number): Promise<{ readonly count: number; readonly capped: boolean }>

  /** Log lines in the order they were written, after `afterSeq`. */
  logs(id: string, afterSeq: number, limit: number): Promise<readonly LogLine[]>

  /** The edges that begin or end at a job; edges of ended parents are gone. */
  edges(id: string): Promise<readonly EdgeRow[]>

  /**
   * Re-writes sealed fields: gives `visit` each row that has sealed bytes after `cursor`, and stores what it returns
   * unless the row changed meanwhile; running jobs are passed over. Returns the next cursor, or null at the end.
   */
  reseal(
    cursor: string | null,
    limit: number,
    visit: (row: SealedRow) => Promise<readonly SealedBytes[]> | readonly SealedBytes[],
  ): Promise<ResealResult>
}

/** One sealed field of a job and its bytes. `history:N` is the error of attempt N, `log:N` the log line with seq N. */
export interface SealedBytes {
  readonly field: 'payload' | 'result' | 'error' | 'progress' | `history:${number}` | `log:${number}`
  readonly epoch: number
  readonly bytes: Uint8Array
}

export interface SealedRow {
  readonly id: string
  readonly name: string
  readonly fields: readonly SealedBytes[]
}

export interface ResealResult {
  readonly next: string | null
  readonly visited: number
  readonly rewritten: number
}
