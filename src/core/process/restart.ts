/** When a worker process that has ended is started again. Pure. */

/** How one process ended. */
export interface EndedProcess {
  /** From its start to its end. */
  readonly livedMs: number
  /** It has settled a job: whatever ended it, it could work. */
  readonly hasWorked: boolean
}

/** Of the processes of one seat that ended soon after their start, one after the other. */
export interface ShortLives {
  readonly inARow: number
  /** Of these, the last ones that had not worked: starts that failed. */
  readonly failed: number
}

/** When the next process starts, and what is said of those before. */
export interface NextStart {
  readonly afterMs: number
  /** It is worth more than the line of its end: starts fail, or whatever starts dies soon. */
  readonly isFailing: boolean
  /** Whoever reads the log should know that it will not mend by itself. */
  readonly isLoop: boolean
  /** How many in a row it is said of: those that failed to start or, with `hasWorked`, that ended soon. */
  readonly starts: number
  /** Some of them had worked. */
  readonly hasWorked: boolean
}

/** Where nobody has died soon. */
export const NO_SHORT_LIVES: ShortLives = { inARow: 0, failed: 0 }

/** One that ended sooner than this has lived a short life. */
const SHORT_LIFE_MS = 10_000
const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 30_000
/** Of all cores together, what one start after the other may take, at most. */
const START_SHARE = 1 / 20
const MAX_REST_MS = 5_000
/** After so many failed starts in a row it is a crash loop, and said. */
const LOOP_OF_FAILED = 3
/** After so many short lives in a row it is one as well, though each has worked: a job may kill two of them before it runs apart. */
const LOOP_OF_SHORT = 5
/** From one start to the next in a crash loop of processes that have worked, at least. */
const LOOP_PERIOD_MS = 1_000

/** The short lives in a row once `ended` is counted: none after a process that has lived for 10 s. */
export function countShortLives(before: ShortLives, { livedMs, hasWorked }: EndedProcess): ShortLives {
  if (livedMs >= SHORT_LIFE_MS) return NO_SHORT_LIVES
  return { inARow: before.inARow + 1, failed: hasWorked ? 0 : before.failed + 1 }
}

/**
 * When the next process starts after `lives`, the last of which took `livedMs`. After a failed start in 100 ms, doubling to 30 s,
 * between half of that and all of it by `random` in [0, 1), so that a fleet does not start in step. After one that has worked at
 * once, since work waits for it. In a crash loop in which some have worked a second after the start before, if not later, so that
 * starts leave the cores to others.
 */
export function nextStart({ inARow, failed }: ShortLives, livedMs: number, random: number): NextStart {
  const hasWorked = failed < inARow && inARow >= LOOP_OF_SHORT
  const backOffMs = failed === 0 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failed - 1, 20))
  const restMs = hasWorked ? LOOP_PERIOD_MS - livedMs : 0
  return {
    afterMs: Math.ceil(Math.max(0, backOffMs * (0.5 + random / 2), restMs)),
    isFailing: failed > 0 || hasWorked,
    isLoop: failed >= LOOP_OF_FAILED || hasWorked,
    starts: hasWorked ? inARow : failed,
    hasWorked,
  }
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
