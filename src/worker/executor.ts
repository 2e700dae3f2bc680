/**
 * One attempt as a pipeline: open the payload, bring it to the current version, check it, run middleware and handler, check
 * and seal the result, and say how the attempt ended. Nothing here touches the store.
 */
import type { Codec } from '../codec/codec.ts'
import { errorText } from '../codec/redact.ts'
import { MillraceError } from '../core/errors.ts'
import type { AttemptEnd } from '../core/job/outcome.ts'
import type { Middleware } from '../job/context.ts'
import { Discard, RetryAfter, Snooze } from '../job/control-flow.ts'
import { validate } from '../job/schema.ts'
import type { RunningJob } from './running-job.ts'

/** How an attempt ended, with its sealed result or error. */
export interface Ended {
  readonly end: AttemptEnd
  readonly result: Uint8Array | null
  readonly error: Uint8Array | null
  /** Error name and message for logs; absent when there was none. */
  readonly errorLine?: string
  /** The key that a sealed payload needs, with `keyUnknown`. */
  readonly keyId?: string
}

const RETURNED: AttemptEnd = { kind: 'returned' }

/** Runs attempts; one per worker. */
export class Executor {
  readonly #codec: Codec
  readonly #middleware: readonly Middleware[]

  constructor(codec: Codec, middleware: readonly Middleware[]) {
    this.#codec = codec
    this.#middleware = middleware
  }

  /** Runs the attempt to its end. Never rejects. `onStart` is called when the payload is ready and the handler begins. */
  async run(job: RunningJob, onStart: (job: RunningJob) => void): Promise<Ended> {
    let input: unknown
    try {
      const opened = this.#input(job)
      input = opened instanceof Promise ? await opened : opened
    } catch (error) {
      return this.#inputFailed(job, error)
    }
    onStart(job)
    try {
      const value = this.#middleware.length === 0 ? job.handler.run(input, job) : this.#through(job, input)
      // A handler that is not asynchronous costs no turn of the microtask queue.
      return await this.#returned(job, isThenable(value) ? await value : value)
    } catch (error) {
      return this.#threw(job, error)
    }
  }

  #input(job: RunningJob): unknown | Promise<unknown> {
    const { claimed, handler } = job
    const { definition } = handler
    const decoded = this.#codec.decode({ jobId: claimed.id, jobName: claimed.name, field: 'payload' }, claimed.payload)
    if (definition.input === undefined && claimed.version === definition.version) return decoded
    return this.#prepare(job, decoded)
  }

  async #prepare(job: RunningJob, decoded: unknown | Promise<unknown>): Promise<unknown> {
    const { definition } = job.handler
    let value = await decoded
    for (let version = job.claimed.version; version < definition.version; version++) {
      const upgrade = definition.upgrade[version]
      if (upgrade === undefined) continue
      try {
        value = await upgrade(value)
      } catch (cause) {
        throw new MillraceError(
          'PAYLOAD_INVALID',
          `the upgrade of ${definition.name} from version ${version} failed: ${String(cause)}`,
          { cause },
        )
      }
    }
    return validate(definition.input, value, 'PAYLOAD_INVALID', definition.name)
  }

  #through(job: RunningJob, input: unknown): Promise<unknown> {
    const at = (index: number): Promise<unknown> => {
      const layer = this.#middleware[index]
      if (layer === undefined) return Promise.resolve(job.handler.run(input, job))
      return layer(job, () => at(index + 1))
    }
    return at(0)
  }

  async #returned(job: RunningJob, value: unknown): Promise<Ended> {
    const { definition } = job.handler
    try {
      if (definition.output !== undefined) await validate(definition.output, value, 'RESULT_INVALID', definition.name)
      if (value === undefined) return { end: RETURNED, result: null, error: null }
      const field = { jobId: job.id, jobName: job.name, field: 'result', epoch: job.claimed.epoch } as const
      const sealed = this.#codec.encode(field, value)
      return { end: RETURNED, result: sealed instanceof Promise ? await sealed : sealed, error: null }
    } catch (error) {
      return this.#failed(job, { kind: 'resultInvalid' }, error)
    }
  }

  #threw(job: RunningJob, error: unknown): Promise<Ended> | Ended {
    if (error instanceof Snooze) return { end: { kind: 'snoozed', delayMs: error.delayMs }, result: null, error: null }
    if (job.aborted === 'cancelled') return this.#failed(job, { kind: 'cancelled' }, error)
    if (job.aborted === 'timeout') return this.#failed(job, { kind: 'timedOut' }, error)
    if (job.aborted === 'stopping') return { end: { kind: 'released' }, result: null, error: null }
    if (error instanceof Discard) return this.#failed(job, { kind: 'discarded' }, error)
    const { name, code } = errorText(error)
    const threw = { kind: 'threw', errorName: name, ...(code !== undefined && { errorCode: code }) } as const
    return this.#failed(job, error instanceof RetryAfter ? { ...threw, retryAfterMs: error.delayMs } : threw, error)
  }

  #inputFailed(job: RunningJob, error: unknown): Promise<Ended> | Ended {
    if (error instanceof MillraceError && error.code === 'KEY_UNKNOWN') {
      const keyId = error.fields.kid
      return { end: { kind: 'keyUnknown' }, result: null, error: null, keyId: typeof keyId === 'string' ? keyId : '' }
    }
    const isUnreadable = error instanceof MillraceError && error.code === 'PAYLOAD_UNREADABLE'
    return this.#failed(job, { kind: isUnreadable ? 'unreadable' : 'payloadInvalid' }, error)
  }

  /** The end with its error, redacted, cut and sealed. */
  async #failed(job: RunningJob, end: AttemptEnd, error: unknown): Promise<Ended> {
    return { end, result: null, ...(await this.sealError(job, error)) }
  }

  /** An error as it is stored, and as one line for the log. */
  async sealError(
    job: RunningJob,
    error: unknown,
  ): Promise<{ readonly error: Uint8Array | null; readonly errorLine: string }> {
    const told = errorText(error)
    const errorLine = `${told.name}: ${told.message}`
    try {
      return { error: await this.#codec.encode({ jobId: job.id, jobName: job.name, field: 'error' }, told), errorLine }
    } catch {
      // An error that cannot be sealed (its key was withdrawn meanwhile) must not keep its job from ending.
      return { error: null, errorLine }
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
