/**
 * What a handler in an isolate asks of its worker while it runs: checkpoints, which are the store's.
 *
 * A handler may leave something running that asks on when its attempt is over and the isolate has another job's. So a call and its
 * answer say whose they are, and both sides look: nobody writes or reads the checkpoint of another job.
 */
import { fromJson, toJson } from '../../codec/json.ts'
import { MillraceError } from '../../core/errors.ts'
import type { RunningJob } from '../running-job.ts'
import type { AttemptId, CallMessage, FromIsolate, JobFacts, Send, ToIsolate } from './message.ts'
import { fromWire, toWire } from './wire-error.ts'

/** The worker holds a value to its own limits when it seals it; these only keep a channel from being flooded. */
export const CHANNEL_LIMITS = {
  maxBytes: 64 * 2 ** 20,
  maxDepth: 1_000,
  maxKeys: 10_000_000,
  maxString: 64 * 2 ** 20,
} as const

type Answer = Extract<ToIsolate, { readonly kind: 'answer' }>

/** What attempts were told that had ended. */
const tooLate = new WeakSet<object>()

/** Whether this is what a call of an attempt that is over was refused with. It is no fault of the attempt that runs now. */
export function isTooLate(error: unknown): boolean {
  return typeof error === 'object' && error !== null && tooLate.has(error)
}

/** The calls of one attempt, inside its isolate. */
export class Calls {
  readonly #of: AttemptId
  readonly #send: Send<FromIsolate>
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>()
  #last = 0
  #isClosed = false

  constructor({ id, fence }: Pick<JobFacts, 'id' | 'fence'>, send: Send<FromIsolate>) {
    this.#of = { jobId: id, fence }
    this.#send = send
  }

  /** Rejects with `LEASE_LOST` once the attempt is over. */
  async checkpoint(value: unknown): Promise<void> {
    await this.#ask('checkpoint', () => toJson(value, CHANNEL_LIMITS, 'checkpoint'))
  }

  /** Rejects with `LEASE_LOST` once the attempt is over. */
  restore(): Promise<unknown> {
    return this.#ask('restore')
  }

  /** The worker has answered. */
  hear({ call, text, error, jobId, fence }: Answer): void {
    if (jobId !== this.#of.jobId || fence !== this.#of.fence) return
    const open = this.#open.get(call)
    this.#open.delete(call)
    if (error !== undefined) open?.reject(fromWire(error))
    else open?.resolve(text === undefined ? undefined : fromJson(text))
  }

  /** The attempt is over: what it has left running is told so, now where it waits for an answer, else when it asks. */
  close(): void {
    this.#isClosed = true
    for (const open of this.#open.values()) open.reject(endedError(this.#of))
    this.#open.clear()
  }

  async #ask(verb: CallMessage['verb'], text?: () => string): Promise<unknown> {
    if (this.#isClosed) throw endedError(this.#of)
    const call = ++this.#last
    const asked = text?.()
    const open = Promise.withResolvers<unknown>()
    this.#open.set(call, open)
    this.#send({ kind: 'call', ...this.#of, call, verb, ...(asked !== undefined && { text: asked }) })
    return open.promise
  }
}

/** Does in the worker what a handler has asked for, and gives the answer. What another attempt asks is refused. */
export async function answerCall(job: RunningJob, { call, verb, text, jobId, fence }: CallMessage): Promise<Answer> {
  const answer = { kind: 'answer', jobId, fence, call } as const
  try {
    if (jobId !== job.id || fence !== job.fence) throw endedError({ jobId, fence })
    if (verb === 'checkpoint') {
      await job.checkpoint(text === undefined ? undefined : fromJson(text))
      return answer
    }
    const value = await job.restore()
    return { ...answer, ...(value !== undefined && { text: toJson(value, CHANNEL_LIMITS, 'checkpoint') }) }
  } catch (error) {
    return { ...answer, error: toWire(error) }
  }
}

function endedError({ jobId, fence }: AttemptId): MillraceError {
  const error = new MillraceError(
    'LEASE_LOST',
    `this attempt of job ${jobId} has ended: what its handler has left running keeps no checkpoint and reads none`,
    { fields: { id: jobId, fence }, hint: 'Await everything before the handler ends, also when a part of it fails.' },
  )
  tooLate.add(error)
  return error
}
