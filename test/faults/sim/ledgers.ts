/**
 * What the oracle knows of a run: what the producers were told, what the handlers did, which faults there were, what an
 * operator asked for and was told, and what workers told of their jobs. All of it was seen from outside the store.
 */
import type { Events } from '../../../src/base/telemetry.ts'
import type { EnqueueStatus } from '../../../src/client/job-handle.ts'
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

/** A fault that happened, to the worker in a slot or to everybody (`EVERY_SLOT`). */
export interface Fault {
  readonly kind: string
  readonly slot: number
  readonly from: number
  to: number
}

/** What an operator asked for, and was told. */
export interface Act {
  readonly kind: string
  /** The jobs it was about; null: it named a filter or a queue. */
  readonly n: number | null
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

/** The books of one run. */
export interface Ledgers {
  readonly enqueued: Enqueued[]
  readonly effects: Effect[]
  readonly faults: Fault[]
  readonly acts: Act[]
  readonly told: Told[]
}

/** Empty books. */
export function newLedgers(): Ledgers {
  return { enqueued: [], effects: [], faults: [], acts: [], told: [] }
}

/** The id of job number `n`. Ids are ordered as the numbers are. */
export function idOf(n: number): string {
  return `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`
}

/** The number of the job with an id. */
export function numberOf(id: string): number {
  return Number.parseInt(id.slice(-12), 16)
}
