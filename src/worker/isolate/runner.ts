/**
 * Inside an isolate: runs one attempt at a time. Whatever is user code is run here: the module of the handler, its upgrades and
 * schemas, the handler itself, and the getters and `toJSON` of what it returns or throws.
 *
 * Before the end is told, the event loop has one turn more, and requests that the handler left under way have a moment, so that a
 * rejection nobody handled, or an exception in what the handler left running, is this attempt's end and not the next one's.
 */
import { fromJson, toJson } from '../../codec/json.ts'
import { flowOf } from '../../job/control-flow.ts'
import type { BoundHandler } from '../../job/handle.ts'
import { prepareInput } from '../../job/prepare-input.ts'
import { validate } from '../../job/schema.ts'
import { collectAll } from '../memory.ts'
import { Calls, CHANNEL_LIMITS, isTooLate } from './calls.ts'
import { IsolatedJob } from './isolated-job.ts'
import { leftSince, type Resources, requestsEnded, resourcesNow } from './leftovers.ts'
import { Loader } from './loader.ts'
import type { FromIsolate, IsolatedEnd, RunMessage, Send, ToIsolate } from './message.ts'
import { Outbox } from './outbox.ts'
import { heapUse, Wear } from './wear.ts'
import { toWire } from './wire-error.ts'

/** An end with the JSON text of its result. */
interface Told {
  readonly end: IsolatedEnd
  readonly body: string
}

/** Runs the attempts of one isolate. */
export class Runner {
  readonly #loader = new Loader()
  readonly #wear = new Wear()
  #job: IsolatedJob | undefined
  #outbox: Outbox | undefined
  #calls: Calls | undefined
  #send: Send<FromIsolate> | undefined
  #before: Resources = new Map()
  /** An error that nothing caught was told: its worker ends this isolate. */
  #isDoomed = false

  /** From here on an error that nothing caught is told to the worker, which ends this isolate. */
  catchAll(): void {
    process.on('uncaughtException', (error, origin) => {
      // An earlier attempt's, which was told that it has ended.
      if (isTooLate(error)) return
      this.#isDoomed = true
      this.#outbox?.flush()
      const what = origin === 'unhandledRejection' ? 'rejection' : 'exception'
      this.#send?.({ kind: 'fatal', what, error: toWire(error) })
    })
  }

  /** Runs an attempt. Resolves with its end, which is not sent yet; what it tells before goes by `send`. */
  async run(
    { job: facts, version, entry, memoryMib }: RunMessage,
    input: string,
    send: Send<FromIsolate>,
  ): Promise<{ readonly message: FromIsolate; readonly body: string }> {
    const outbox = new Outbox(send)
    const calls = new Calls(facts, send)
    const job = new IsolatedJob(facts, outbox, calls)
    this.#send = send
    this.#outbox = outbox
    this.#calls = calls
    this.#job = job
    this.#before = resourcesNow()
    const { end, body } = await this.#attempt(job, { version, entry, memoryMib }, input)
    // What it has left running hears of it in that turn.
    calls.close()
    await new Promise(setImmediate)
    await requestsEnded(this.#before)
    // That was its end. A thread whose task ended as well would be taken for one that is free, and outlive the order to end.
    if (this.#isDoomed) await new Promise<never>(() => {})
    outbox.flush()
    job.isOver = true
    // A module that could not be loaded stays so in this isolate.
    const left = end.kind === 'entry' ? ['entry'] : leftSince(this.#before, job.signal.aborted)
    const isLookDue = left.length === 0 && this.#wear.isLookDue(performance.now())
    const isCollecting = isLookDue && this.#wear.isCollectionDue(heapUse())
    return { message: { kind: 'done', end, left, isCollecting }, body }
  }

  /** Collects garbage. */
  collect(): void {
    collectAll()
    this.#wear.look(heapUse())
  }

  /** The same with no attempt under way. Whether its jobs have left so much here that this isolate should not be used again. */
  isWornOut(): boolean {
    collectAll()
    return this.#wear.isWornOut(heapUse())
  }

  /** What its jobs had left here when it was last looked, after attempts and collections: in bytes, beyond the loaded code. */
  get leftBytes(): number {
    return this.#wear.leftBytes
  }

  /** What the worker says about the attempt under way. */
  hear(message: ToIsolate): void {
    if (message.kind === 'abort') this.#job?.abort(message.why)
    if (message.kind === 'answer') this.#calls?.hear(message)
  }

  async #attempt(
    job: IsolatedJob,
    { version, entry, memoryMib }: Pick<RunMessage, 'version' | 'entry' | 'memoryMib'>,
    text: string,
  ): Promise<Told> {
    const failed = (kind: 'payloadInvalid' | 'resultInvalid' | 'entry', error: unknown): Told => ({
      end: { kind, error: toWire(error) },
      body: '',
    })
    let handler: BoundHandler
    try {
      handler = await this.#find(job.name, entry, memoryMib)
    } catch (error) {
      return failed('entry', error)
    }
    let input: unknown
    try {
      input = await prepareInput(handler.definition, version, fromJson(text))
    } catch (error) {
      return failed('payloadInvalid', error)
    }
    let value: unknown
    try {
      job.signal.throwIfAborted()
      this.#before = resourcesNow()
      this.#send?.({ kind: 'began' })
      value = await handler.run(input, job)
    } catch (error) {
      const flow = flowOf(error)
      const { isRefused } = job
      return { end: { kind: 'threw', error: toWire(error), isRefused, ...(flow !== undefined && { flow }) }, body: '' }
    }
    try {
      await validate(handler.definition.output, value, 'RESULT_INVALID', job.name)
      return { end: { kind: 'returned' }, body: toJson(value, CHANNEL_LIMITS, 'result') }
    } catch (error) {
      return failed('resultInvalid', error)
    }
  }

  async #find(name: string, entry: readonly string[], memoryMib: number | undefined): Promise<BoundHandler> {
    const before = this.#loader.has(name) ? undefined : heapUse()
    const handler = await this.#loader.find(name, entry)
    if (before !== undefined) this.#wear.loaded(before, memoryMib)
    return handler
  }
}
