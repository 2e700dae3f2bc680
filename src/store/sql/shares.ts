/**
 * Who may use how many connections of a pool. Where a worker is, some are kept from ordinary calls, so that its claims and outcomes
 * wait for none of those, and one from all calls but heartbeats, on which its leases depend. As long as not all are open that counts
 * for those that are: the last that is free is left to calls that are more urgent, since one that is being opened, which takes
 * several round trips, is of no use to a heartbeat. Only who has none at all takes it: the server may grant no more.
 */

/** Who goes ahead of whom: the heartbeats of leases, then what else a worker says, then all others. */
export type Urgency = 'heartbeat' | 'urgent' | 'ordinary'

/** Connections of a pool at most, by default: beside a worker three for ordinary calls, two for what it says, one for heartbeats. */
export const DEFAULT_POOL = 6
/** Connections that are kept from ordinary calls beside a worker: one to claim, one to settle, one for a heartbeat. */
const KEPT = 3
/** So many calls of others go on side by side in a small pool: one that is slow does not hold up all. */
const LEAST = 2
/** A pool of so many has one that only heartbeats use; a smaller one is too small for that. */
const LEAST_WITH_OWN = 4
/** For so long after a connection could not be opened, those that are open are shared by all that a worker says. */
const REFUSED_MS = 10_000
/** A process that has made no urgent call for so long has no worker any more. */
const WORKER_MS = 60_000

/** The counts of one pool. */
export class Shares {
  readonly #size: number
  /** Connections that are open, opening or in use. */
  count = 0
  /** Of these those that are being opened. */
  opening = 0
  /** Connections in use by each kind of call. */
  readonly used: Record<Urgency, number> = { heartbeat: 0, urgent: 0, ordinary: 0 }
  /** Those that are being opened for ordinary calls. */
  ordinaryOpening = 0
  #urgentAt = Number.NEGATIVE_INFINITY
  #refusedAt = Number.NEGATIVE_INFINITY

  /** Of a pool of so many connections at most. */
  constructor(size: number) {
    this.#size = size
  }

  /** A call is made at this instant of `performance.now()`. */
  called(urgency: Urgency, now: number): void {
    if (urgency !== 'ordinary') this.#urgentAt = now
  }

  /** One could not be opened. */
  refused(now: number): void {
    this.#refusedAt = now
  }

  /** Whether a worker makes its calls here. */
  hasWorker(now: number): boolean {
    return now - this.#urgentAt < WORKER_MS
  }

  /** Whether any is open, in use or free. */
  get hasOpen(): boolean {
    return this.count > this.opening
  }

  /** Whether one more may be open. */
  get hasRoom(): boolean {
    return this.count < this.#size
  }

  /** Whether a call may have one of so many connections that are free now. */
  mayTake(urgency: Urgency, free: number, now: number): boolean {
    if (urgency === 'heartbeat') return true
    if (urgency === 'ordinary' && this.used.ordinary >= this.#most(now)) return false
    const isSmall = this.#size < LEAST_WITH_OWN
    const isShort = isSmall || now - this.#refusedAt < REFUSED_MS
    if (free > 1 || (urgency === 'urgent' ? isShort : !this.hasWorker(now))) return true
    // One that is being opened may never be.
    const areAllOpen = this.count - this.opening >= this.#size
    return this.used[urgency] === 0 && (isSmall || !areAllOpen)
  }

  /** Whether a connection may be opened for a call that waits. */
  mayOpen(urgency: Urgency, now: number): boolean {
    return this.hasRoom && (urgency !== 'ordinary' || this.used.ordinary + this.ordinaryOpening < this.#most(now))
  }

  /** How many connections ordinary calls may use. */
  #most(now: number): number {
    const most = this.#size - 1
    return Math.max(1, this.hasWorker(now) ? Math.max(Math.min(LEAST, most), this.#size - KEPT) : most)
  }
}
