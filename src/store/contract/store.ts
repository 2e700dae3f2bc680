/**
 * The store contract: what a database must do for Millrace. One suite (`store/conformance`) holds every driver to it.
 *
 * The ten laws: (1) operations are semantic; no SQL, keys or connections in a signature. (2) Each is atomic by itself.
 * (3) The store's clock decides. (4) The caller supplies ids; inserting one again is `existing`. (5) Batches in, batches
 * out, in order. (6) Every write to a running job is fenced. (7) Payloads are opaque. (8) Wake hints may be lost.
 * (9) Capabilities are data. (10) An error has a kind (`StoreError`).
 */
import type { WorkerHealth, WorkerStatus } from '../../core/health.ts'
import type { JobState } from '../../core/job/state.ts'
import type { CopyFacet } from './copy.ts'
import type { Diagnosis, DiagnosisLimits } from './diagnosis.ts'
import type { JobsFacet } from './jobs.ts'
import type { Message, NewMessage } from './mailbox.ts'

/** What a driver can do beyond the laws. A skipped test names one of these. */
export interface Capabilities {
  /** Rows outlive the process. */
  readonly persistent: boolean
  /** Several processes may work on the same store. */
  readonly processes: boolean
  /** `jobs.insertWithin` works inside the caller's transaction. */
  readonly transactions: boolean
  /** `wake.subscribe` hears of what other processes change, as far as is known now; a hint may be lost. */
  readonly push: boolean
  /** The database works in a process of its own: while a call is under way, this one can run handlers. */
  readonly remote: boolean
  /** How often, in milliseconds, a worker looks for jobs beneath the hints when it is not told. */
  readonly pollMs: number
}

/** The latest schema version this code knows, and the one the store has (0: no tables yet). */
export interface SchemaVersion {
  readonly current: number
  readonly latest: number
  /** The oldest version that a program may know and still work on the store as it is. 0 when there are no tables. */
  readonly oldest: number
}

/** One numbered step of the schema, as the database takes it: statements to run in order, each without its semicolon. */
export interface MigrationStep {
  /** The version that the store has after it. */
  readonly version: number
  readonly statements: readonly string[]
}

/** A queue as it stands. */
export interface QueueInfo {
  readonly name: string
  /** Live jobs by state, counted no further than 10,000 (`COUNTED_TO`) each. */
  readonly counts: Readonly<Partial<Record<JobState, number>>>
  /** When the longest waiting pending job became due; null: none waits. */
  readonly oldestPendingAt: number | null
  readonly pausedAt: number | null
  readonly pausedBy: string | null
  readonly pauseReason: string | null
}

/** A queue with what became of its jobs. */
export interface QueueStats extends QueueInfo {
  /** Finished jobs still kept, counted no further than 10,000 each. */
  readonly finished: { readonly completed: number; readonly failed: number; readonly cancelled: number }
  /** Over the newest finished jobs of the queue (at most 1,000): milliseconds; null when there are none. */
  readonly waitMs: Percentiles | null
  readonly runMs: Percentiles | null
}

/** Times in milliseconds. */
export interface Percentiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** Queues: looking, pausing, clearing. */
export interface QueuesFacet {
  /** Every queue that has live jobs or settings, by name. Cost: that of counting, for each queue and state; never the whole store. */
  list(): Promise<readonly QueueInfo[]>
  /** Null when neither live nor kept jobs nor settings name this queue. */
  stats(queue: string): Promise<QueueStats | null>
  /** No job of the queue is claimed from now on; running ones go on. Idempotent. */
  pause(queue: string, by: string, reason: string): Promise<void>
  resume(queue: string): Promise<void>
  /** Deletes waiting jobs in these states, at most `limit`, as `jobs.remove` does. Returns how many. */
  clear(queue: string, states: readonly JobState[], limit: number): Promise<number>
}

/** Small shared values with compare-and-set. */
export interface StateFacet {
  get(key: string): Promise<{ readonly value: string; readonly version: number } | null>
  /** Writes when the stored version equals `expected` (null: no such key yet). Returns the new version, or null on conflict. */
  put(key: string, value: string, expected: number | null): Promise<number | null>
  list(
    prefix: string,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly value: string; readonly version: number }[]>
}

