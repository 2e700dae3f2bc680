/** A worker that has not reported itself for this long does not count as alive, in milliseconds. */
export const ALIVE_WITHIN_MS = 30_000
