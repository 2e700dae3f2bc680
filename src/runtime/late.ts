/** How late a loop may be before it is told of as dead. */

/** A loop that rests is late by so much at most. */
const LATE_MS = 10_000
/** Calls to the store in one round, at most. */
const CALLS = 4

/**
 * After so many ms without an end of its round a loop counts as dead, and only a restart helps. A store that is slow ends each of a
 * round's calls within its deadline, and `waitMs` is how long a round may wait of its own accord.
 */
export function lateAfterMs(storeDeadlineMs: number, waitMs = 0): number {
  return LATE_MS + Math.max(waitMs, CALLS * storeDeadlineMs)
}
