/**
 * Who may use how many connections of a pool. Where a worker is, two are kept for its urgent calls: while a claim is on its way a
 * heartbeat has one. As long as not all are open that counts for those that are: the last that is free is left to urgent calls,
 * since one that is being opened, which takes several round trips, is of no use to a heartbeat.
 */

/** Connections that are kept for urgent calls: one for a claim, one for a heartbeat. */
const KEPT = 2
/** So many calls of others go on side by side in a small pool: one that is slow does not hold up all. */
const LEAST = 2
/** A process that has made no urgent call for so long has no worker any more. */
const WORKER_MS = 60_000

/** The counts of one pool. */
export class Shares {
  readonly #size: number
  /** Connections that are open, opening or in use. */
  count = 0
  /** Of these those that are being opened. */
  opening = 0
  /** Connections in use by calls that are not urgent, and those that are being opened for such. */
  ordinary = 0
  ordinaryOpening = 0
  #urgentAt = Number.NEGATIVE_INFINITY

  /** Of a pool of so many connections at most. */
  constructor(size: number) {
    this.#size = size
  }

  /** A call is made at this instant of `performance.now()`. */
  called(isUrgent: boolean, now: number): void {
    if (isUrgent) this.#urgentAt = now
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
  mayTake(isUrgent: boolean, free: number, now: number): boolean {
    if (isUrgent) return true
    if (this.ordinary === 0) return true
    return this.ordinary < this.#most(now) && (free > 1 || !this.hasWorker(now))
  }

  /** Whether a connection may be opened for a call that waits. */
  mayOpen(isUrgent: boolean, now: number): boolean {
    return this.hasRoom && (isUrgent || this.ordinary + this.ordinaryOpening < this.#most(now))
  }

  /** How many connections other calls than urgent ones may use. */
  #most(now: number): number {
    const most = this.#size - 1
    return Math.max(1, this.hasWorker(now) ? Math.max(Math.min(LEAST, most), this.#size - KEPT) : most)
  }
}
