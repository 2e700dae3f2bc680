/** A running attempt between worker and store: claimed, reported on, settled, always behind its fence `(id, epoch, worker)`. */
import type { LogLevel } from '../../core/job/log-level.ts'
import type { Reason } from '../../core/job/state.ts'

/** Names one running attempt. With the worker that holds it, it is the fence of every write about it. */
export interface Lease {
  readonly id: string
  readonly epoch: number
}

/**
 * How an attempt is settled. `completed`, `retrying`, `failed` and `cancelled` count as an attempt; `scheduled` (snoozed),
 * `pending` (released) and `blocked` (its key is missing) do not. A cancel that was asked for turns `retrying`,
 * `scheduled`, `pending` and `blocked` into `cancelled`, reason `requested`; it never undoes a `completed` or `failed`.
 * `runMs` is how long the handler ran by the worker's monotonic clock; 0 when it did not start.
 *
 * `crashed`: what ran the attempt died under it, and its worker did not. That counts in `crashes` and not as an attempt, also when
 * a cancel turns it into an end. Its record has the number of the attempt that follows, as that of a lost one.
 *
 * `forget`: of a completed job nothing is kept, not even its result, but its id for 2 minutes: until then an insert of that id is
 * `existing`, and a child of it goes on as after any completed parent. That is for a job of which the store has only its row: its
 * first claim, no dependents, no unique key, no log lines, no checkpoint, neither payload nor result above 2 KiB. Any other is
 * archived, and pruned; one that travels beside any other may be, too.
 */
export type Settlement = Lease & { readonly runMs: number } & (
    | { readonly to: 'completed'; readonly result: Uint8Array | null; readonly forget?: boolean }
    | {
        readonly to: 'retrying'
        readonly delayMs: number
        readonly error: Uint8Array | null
        readonly crashed?: true
      }
    | { readonly to: 'failed'; readonly reason: Reason; readonly error: Uint8Array | null; readonly crashed?: true }
    | { readonly to: 'cancelled'; readonly reason: Reason; readonly error: Uint8Array | null }
    | { readonly to: 'scheduled'; readonly delayMs: number }
    | { readonly to: 'pending' }
    | { readonly to: 'blocked'; readonly reason: 'key'; readonly on: string }
  )

/** How an attempt ends when what ran it died under it. */
export type CrashedSettlement = Extract<Settlement, { readonly to: 'retrying' | 'failed' }> & { readonly crashed: true }

/** Whether what ran the attempt died under it. */
export function isCrashed(settlement: Settlement): settlement is CrashedSettlement {
  return 'crashed' in settlement && settlement.crashed === true
}

/** How an attempt ends well. */
export type Completion = Extract<Settlement, { readonly to: 'completed' }>

/**
 * `settled`: the job is what the settlement says. `cancelled`: the settlement would have let it run again, but its cancel had
 * been asked for: it has ended as `cancelled`, reason `requested`. `lost`: the lease is another's or gone; nothing was written.
 */
export type SettleResult = 'settled' | 'cancelled' | 'lost'

/** `lost`: the lease is another's or gone; nothing was written. */
export type ReportResult = 'written' | 'lost'

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
  /**
   * Only jobs of these names are claimed; others wait untouched. On SQLite they cost a claim nothing, however many they are;
   * on PostgreSQL and MySQL a claim reads past those that stand before its own.
   */
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

/** What ended, and what is asked for. */
export interface ExchangeRequest {
  /** Who settles: a settlement of an attempt that another worker holds is `lost`. The same as in `claim`. */
  readonly workerId: string
  readonly settle: readonly Settlement[]
  /** Absent: only settle. */
  readonly claim?: ClaimRequest
}

/** What became of the outcomes, and what was claimed. */
export interface ExchangeResult {
  /** One per settlement, in order. */
  readonly settled: readonly SettleResult[]
  /**
   * In claim order: priority (higher first), run time, id, per queue. Between claims of 32 jobs or more that follow each other
   * a store may pass over, for 100 ms, a job that became claimable at an earlier place (PostgreSQL does). Together at most 1 MiB of payload (`MAX_BATCH_BYTES`),
   * but for one larger job, which is given alone. Either jobs with fewer than two losses, or exactly
   * one with two or more (claimed alone).
   */
  readonly claimed: readonly ClaimedJob[]
  /**
   * Asking again at once may give more: the claim gave something and stopped for its limit, for a queue's share, for the
   * size of the payloads or for a job that goes alone; or it failed jobs that cannot be read, and others may stand behind
   * them. False when everything that this request may have was given.
   */
  readonly more: boolean
  /** Running jobs of this worker whose cancellation was asked for (each named at every exchange until it is settled). */
  readonly cancelling: readonly Lease[]
  /** The store's time of this exchange, in milliseconds since the epoch. */
  readonly now: number
}

/** What became of one lease that was to be extended. */
export type HeldResult = 'held' | 'cancelling' | 'lost'

/** The same, or `locked`: another transaction holds the job's row, and its lease is as it was. */
export type ExtendResult = HeldResult | 'locked'

/** News of a running attempt. Absent parts stay as they are. */
export interface JobReport extends Lease {
  /** 0 to 1. */
  readonly progress?: number
  readonly note?: Uint8Array
  readonly logs?: readonly { readonly seq: number; readonly level: LogLevel; readonly message: Uint8Array }[]
}