/** A worker as it last reported itself. */
export interface NodeRow {
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly version: string
  readonly names: readonly string[]
  /** Null: every queue. */
  readonly queues: readonly string[] | null
  readonly concurrency: number
  readonly running: number
  readonly startedAt: number
  readonly seenAt: number
  /** The id of the node whose supervisor started it; null: none did. */
  readonly node: string | null
  readonly status: WorkerStatus
  /** Null: it has not said. */
  readonly health: WorkerHealth | null
}

/** The workers that are alive, and what they are told. */
export interface ClusterFacet {
  /**
   * Writes the worker's row with the store's time. A row of a version that knew neither reads with `node` and `health` null and
   * the status `running`.
   */
  beat(node: Omit<NodeRow, 'seenAt' | 'startedAt'>): Promise<void>
  /** Nodes seen within `withinMs`. */
  nodes(withinMs: number): Promise<readonly NodeRow[]>
  remove(id: string): Promise<void>
  /**
   * Leaves a message for a worker or a node until it is taken or its time is over, and calls whoever subscribed to `wake`, as a
   * cancel does. Whether it lives, and what became of it, its row says.
   */
  post(message: NewMessage): Promise<void>
  /**
   * Takes out the messages for one worker or node: oldest first, at most 100, each given once, whoever takes at a time. Those whose
   * time is over are never given; `jobs.prune` deletes them. Where there is none, which is one look, nothing is written.
   */
  take(to: string): Promise<readonly Message[]>
}

/** Hints of what other connections did. */
export interface WakeFacet {
  /** Calls `onWake` soon after another connection may have made jobs claimable, asked for a cancellation, finished jobs, or posted a message. Returns the way out. */
  subscribe(onWake: () => void): () => void
}

/** A database that jobs live in. */
export interface Store {
  /** For people: the driver and where it is, without secrets. */
  readonly description: string
  /**
   * The path of the file that holds everything, for whoever looks after files: null where the store is no file of this machine.
   * The file need not be there before the store is opened.
   */
  readonly file: string | null
  readonly capabilities: Capabilities
  /**
   * Connects. Refuses a store whose schema is newer than what this code may work on (`STORE_NEWER`): each version says the
   * oldest one that may go on, so that workers of the deploy before do until they are replaced. Does not migrate.
   */
  open(): Promise<void>
  /** Waits for calls under way, then disconnects. Idempotent; later calls fail with kind `closed`. */
  close(): Promise<void>
  /** The store's clock, milliseconds since the epoch. Never goes back within one connection. */
  time(): Promise<number>
  ping(): Promise<void>
  /**
   * Brings the schema to the latest version, step by step. Safe with many at once and while workers run; may be repeated
   * after it was interrupted. Returns the versions that this call applied; none when the store is as new or newer.
   */
  migrate(): Promise<readonly number[]>
  /**
   * The steps that `migrate` would apply now, for people who run them themselves: run as they are, one after the other, they
   * leave what `migrate` leaves. Changes nothing. Empty when none is missing. With `from` the steps after that version, whatever
   * the database has: it is not looked at, and the store need not be open.
   */
  plan(from?: number): Promise<readonly MigrationStep[]>
  schemaVersion(): Promise<SchemaVersion>
  /**
   * Looks for what makes this store slow or less safe than it seems: old transactions, dead rows, missing indexes, settings, the
   * clock. Empty when all is well. Only reads; what the role may not see is left out, or said.
   *
   * Also for live jobs whose rows no Millrace wrote (`ROW_DAMAGED`): an unknown state, numbers that cannot be, a lease that never
   * ends, edges that do not fit their counts, rings. Ten of them are named each by a finding of its own, with what is wrong in plain
   * words (`core/job/damage.ts`) and what ends or mends it; one more finding says how many there are besides. No healthy job is
   * named, whatever its state. Looked at are statistics, catalogues and, in windows of 10,000, the rows of as many live jobs as
   * `limits.rows` says and as many edges: never payloads, nor what has ended, which stops nobody. A store that keeps its jobs as
   * objects of its own process has no such rows.
   */
  diagnose(limits?: Partial<DiagnosisLimits>): Promise<readonly Diagnosis[]>
  readonly jobs: JobsFacet
  readonly queues: QueuesFacet
  readonly state: StateFacet
  readonly cluster: ClusterFacet
  readonly wake: WakeFacet
  readonly copy: CopyFacet
}
