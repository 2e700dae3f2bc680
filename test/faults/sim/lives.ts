/** The lives of jobs, as the answers of the store tell them. */
import type { Settlement } from '../../../src/store/contract/index.ts'
import type { Actor } from './world.ts'

/** One attempt at a job, as the store gave it out and took it back. */
export interface Attempt {
  readonly epoch: number
  readonly worker: Actor
  readonly sentAt: number
  readonly claimedAt: number
  closedAt: number
  /** `open`: nobody has taken it back; else what it was settled as, or `lost`. */
  end: 'open' | Settlement['to'] | 'lost'
  /** A cancel had turned it into an end. */
  isCancelled: boolean
  /** That its handler begins is on record, or its supervisor said so. */
  startWritten: boolean
  /** Nobody may take it back before, by the world's clock. */
  leaseUntil: number
}

/** A job, as far as the answers tell. */
export interface Life {
  readonly n: number
  readonly attempts: Attempt[]
  state: 'unseen' | 'waiting' | 'running' | 'ended' | 'removed'
  /** A cancel of its open attempt was answered `cancelling`. */
  isCancelling: boolean
  /** When it was told to have ended, each time. */
  readonly endedAt: number[]
  /** When it was put back or brought forward by hand. */
  readonly retriedAt: number[]
  readonly removedAt: number[]
  /** The epoch of the attempt whose checkpoint was kept last; null: none was. */
  checkpoint: number | null
  /** It was removed and enqueued once more under its id: its epochs begin anew. */
  isReborn: boolean
  /** Another job took its unique key. */
  isDisplaced: boolean
}

/** A job of which nothing was heard yet. */
export function newLife(n: number): Life {
  return {
    n,
    attempts: [],
    state: 'unseen',
    isCancelling: false,
    endedAt: [],
    retriedAt: [],
    removedAt: [],
    checkpoint: null,
    isReborn: false,
    isDisplaced: false,
  }
}
