/** What a handler in an isolate asks of its worker while it runs: checkpoints, which are the store's. */
import { fromJson, toJson } from '../../codec/json.ts'
import type { RunningJob } from '../running-job.ts'
import type { CallMessage, FromIsolate, Send, ToIsolate } from './message.ts'
import { fromWire, toWire } from './wire-error.ts'

/** The worker holds a value to its own limits when it seals it; these only keep a channel from being flooded. */
export const CHANNEL_LIMITS = {
  maxBytes: 64 * 2 ** 20,
  maxDepth: 1_000,
  maxKeys: 10_000_000,
  maxString: 64 * 2 ** 20,
} as const

type Answer = Extract<ToIsolate, { readonly kind: 'answer' }>

/** The calls of one attempt, inside its isolate. */
export class Calls {
  readonly #send: Send<FromIsolate>
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>()
  #last = 0

  constructor(send: Send<FromIsolate>) {
    this.#send = send
  }

  checkpoint(value: unknown): Promise<unknown> {
    return this.#ask('checkpoint', toJson(value, CHANNEL_LIMITS, 'checkpoint'))
  }

  restore(): Promise<unknown> {
    return this.#ask('restore')
  }

  /** The worker has answered. */
  hear({ call, text, error }: Answer): void {
    const open = this.#open.get(call)
    this.#open.delete(call)
    if (error !== undefined) open?.reject(fromWire(error))
    else open?.resolve(text === undefined ? undefined : fromJson(text))
  }

  #ask(verb: CallMessage['verb'], text?: string): Promise<unknown> {
    const call = ++this.#last
    const open = Promise.withResolvers<unknown>()
    this.#open.set(call, open)
    this.#send({ kind: 'call', call, verb, ...(text !== undefined && { text }) })
    return open.promise
  }
}

/** Does in the worker what a handler has asked for, and gives the answer. */
export async function answerCall(job: RunningJob, { call, verb, text }: CallMessage): Promise<Answer> {
  try {
    if (verb === 'checkpoint') {
      await job.checkpoint(text === undefined ? undefined : fromJson(text))
      return { kind: 'answer', call }
    }
    const value = await job.restore()
    return { kind: 'answer', call, ...(value !== undefined && { text: toJson(value, CHANNEL_LIMITS, 'checkpoint') }) }
  } catch (error) {
    return { kind: 'answer', call, error: toWire(error) }
  }
}
