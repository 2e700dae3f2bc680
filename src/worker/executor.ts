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
import { prepareInput } from '../job/prepare-input.ts'
import { validate } from '../job/schema.ts'
import { IsolateError } from './isolate/isolate-error.ts'
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
const NOTHING_RETURNED: Ended = { end: RETURNED, result: null, error: null }

/** An attempt that goes back as if it had not been. */
export const RELEASED: Ended = { end: { kind: 'released' }, result: null, error: null }

/** Who is told how an attempt goes on. */
export interface Steps {
  /** The payload is worked on asynchronously: the handler begins later. */
  readonly onPrepare: (job: RunningJob) => void
  readonly onStart: (job: RunningJob) => void
  readonly onEnd: (job: RunningJob, ended: Ended) => void
}

/** Runs attempts; one per worker. */
export class Executor {
  readonly #codec: Codec
  readonly #middleware: readonly Middleware[]

  constructor(codec: Codec, middleware: readonly Middleware[]) {
    this.#codec = codec
    this.#middleware = middleware
  }

  /** Runs the attempt to its end. Calls `onStart` when the payload is ready and the handler begins, and `onEnd` once; never throws. */
  run(job: RunningJob, steps: Steps): void {
    let input: unknown
    try {
      input = this.#input(job)
    } catch (error) {
      end(job, this.#inputFailed(job, error), steps)
      return
    }
    if (!(input instanceof Promise)) {
      this.#handle(job, input, steps)
      return
    }
    steps.onPrepare(job)
    void input.then(
      (opened) => this.#handle(job, opened, steps),
      (error) => end(job, this.#inputFailed(job, error), steps),
    )
  }

  #handle(job: RunningJob, input: unknown, steps: Steps): void {
    // Meanwhile it may have been given up, or told to stop: then its handler never begins.
    if (job.isOver) return
    if (job.aborted !== undefined) {
      end(job, this.#threw(job, job.signal.reason), steps)
      return
    }
    job.dropPayload()
    steps.onStart(job)
    let value: unknown
    let isLater: boolean
    try {
      value = this.#middleware.length === 0 ? job.handler.run(input, job) : this.#through(job, input)
      isLater = isThenable(value)
    } catch (error) {
      end(job, this.#threw(job, error), steps)
      return
    }
    if (!isLater) end(job, this.#returned(job, value), steps)
    else
      void Promise.resolve(value).then(
        (result) => end(job, this.#returned(job, result), steps),
        (error) => end(job, this.#threw(job, error), steps),
      )
  }

  #input(job: RunningJob): unknown | Promise<unknown> {
    const { claimed, handler } = job
    const { definition } = handler
    const decoded = this.#codec.decode({ jobId: claimed.id, jobName: claimed.name, field: 'payload' }, claimed.payload)
    if (definition.input === undefined && claimed.version === definition.version) return decoded
    return this.#prepare(job, decoded)
  }

  async #prepare(job: RunningJob, decoded: unknown | Promise<unknown>): Promise<unknown> {
    return prepareInput(job.handler.definition, job.claimed.version, await decoded)
  }

  /** `next` never throws: a handler's or a layer's error rejects what it returns, so that `next().finally(…)` is told of it. */
  #through(job: RunningJob, input: unknown): Promise<unknown> {
    const at = async (index: number): Promise<unknown> => {
      const layer = this.#middleware[index]
      return layer === undefined ? job.handler.run(input, job) : layer(job, () => next(index + 1))
    }
    const next = (index: number): Promise<unknown> => {
      const rest = at(index)
      // A layer that lets go of what it was promised must not end the process with an unhandled rejection.
      rest.catch(() => {})
      return rest
    }
    return at(0)
  }

  #returned(job: RunningJob, value: unknown): Ended | Promise<Ended> {
    const { definition } = job.handler
    if (definition.output === undefined && value === undefined) return NOTHING_RETURNED
    try {
      const checked = validate(definition.output, value, 'RESULT_INVALID', definition.name)
      if (checked instanceof Promise) {
        return checked
          .then(() => this.#sealed(job, value))
          .catch((error) => this.#failed(job, { kind: 'resultInvalid' }, error))
      }
      const sealed = this.#sealed(job, value)
      return sealed instanceof Promise
        ? sealed.catch((error) => this.#failed(job, { kind: 'resultInvalid' }, error))
        : sealed
    } catch (error) {
      return this.#failed(job, { kind: 'resultInvalid' }, error)
    }
  }

  /** A result checked and sealed as if the handler had returned it. Throws `RESULT_INVALID`. */
  sealResult(job: RunningJob, value: unknown): Uint8Array | null | Promise<Uint8Array | null> {
    const { definition } = job.handler
    const checked = validate(definition.output, value, 'RESULT_INVALID', definition.name)
    const sealed = () => {
      if (value === undefined) return null
      return this.#codec.encode(
        { jobId: job.id, jobName: job.name, field: 'result', epoch: job.claimed.epoch } as const,
        value,
      )
    }
    return checked instanceof Promise ? checked.then(sealed) : sealed()
  }

  #sealed(job: RunningJob, value: unknown): Ended | Promise<Ended> {
    if (value === undefined) return NOTHING_RETURNED
    const field = { jobId: job.id, jobName: job.name, field: 'result', epoch: job.claimed.epoch } as const
    const sealed = this.#codec.encode(field, value)
    if (!(sealed instanceof Promise)) return { end: RETURNED, result: sealed, error: null }
    return sealed.then((result) => ({ end: RETURNED, result, error: null }))
  }

  #threw(job: RunningJob, error: unknown): Promise<Ended> | Ended {
    const flow = controlFlowOf(error)
    if (flow instanceof Snooze) return { end: { kind: 'snoozed', delayMs: flow.delayMs }, result: null, error: null }
    if (job.aborted === 'cancelled') return this.#failed(job, { kind: 'cancelled' }, error)
    if (job.aborted === 'timeout') return this.#failed(job, { kind: 'timedOut' }, error)
    if (job.aborted === 'stopping') return RELEASED
    if (flow instanceof Discard) return this.#failed(job, { kind: 'discarded' }, error)
    if (flow instanceof IsolateError) return this.#failed(job, flow.end, error)
    const { name, code } = errorText(error)
    const threw = { kind: 'threw', errorName: name, ...(code !== undefined && { errorCode: code }) } as const
    return this.#failed(job, flow instanceof RetryAfter ? { ...threw, retryAfterMs: flow.delayMs } : threw, error)
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

function end(job: RunningJob, ended: Ended | Promise<Ended>, steps: Steps): void {
  if (ended instanceof Promise) void ended.then((late) => steps.onEnd(job, late))
  else steps.onEnd(job, ended)
}

/** What `await` would wait for. Throws what a getter or a trap of the value throws. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  const mayBe = typeof value === 'object' ? value !== null : typeof value === 'function'
  return mayBe && 'then' in (value as object) && typeof (value as { then: unknown }).then === 'function'
}

/** What was thrown when it says how the attempt ends; undefined for everything else, a proxy whose traps throw included. */
function controlFlowOf(thrown: unknown): Snooze | Discard | RetryAfter | IsolateError | undefined {
  try {
    if (thrown instanceof Snooze || thrown instanceof Discard || thrown instanceof RetryAfter) return thrown
    if (thrown instanceof IsolateError) return thrown
  } catch {
    // A trap threw: it is none of ours.
  }
  return undefined
}
