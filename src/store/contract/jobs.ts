/**
 * The jobs facet of the store contract.
 *
 * Laws that hold for every operation here: it is atomic by itself; the store's clock decides (delays travel as
 * durations, never as a client's instant computed from its own clock); batches come back in the order they went in;
 * payloads are opaque bytes; every write about a running attempt is fenced by `(id, epoch, worker)`, and one that is stale
 * or another worker's is the result `lost`, never an exception.
 */
import type { JobFilter } from '../../core/filter/job-filter.ts'
import type {
  Completion,
  ExchangeRequest,
  ExchangeResult,
  ExtendResult,
  HeldResult,
  JobReport,
  Lease,
  ReportResult,
  SettleResult,
} from './attempt.ts'
import type {
  ChangeRequest,
  ChangeResult,
  CountResult,
  EdgeRow,
  JobRow,
  ListRequest,
  ListResult,
  LogLine,
  ResealResult,
  SealedBytes,
  SealedRow,
} from './job-row.ts'
import type { InsertResult, NewJob } from './new-job.ts'

/** A job that was taken back from whoever held it. */
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

/** What became of a job that was to be cancelled. */
export type CancelResult = 'cancelled' | 'cancelling' | 'final' | 'missing'
/** What became of a job that was to be put back. */
export type RetryResult = 'retried' | 'live' | 'missing'
/** What became of a job that was to be changed. */
export type UpdateResult = 'updated' | 'processing' | 'final' | 'missing'
/** What became of a job that was to be deleted. */
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
   * Drivers with a synchronous connection finish before they return. Capability `transactions`. With `notify` the commit
   * itself calls whoever subscribed to `wake`, a rollback nobody. As any hint it may be lost: the poll finds the job.
   */
  insertWithin(
    tx: unknown,
    jobs: readonly NewJob[],
    notify?: boolean,
  ): readonly InsertResult[] | Promise<readonly InsertResult[]>

  /**
   * Completes a running attempt inside the caller's own open transaction on the same database: result, archive, unique key,
   * dependents and the last news of the attempt are written by its commit, or not at all. `lost` when the lease is another's
   * or gone, also because it was completed in this transaction before. A failure leaves the transaction as it was.
   */
  settleWithin(
    tx: unknown,
    workerId: string,
    completion: Completion,
    news?: JobReport,
  ): SettleResult | Promise<SettleResult>

  /**
   * Settles outcomes, then claims. The worker's one hot operation. A settled parent releases or ends its dependents, and
   * a unique key is let go, in the same transaction. Paused queues give nothing; expired jobs are not given. A job whose row
   * cannot be read, since it was damaged or written by another hand, is failed (reason `unreadable`) instead of given.
   */
  exchange(request: ExchangeRequest): Promise<ExchangeResult>

  /**
   * Moves the end of each lease that this worker still holds to now + `leaseMs`. A lease that has run out but was not
   * reclaimed is still held. A job whose row another transaction holds is passed over: an app that keeps a transaction open on one
   * job (it made it a parent, say) must not cost a worker the leases of all.
   */
  extend(workerId: string, leases: readonly Lease[], leaseMs: number): Promise<readonly ExtendResult[]>

  /**
   * The same, but waits for a transaction that holds a job's row; with `waitMs` so long at most (MySQL counts whole seconds), then
   * it rejects `STORE_BUSY`.
   */
  extendWaiting(
    workerId: string,
    leases: readonly Lease[],
    leaseMs: number,
    waitMs?: number,
  ): Promise<readonly HeldResult[]>

  /** Records that the handler is about to run, before it runs. A later loss of this lease then counts as a crash. */
  start(workerId: string, lease: Lease): Promise<ReportResult>

  /** Writes progress and log lines of running attempts. At most 1,000 log lines a job are kept, the newest. */
  report(workerId: string, reports: readonly JobReport[]): Promise<readonly ReportResult[]>

  /**
   * Writes what the next attempt shall find, in place of what was written before. It stands as long as its job, also while
   * that is kept after its end, and goes with it. Opaque bytes, sealed by the caller and bound to id and name, not to the epoch.
   */
  saveCheckpoint(workerId: string, lease: Lease, bytes: Uint8Array): Promise<ReportResult>

  /** The checkpoint of a job that lives or is kept, or null. Rejects `STORE_READ_ONLY` where payloads are withheld. */
  checkpoint(id: string): Promise<Uint8Array | null>

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

  /**
   * Takes back jobs that this worker holds, which is known to be dead, without waiting for their leases to end; in any order.
   * Each becomes what `reclaim` makes of it, but that a job which `started` names with the epoch that it has now counts as a
   * crash, as one whose start is on record does; with null none does: the worker was ended for nothing that its jobs did. Call it until it returns fewer than `limit`: then there is no more. A claim that the
   * worker had sent may commit still later; those leases end in their time. Cost: a look at every running job of the store at most.
   */
  recover(workerId: string, started: readonly Lease[] | null, limit: number): Promise<readonly ReclaimedJob[]>

  /** Moves jobs that are `blocked` for a key among `keyIds` back to `pending`. Returns how many. */
  unblock(keyIds: readonly string[], limit: number): Promise<number>

  /**
   * Cancels waiting jobs at once and asks running ones to stop (`cancelling`). One whose lease does not end, which only a damaged
   * row says, is cancelled at once too: nobody would ever take it back.
   */
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

  /**
   * Deletes finished jobs beyond their retention, ids that were remembered for 2 minutes, keys beyond their window and messages
   * whose time is over, oldest first, at most `limit` of each, of ids twenty times as many. Ids that a store remembers together go together, and count as
   * one. Returns how many jobs and ids.
   */
  prune(retention: Retention, limit: number): Promise<number>

  get(id: string): Promise<JobRow | null>

  /** The rows of those ids that have ended, in any order. For callers that wait for results. */
  finished(ids: readonly string[]): Promise<readonly JobRow[]>

  /**
   * A page of jobs by id, which is by creation for ids as clients make them: the one order that an index gives over live and
   * ended jobs alike.
   *
   * The rule for every filter: a call looks at no more rows than a bound (`SCAN_ROWS`, 5,000, of the live and of the ended
   * each), whatever it finds. Where an index serves the filter (none; ids; an id's beginning; every live state, `failed` or
   * `cancelled` alone) that gives whole pages; any other filter may give a page with fewer rows than `limit`, even none, and a
   * `next`. A job that changes while its page is read stands in it once at most.
   */
  list(request: ListRequest): Promise<ListResult>

  /**
   * How many match, counted no further than `cap`. It looks at no more rows than `list` does; where that is not to the end,
   * `next` is the cursor to count on from.
   */
  count(filter: JobFilter, cap: number, cursor?: string): Promise<CountResult>

  /**
   * Changes the next jobs that match, by id from the oldest, in one transaction, as the operations by ids do; a job that does
   * not match any more when it is locked is left alone and not told of. To go over a whole filter, call it with each `next`, and
   * bound it by `createdBefore`, so that jobs which are made meanwhile do not come in. Looks at no more rows than `list`.
   */
  changeWhere(request: ChangeRequest): Promise<ChangeResult>

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
