/** The lives of jobs, as the answers of the store tell them. */
import type { Lease, Settlement, SettleResult } from '../../../src/store/contract/index.ts'
import type { Actor } from './world.ts'

/** One attempt at a job, as the store gave it out and took it back. */
export interface Attempt {
  readonly epoch: number
  readonly worker: Actor
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
  /** When the store last gave it a lease's time: at its claim, by a heartbeat or by a keep. */
  extendedAt: number
  /** When its supervisor did last. */
  keptAt: number
  /** When that was asked for of which its worker has heard, and when it did: from the first on it trusts the lease, by its own clock. */
  readonly trusted: { readonly sentAt: number; readonly heardAt: number }[]
  /** When it was asked to stop, in the store. */
  cancelledAt: number
  /** It was lost with its process, and not because its lease had ended. */
  isRecovered: boolean
}

/** When an attempt was given out, for how long, and by how much the store's clock had been set forward. */
interface Given {
  readonly now: number
  readonly leaseMs: number
  readonly forwardMs: number
}

/** An attempt that was just given out, as it was asked for at `sentAt`. */
export function newAttempt(lease: Lease, worker: Actor, sentAt: number, { now, leaseMs, forwardMs }: Given): Attempt {
  return {
    epoch: lease.epoch,
    worker,
    claimedAt: now,
    closedAt: Number.POSITIVE_INFINITY,
    end: 'open',
    isCancelled: false,
    startWritten: false,
    leaseUntil: now + leaseMs + forwardMs,
    extendedAt: now,
    keptAt: Number.NEGATIVE_INFINITY,
    trusted: [{ sentAt, heardAt: now }],
    cancelledAt: Number.POSITIVE_INFINITY,
    isRecovered: false,
  }
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
  /** When it was inserted last. */
  createdAt: number
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
    createdAt: Number.POSITIVE_INFINITY,
    checkpoint: null,
    isReborn: false,
    isDisplaced: false,
  }
}

/** What it shows that a settlement came too late. */
export function refusalsOf({ attempts }: Life, { epoch, to }: Settlement): readonly string[] {
  const what = ['stale settlement refused']
  const own = attempts.find((attempt) => attempt.epoch === epoch)
  if (attempts.at(-1)?.end === 'open') what.push('stale settlement refused while another attempt ran')
  if (own?.end === 'lost' && to === 'completed') what.push('a reclaim raced a completion')
  if (own !== undefined && own.end === to) what.push('a settlement was repeated after a lost answer')
  return what
}

/** What became of an attempt, by the answer to its settlement. */
export function settlementsOf(settlement: Settlement, answer: SettleResult, isCancelling: boolean): readonly string[] {
  const isReturned = settlement.to === 'pending'
  const returned = settlement.runMs === 0 ? 'prefetch given back' : 'running job given back'
  const settled = `settled as ${'reason' in settlement ? settlement.reason : settlement.to}`
  return [
    isReturned ? returned : settled,
    ...(settlement.to === 'completed' && isCancelling ? ['a cancel raced a completion'] : []),
    ...(answer === 'cancelled' ? ['a cancel turned another attempt into an end'] : []),
  ]
}
