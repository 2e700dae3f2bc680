/**
 * Who may use how many connections of a pool. Where a worker is, two are kept for its urgent calls: while a claim is on its way a
 * heartbeat has one. Only what is open counts as kept: one that is being opened, which takes several round trips, is of no use to a
 * heartbeat.
 */

/** Connections that are kept for urgent calls: one for a claim, one for a heartbeat. */
const KEPT = 2

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
  /** A worker is here: an urgent call was made. */
  hasUrgent = false

  /** Of a pool of so many connections at most. */
  constructor(size: number) {
    this.#size = size
  }

  /** Whether one more may be open. */
  get hasRoom(): boolean {
    return this.count < this.#size
  }

  /** Whether a call may have a connection that is free now. */
  mayTake(isUrgent: boolean): boolean {
    const unopened = this.hasUrgent ? this.#size - (this.count - this.opening) : 0
    return isUrgent || this.ordinary < Math.max(1, this.#most - unopened)
  }

  /** Whether a connection may be opened for a call that waits. */
  mayOpen(isUrgent: boolean): boolean {
    return this.hasRoom && (isUrgent || this.ordinary + this.ordinaryOpening < this.#most)
  }

  /** How many connections other calls than urgent ones may use. */
  get #most(): number {
    return Math.max(1, this.#size - (this.hasUrgent ? KEPT : 1))
  }
}
