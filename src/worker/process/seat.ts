/** The places of a node, one for each of its worker processes. */
import type { RecycleLimits } from '../../core/process/recycle.ts'
import { NO_SHORT_LIVES, type ShortLives } from '../../core/process/restart.ts'
import type { WorkerProcess } from './worker-process.ts'

/** A place of a node. */
export interface Seat {
  readonly number: number
  /** Who works there; undefined between an end and the next start. */
  current: WorkerProcess | undefined
  /** Starts while `current` still works. */
  successor: WorkerProcess | undefined
  /** Of those that worked there before. */
  shortLives: ShortLives
  /** Left empty: somebody stopped its worker. */
  isStopped: boolean
  /** Who works there claims nothing: somebody has paused the worker or the node. It stays so whoever comes next. */
  isPaused: boolean
  limits: RecycleLimits
  cancelStart: (() => void) | undefined
}

/** A place where nobody has worked yet. */
export function emptySeat(number: number, limits: RecycleLimits): Seat {
  return {
    number,
    current: undefined,
    successor: undefined,
    shortLives: NO_SHORT_LIVES,
    isStopped: false,
    isPaused: false,
    limits,
    cancelStart: undefined,
  }
}
