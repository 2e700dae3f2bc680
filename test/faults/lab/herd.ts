/** Whether those who stood still come back as a herd: how many handlers begin in the first second, and how many usually do. */

/** A time before a stop in which there was work all along, and when it was over. Monotonic milliseconds, as in the ledgers. */
export interface Wake {
  readonly usual: { readonly from: number; readonly to: number }
  readonly wokenAt: number
}

/** How often handlers begin. */
export interface Herd {
  readonly usualPerS: number
  /** In the first second after waking. */
  readonly wokenPerS: number
}

const SECOND_MS = 1_000

/** The rates of a wake. `startsAt`: when each handler has begun, those of jobs that run again too. */
export function herdOf(startsAt: readonly number[], { usual, wokenAt }: Wake): Herd {
  const between = (from: number, to: number) => startsAt.filter((at) => at >= from && at < to).length
  return {
    usualPerS: (between(usual.from, usual.to) * SECOND_MS) / (usual.to - usual.from),
    wokenPerS: between(wokenAt, wokenAt + SECOND_MS),
  }
}

/** What is wrong with it: more than `most` times as many as usual have begun, or nothing usually did, which proves nothing. */
export function herdFaults({ usualPerS, wokenPerS }: Herd, most: number): readonly string[] {
  if (usualPerS === 0 || wokenPerS === 0) return ['no handler began before the stop, or none in the second after it']
  if (wokenPerS <= most * usualPerS) return []
  return [`${wokenPerS} handlers began in the second after waking, usually ${Math.round(usualPerS)}`]
}
