/** When a worker process that has ended is started again. Pure. */

/** How one process ended. */
export interface EndedProcess {
  /** From its start to its end. */
  readonly livedMs: number
  /** It has settled a job: whatever ended it, it could work. */
  readonly hasWorked: boolean
}

/** One that ended sooner than this without having worked has failed to start. */
const SHORT_LIFE_MS = 10_000
const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 30_000
/** Of all cores together, what one start after the other may take, at most. */
const START_SHARE = 1 / 20
const MAX_REST_MS = 5_000
/** After so many failed starts in a row it is a crash loop, and said. */
const LOOP_ENDS = 3

/** How many starts in a row have failed once `ended` is counted; 0 after a process that has worked or lived for a while. */
export function countFailedStarts(before: number, { livedMs, hasWorked }: EndedProcess): number {
  return hasWorked || livedMs >= SHORT_LIFE_MS ? 0 : before + 1
}

/**
 * How long to wait before the next start, in milliseconds: none after a process that has worked, else 100 ms doubling to 30 s,
 * between half of that and all of it by `random` in [0, 1), so that a fleet does not start in step.
 */
export function restartDelayMs(failedStarts: number, random: number): number {
  if (failedStarts === 0) return 0
  const full = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failedStarts - 1, 20))
  return Math.ceil(full * (0.5 + random / 2))
}

/** Whether so many failed starts in a row are worth more than a line: whoever reads the log should know that it will not mend by itself. */
export function isCrashLoop(failedStarts: number): boolean {
  return failedStarts >= LOOP_ENDS
}

/**
 * How long workers are left alone after one was replaced whose successor took `startMs` to begin, in milliseconds: a start keeps a
 * core busy, which others need, so that starts take no more than a twentieth of what `cores` there are. None from twenty on; 5 s
 * at most, since a machine where starts take that long has other troubles.
 */
export function restAfterMs(startMs: number, cores: number): number {
  const share = 1 / Math.max(1, cores)
  return Math.ceil(Math.min(MAX_REST_MS, startMs * Math.max(0, share / START_SHARE - 1)))
}
