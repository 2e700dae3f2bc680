/** What a supervisor tells its worker processes to do. */
import type { Duration } from '../core/duration.ts'
import type { WorkerOptions } from '../worker/options.ts'

/** What one worker process is to do. Crosses to it as JSON, so functions and keys cannot stand in it: those come from modules. */
export interface WorkerPlan {
  /** The store's URL, and the folder that its relative paths count from. */
  readonly store: string
  readonly base: string
  /** The configuration file: its handlers, keys, retention and worker options hold. */
  readonly config?: string
  /** URLs of modules whose exports are handlers, beside those of the configuration. */
  readonly entries: readonly string[]
  /** Wins over what the configuration says. */
  readonly options: Omit<WorkerOptions, 'middleware'>
  readonly retention?: { readonly completed?: Duration; readonly failed?: Duration; readonly cancelled?: Duration }
}
