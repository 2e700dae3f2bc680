/**
 * What the oracle knows of a run: what the producers were told, what the handlers did, which faults there were, what an
 * operator asked for and was told, and what workers told of their jobs. All of it was seen from outside the store.
 */
import type { Events } from '../../../src/base/telemetry.ts'
import type { EnqueueStatus } from '../../../src/client/job-handle.ts'
import type { Lease } from '../../../src/store/contract/index.ts'
import type { Actor } from './world.ts'

/** An enqueue of a job, once it was answered. Times are the world's. */
export interface Enqueued {
  readonly n: number
  readonly sentAt: number
  readonly answeredAt: number
  /** `unknown`: the call failed, so the job may be there or not. `refused`: the store refused the row. */
  readonly status: EnqueueStatus | 'unknown' | 'refused'
  /** The job that the answer named. */
  readonly id: string | null
}

/** One run of a handler. */
export interface Effect {
  readonly n: number
  readonly fence: number
  readonly attempt: number
  readonly worker: Actor
  readonly at: number
  readonly heeds: boolean
  /** When its handler ended, or was cut short. */
  endedAt: number
  /** How it ended by itself, or `aborted` when it heeded its signal; `open`: it has not, or died with its worker. */
  end: 'open' | 'returned' | 'threw' | 'snoozed' | 'discarded' | 'aborted'
  /** When its signal was aborted, and why. */
  abortedAt: number
  why: string
}

/** The kind of a fault that follows from others: a worker heard nothing from its store for three leases, and ended. */
export const GAVE_UP = 'gave up'

/** The kind of what is no fault: a worker was told to stop, and gives back what it runs. */
export const STOP = 'stop'

/** The same at once, since its supervisor is gone. */
export const ORPHANED = 'orphaned'

/** Kinds of others: a supervisor has killed a worker that it had not heard from for the stall limit, or that is deaf to a cancel. */
export const STALL_KILL = 'killed at the stall limit'
/** See there. */
export const DEAF_KILL = 'killed, deaf to a cancel'

/** A fault that happened, to a process, to all of a slot, or to everybody (`EVERY_SLOT`). */
export interface Fault {
  readonly kind: string
  readonly slot: number
  /** The process that it hit; null: whoever is in the slot. */
  readonly actor: Actor | null
  readonly from: number
  to: number
}

/** A call to the store that failed, or was answered far too late. */
export interface Failure {
  readonly actor: Actor
  readonly operation: string
  readonly sentAt: number
  /** In whose name, where it was in a worker's. */
  readonly workerId: string | null
  /** When its caller learned of it, where it did not stand still. */
  readonly failedAt: number
  /** When its caller sent the same operation next. */
  retriedAt: number
  /** What it was about, where that is the start of one attempt. */
  readonly start: Lease | null
  /** What it would have brought: claimed, and its worker never heard of it. */
  readonly brought: readonly Lease[]
}

/** What an operator asked for, and was told. */
export interface Act {
  readonly kind: string
  /** The job it was about; null: it named a filter or a queue. */
  readonly n: number | null
  /** The queue that it named. */
  readonly queue: string | null
  /** When it was begun; what stopped half-way and went on, when it was from its beginning. */
  readonly sentAt: number
  readonly answeredAt: number
  /** The store's word; null: the call failed. */
  readonly outcome: string | null
}

/** A worker told that an attempt had led to this. */
export interface Told {
  readonly n: number
  readonly at: number
  readonly worker: Actor
  readonly event: Events['job.settled']
}

/** A supervisor heard whether a job that blocks a worker of its was asked to stop. */
export interface Kept {
  readonly workerId: string
  readonly sentAt: number
  readonly heardAt: number
  readonly isCancelling: boolean
}

/** The books of one run. */
export interface Ledgers {
  readonly enqueued: Enqueued[]
  readonly effects: Effect[]
  readonly faults: Fault[]
  readonly failures: Failure[]
  /** When each worker process began. */
  readonly begins: Map<Actor, number>
  /** When it had ended, one way or the other. */
  readonly ends: Map<Actor, number>
  /** In the order in which they were heard. */
  readonly kept: Kept[]
  readonly acts: Act[]
  readonly told: Told[]
}

/** Empty books. */
export function newLedgers(): Ledgers {
  return {
    enqueued: [],
    effects: [],
    faults: [],
    failures: [],
    begins: new Map(),
    ends: new Map(),
    kept: [],
    acts: [],
    told: [],
  }
}

/** The id of job number `n`. Ids are ordered as the numbers are. */
export function idOf(n: number): string {
  return `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`
}

/** The number of the job with an id. */
export function numberOf(id: string): number {
  return Number.parseInt(id.slice(-12), 16)
}
