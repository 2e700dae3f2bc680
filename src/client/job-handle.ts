/** What `enqueue` gives back: the job's id, what became of the call, and the way to its result. */
import type { Codec } from '../codec/codec.ts'
import { type Duration, parseDuration } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import type { JobState } from '../core/job/state.ts'
import { checkOptions } from '../core/options.ts'
import type { JobDefinition } from '../job/define-job.ts'
import { validate } from '../job/schema.ts'
import type { InsertResult, JobRow } from '../store/contract/index.ts'
import { sealOf, viewJob } from './job-view.ts'
import type { ResultWaiter } from './waiter.ts'

/**
 * `created`: a new row. `existing`: the id or unique key is another call's job, which this handle names. `replaced`: created,
 * and the holder of its key was cancelled. `rejected`: the key is held and the caller asked to be refused.
 */
export type EnqueueStatus = 'created' | 'existing' | 'replaced' | 'rejected'

/** What a handle works with; one per client and definition. */
export interface HandleContext {
  readonly waiter: ResultWaiter
  readonly codec: Codec
}

/** The job that an `enqueue` made or found. */
export class JobHandle<Result = unknown> {
  readonly id: string
  readonly status: EnqueueStatus
  /** The job's state when the call was answered. */
  readonly state: JobState
  /** The job that gave way, when `status` is `replaced`. */
  readonly replacedId: string | undefined
  readonly #context: HandleContext
  readonly #definition: JobDefinition

  constructor(result: Exclude<InsertResult, { status: 'refused' }>, definition: JobDefinition, context: HandleContext) {
    this.id = result.id
    this.status = result.status
    this.state = result.state
    this.replacedId = result.status === 'replaced' ? result.replacedId : undefined
    this.#definition = definition
    this.#context = context
  }

  /**
   * Resolves with the job's result once it is committed. Rejects with `JOB_FAILED` or `JOB_CANCELLED` when it ended otherwise, with
   * `WAIT_TIMEOUT` after `timeout` (default: waits for ever).
   */
  async result(options: ResultOptions = {}): Promise<Result> {
    const row = await this.#context.waiter.wait(this.id, waitMs(options))
    // Checked against the definition's output by the worker before it was stored.
    return (await resultOf(this.#context.codec, row, this.#definition)) as Result
  }
}

/** How long to wait for a result. */
export interface ResultOptions {
  /** Rejects with `WAIT_TIMEOUT` after this; by default it waits for ever. */
  readonly timeout?: Duration
}

/** The time to wait in milliseconds; undefined: for ever. */
export function waitMs(options: ResultOptions): number | undefined {
  checkOptions(options, ['timeout'], 'result')
  return options.timeout === undefined ? undefined : parseDuration(options.timeout, 'timeout')
}

/**
 * The result of a finished row, or the error that says how it ended. Throws `STORE_READ_ONLY` where the database keeps results
 * from this user.
 */
export async function resultOf(codec: Codec, row: JobRow, definition?: JobDefinition): Promise<unknown> {
  if (row.state === 'completed') {
    if (row.isWithheld === true) {
      throw new MillraceError('STORE_READ_ONLY', `the result of the job ${row.name} ${row.id} is kept from this user`, {
        fields: { id: row.id, name: row.name },
        hint: 'Connect as a user that may read results: the worker.',
      })
    }
    if (row.result === null) return undefined
    const value = await codec.decode(sealOf(row, 'result'), row.result)
    return definition?.output === undefined ? value : validate(definition.output, value, 'RESULT_INVALID', row.name)
  }
  const { error } = await viewJob(codec, row)
  const fields = { id: row.id, name: row.name, reason: row.reason, attempts: row.attempts, error }
  if (row.state === 'cancelled') {
    throw new MillraceError('JOB_CANCELLED', `the job ${row.name} ${row.id} was cancelled (${row.reason})`, { fields })
  }
  const why =
    error === null
      ? `reason ${row.reason}`
      : `${row.reason} after ${row.attempts} ${row.attempts === 1 ? 'attempt' : 'attempts'}: ${error.name}: ${error.message}`
  throw new MillraceError('JOB_FAILED', `the job ${row.name} ${row.id} failed: ${why}`, { fields })
}
