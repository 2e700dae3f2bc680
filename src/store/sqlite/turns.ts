/**
 * Taking turns with other processes on one file.
 *
 * SQLite has no queue for its write lock. A process that writes again right after each commit holds the lock nearly all the
 * time, and one that looks for it every millisecond or two hardly ever finds it free: beside a producer at full speed with
 * an fsync at each commit, a worker got 1 of 7 writes. So a process that sees others commit, and has then written for
 * `RUN_MS` with no pause and nobody between, rests for longer than others sleep between two looks. Alone on the file, or
 * with pauses of its own, nobody ever rests.
 */

/** Others count as active this long after their last commit. */
const ACTIVE_MS = 100
/** Writing alone for so long, while others are active, is a turn. */
const RUN_MS = 4
/** A pause in which others could have written ends a turn by itself. */
const PAUSE_MS = 2
/** Longer than the 0.5–2 ms that a process sleeps between two tries. */
const REST_MS = 2

/** Whose turn it is among the processes that write one file. */
export class Turns {
  #version: unknown
  #othersAt = Number.NEGATIVE_INFINITY
  #turnSince = 0
  #endedAt = Number.NEGATIVE_INFINITY

  /** Notes SQLite's `data_version` as this connection's transaction found it: it moves when another connection commits. */
  began(version: unknown, now: number): void {
    if (version === this.#version) return
    if (this.#version !== undefined) this.#othersAt = now
    this.#version = version
    this.#turnSince = now
  }

  /** Notes that the transaction has ended. */
  ended(now: number): void {
    this.#endedAt = now
  }

  /** How long to stay away before the next write, in milliseconds; 0 while it is this process's turn. A new turn begins then. */
  rest(now: number): number {
    if (now - this.#endedAt > PAUSE_MS) this.#turnSince = now
    if (now - this.#othersAt > ACTIVE_MS || now - this.#turnSince < RUN_MS) return 0
    this.#turnSince = now + REST_MS
    return REST_MS
  }
}
