/**
 * When a worker process is replaced by a fresh one. Pure.
 *
 * Memory counts from what the process needed when it was ready and idle, so that the limit speaks of what its jobs have left, not
 * of Node and the code that they import.
 */

/** After how much a worker is replaced; infinite where nothing was asked for. */
export interface RecycleLimits {
  /** Growth over its idle memory. */
  readonly memoryBytes: number
  readonly jobs: number
  readonly ageMs: number
}

/** A worker as it is now. */
export interface WorkerUse {
  /** Null: not known. */
  readonly grownBytes: number | null
  readonly jobsDone: number
  readonly ageMs: number
}

/** Why a worker is replaced. */
export type RecycleReason = 'memory' | 'jobs' | 'age'

/** Of twice the growth that is allowed nothing good comes any more: there it is killed, and its jobs are recovered. */
const HARD = 2
/** A limit is lowered by up to this share, so that workers which started together do not end together. */
const JITTER = 0.1

/** The limits of one worker: up to a tenth lower, by `random` in [0, 1). Memory keeps its number: it is what somebody asked for. */
export function spreadLimits({ memoryBytes, jobs, ageMs }: RecycleLimits, random: number): RecycleLimits {
  const share = 1 - JITTER * random
  return { memoryBytes, jobs: Math.max(1, Math.ceil(jobs * share)), ageMs: ageMs * share }
}

/** Why the worker should be replaced, or undefined. */
export function recycleReason(
  { grownBytes, jobsDone, ageMs }: WorkerUse,
  limits: RecycleLimits,
): RecycleReason | undefined {
  if (grownBytes !== null && grownBytes > limits.memoryBytes) return 'memory'
  if (jobsDone >= limits.jobs) return 'jobs'
  if (ageMs >= limits.ageMs) return 'age'
  return undefined
}

/** Whether it has grown so far that there is no time left for a successor. */
export function isBeyondHardLimit(grownBytes: number | null, limits: RecycleLimits): boolean {
  return grownBytes !== null && grownBytes > limits.memoryBytes * HARD
}
