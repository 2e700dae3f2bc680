/** What a supervisor does about a worker that has not been heard from. Pure. */

/** When a worker counts as stalled, and when it is given up. */
export interface StallLimits {
  /** Between two pulses of a worker that is well. */
  readonly pulseMs: number
  /** How long a worker may keep silent before it is killed. */
  readonly stallLimitMs: number
  /** How much of its silence nobody could have heard it; default 0. Its leases are kept in that time, too. */
  readonly excusedMs?: number
}

/** `well`: nothing. `stalled`: its leases are kept for it. `lost`: it is killed and its jobs are recovered. */
export type Stall = 'well' | 'stalled' | 'lost'

/** So many pulses that did not come are no accident of a busy machine. */
const MISSED = 2.5

/** Tells how a worker is that was last heard from `silentMs` ago. */
export function stallOf(silentMs: number, { pulseMs, stallLimitMs, excusedMs = 0 }: StallLimits): Stall {
  const isSilent = (ms: number) => ms > pulseMs * MISSED
  const judgedMs = silentMs - excusedMs
  if (isSilent(judgedMs) && judgedMs >= stallLimitMs) return 'lost'
  return isSilent(silentMs) ? 'stalled' : 'well'
}
