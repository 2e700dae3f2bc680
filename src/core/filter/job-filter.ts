/** Which jobs: what a store is asked for, whoever asks. Data only, so that it travels to any driver as it is. */
import type { JobState } from '../job/state.ts'

/** Text of a job that a condition looks at. `worker` and `unique` may be absent: then no text of theirs matches. */
export type TextField = 'id' | 'name' | 'queue' | 'tag' | 'worker' | 'unique'

/** Numbers of a job that a condition looks at; `created` and `finished` are instants in milliseconds. */
export type NumberField = 'priority' | 'attempt' | 'created' | 'finished'

/** Times that pass, measured up to the condition's `now`. */
export type SpanField =
  /** From when it might run to the start of its last attempt: of ended, running and pending jobs. */
  | 'wait'
  /** From the start of its last attempt to its end, or to now while it runs. */
  | 'took'

/** What a job is asked for. What a job does not have (a worker, an end, a start) matches no condition but a `not`. */
export type JobCondition =
  | { readonly field: TextField; readonly match: 'equals' | 'starts' | 'contains'; readonly values: readonly string[] }
  | { readonly field: 'state'; readonly states: readonly JobState[] }
  /** Strictly above, strictly below, or one of some numbers; all that are given hold. */
  | {
      readonly field: NumberField
      readonly above?: number
      readonly below?: number
      readonly oneOf?: readonly number[]
    }
  | { readonly field: SpanField; readonly above?: number; readonly below?: number; readonly now: number }
  /** It has a last error. */
  | { readonly field: 'error' }
  | { readonly not: JobCondition }
  | { readonly anyOf: readonly JobCondition[] }

/** Which jobs. Absent parts match everything; lists match any of their members; all parts have to hold. */
export interface JobFilter {
  /** Only jobs with these ids. */
  readonly ids?: readonly string[]
  /** Only jobs whose id begins so. */
  readonly idPrefix?: string
  readonly states?: readonly JobState[]
  readonly queues?: readonly string[]
  readonly names?: readonly string[]
  readonly tag?: string
  /** Milliseconds; strictly after and strictly before. */
  readonly createdAfter?: number
  readonly createdBefore?: number
  /** All of these. */
  readonly where?: readonly JobCondition[]
}
