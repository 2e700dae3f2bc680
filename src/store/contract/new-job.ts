/** What the store is asked to insert, and what became of it. */
import type { JobState } from '../../core/job/state.ts'

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
  /** The id was made for this insert, which is its first: nobody can have it, and a store need not look. Default false. */
  readonly fresh?: boolean
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
