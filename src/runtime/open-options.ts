/** How a Millrace is opened. */
import type { Clock } from '../base/clock.ts'
import type { CodecOptions } from '../codec/codec.ts'
import type { Duration } from '../core/duration.ts'
import type { Store } from '../store/contract/index.ts'

/** How a Millrace is opened. */
export interface OpenOptions {
  /** A store's URL, or a store of your own. Default: `MILLRACE_STORE`, else `sqlite:./millrace.db`. */
  readonly store?: string | Store
  /** Keys and compression of payloads, results, errors, progress and logs. */
  readonly codec?: CodecOptions
  /** How long finished jobs are kept: default 7 d completed, 30 d failed, 1 d cancelled. */
  readonly retention?: { readonly completed?: Duration; readonly failed?: Duration; readonly cancelled?: Duration }
  /** Brings the schema up to date on opening, default true. With false, a store of an older schema is refused. */
  readonly migrate?: boolean
  /** Relative paths in the store's URL count from here, default the working directory. */
  readonly base?: string
  /** The time of everything here, of a store that is named by URL too. Default the machine's. */
  readonly clock?: Clock
}
