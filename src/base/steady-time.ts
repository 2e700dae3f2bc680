/**
 * The wall clock as a store may go by: it never goes back, and it never stands still.
 *
 * A clock that was an hour ahead and is set right must not give out an instant twice, or leases would come back to life.
 * Waiting until it has caught up would stop every delay, back-off and lease for that hour. So time goes on at half its pace,
 * by the monotonic clock, until the wall clock has caught up.
 */
import type { Clock } from './clock.ts'

/** Instants of a clock, in milliseconds since the Unix epoch, each at least the one before. */
export class SteadyTime {
  readonly #clock: Clock
  #last = Number.NEGATIVE_INFINITY
  /** Where and when the wall clock was found behind; the instant is undefined while it is not. */
  #slowFrom = 0
  #slowSince: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    const wall = this.#clock.now()
    if (this.#slowSince === undefined && wall >= this.#last) {
      this.#last = wall
      return wall
    }
    const elapsed = this.#clock.monotonic()
    if (this.#slowSince === undefined) {
      this.#slowSince = elapsed
      this.#slowFrom = this.#last
    }
    const slow = this.#slowFrom + Math.floor((elapsed - this.#slowSince) / 2)
    if (wall >= slow) this.#slowSince = undefined
    this.#last = Math.max(this.#last, wall, slow)
    return this.#last
  }
}
