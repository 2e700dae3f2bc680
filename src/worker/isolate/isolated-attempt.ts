/**
 * One attempt in an isolate, as its worker sees it: it waits for room, is handed over, begins, and ends once: by what the isolate
 * says, or by the isolate's end. An isolate that is gone before the handler began has done the job no harm, nor the job it: the
 * attempt is handed to another, a few times.
 */
import { fromJson } from '../../codec/json.ts'
import { MillraceError } from '../../core/errors.ts'
import { Discard, RetryAfter, Snooze } from '../../job/control-flow.ts'
import { type RunningJob, reasonOf } from '../running-job.ts'
import { answerCall } from './calls.ts'
import { crashOf, type IsolateDeath, IsolateError } from './isolate-error.ts'
import type { FromIsolate, IsolatedEnd, RunMessage } from './message.ts'
import type { HeldIsolate, Pool } from './pool.ts'
import { dressed, fromWire, messageOf, type WireError } from './wire-error.ts'

/** What one attempt needs. */
export interface IsolatedAttemptParts {
  readonly job: RunningJob
  readonly in: 'thread' | 'process'
  readonly memoryMib: number | undefined
  readonly entry: readonly string[]
  /** JSON text, or nothing for `undefined`. */
  readonly input: string
  /** The handler begins now. */
  readonly onBegan: (job: RunningJob) => void
  /** It has left its isolate, or never had one: there is room for another. */
  readonly onLeft: () => void
  /** It is here only since its job has crashed, and needs what no isolate has: it does not count. */
  readonly onRefused?: (() => void) | undefined
}

const MOST_STARTS = 3

/** An attempt in an isolate. */
export class IsolatedAttempt {
  readonly #parts: IsolatedAttemptParts
  readonly #done = Promise.withResolvers<unknown>()
  #pool: Pool | undefined
  #isolate: HeldIsolate | undefined
  #starts = 0
  #hasBegun = false
  #isOver = false

  constructor(parts: IsolatedAttemptParts) {
    this.#parts = parts
    const { signal } = parts.job
    signal.addEventListener('abort', () => this.#aborted(), { once: true })
  }

  get job(): RunningJob {
    return this.#parts.job
  }

  /** How the handler ended: its result, or what it threw. */
  get done(): Promise<unknown> {
    return this.#done.promise
  }

  /** It waits for room no longer: it ended meanwhile. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** There is room. */
  begin(pool: Pool): void {
    this.#pool = pool
    this.#start(pool)
  }

  /** Ends the isolate; `done` rejects once it is gone. */
  kill(): void {
    if (this.#isolate === undefined) this.fail(this.#killed())
    else this.#isolate.kill()
  }

  /** There will be no room for it. */
  fail(error: unknown): void {
    this.#end(() => this.#done.reject(error))
  }

  #start(pool: Pool): void {
    const { job, memoryMib, entry, input } = this.#parts
    this.#starts++
    const { id, name, queue, priority, attempt, tags, claimed } = job
    const message: RunMessage = {
      kind: 'run',
      job: { id, name, queue, priority, attempt, tags, createdAt: claimed.createdAt, fence: claimed.epoch },
      version: claimed.version,
      entry,
      memoryMib,
    }
    try {
      this.#isolate = pool.begin(message, input, memoryMib, {
        onMessage: (heard, body) => this.#heard(heard, body),
        onGone: (death) => this.#gone(death),
      })
    } catch (error) {
      this.fail(error)
    }
  }

  #heard(message: FromIsolate, body: string): void {
    const { job, onBegan } = this.#parts
    if (this.#isOver) return
    if (message.kind === 'began') {
      this.#hasBegun = true
      onBegan(job)
    } else if (message.kind === 'news') {
      for (const [level, line] of message.logs) job.log(line, level)
      if (message.progress !== undefined || message.note !== undefined)
        job.progress(message.progress ?? Number.NaN, message.note)
    } else if (message.kind === 'call') {
      void answerCall(job, message).then((answer) => {
        // Another attempt may have its isolate by now.
        if (!this.#isOver) this.#isolate?.send(answer)
      })
    } else if (message.kind === 'done') this.#end(() => this.#settle(message.end, body))
  }

  #settle(end: IsolatedEnd, body: string): void {
    const { onRefused } = this.#parts
    if (end.kind === 'returned') this.#done.resolve(fromJson(body))
    else if (end.kind === 'threw' && end.isRefused === true && onRefused !== undefined) {
      onRefused()
      this.#done.reject(
        dressed(new IsolateError('ISOLATE_REFUSED', messageOf(end.error), { kind: 'released' }), end.error),
      )
    } else this.#done.reject(errorOf(end))
  }

  #gone(death: IsolateDeath | 'worn' | undefined): void {
    if (this.#isOver) return
    const { job, memoryMib } = this.#parts
    if (death === 'worn') {
      // It never had that one.
      this.#starts--
      if (job.aborted === undefined && this.#pool !== undefined) this.#start(this.#pool)
      else this.fail(reasonOf(job.aborted ?? 'stopping'))
      return
    }
    if (death === undefined) {
      this.fail(this.#killed())
      return
    }
    const mayStart = !this.#hasBegun && this.#starts < MOST_STARTS && job.aborted === undefined
    if (mayStart && this.#pool !== undefined) this.#start(this.#pool)
    else {
      const crash = crashOf(death, { in: this.#parts.in, memoryMib, hasBegun: this.#hasBegun })
      this.fail(crash)
    }
  }

  #aborted(): void {
    const { aborted } = this.#parts.job
    if (this.#isOver || aborted === undefined) return
    if (this.#isolate === undefined) this.fail(reasonOf(aborted))
    else this.#isolate.send({ kind: 'abort', why: aborted })
  }

  #end(settle: () => void): void {
    if (this.#isOver) return
    this.#isOver = true
    settle()
    this.#parts.onLeft()
  }

  #killed(): Error {
    const { job } = this.#parts
    const text =
      job.aborted === 'timeout'
        ? `ran longer than its timeout of ${job.timeoutMs} ms`
        : job.aborted === 'cancelled'
          ? 'was cancelled'
          : 'was to stop'
    const name = job.aborted === 'timeout' ? 'TimeoutError' : 'AbortError'
    return new DOMException(`the job ${text} and ignored its signal; its ${this.#parts.in} was killed`, name)
  }
}

function errorOf(end: Exclude<IsolatedEnd, { readonly kind: 'returned' }>): unknown {
  const { error } = end
  switch (end.kind) {
    case 'threw':
      return end.flow === undefined ? fromWire(error) : flowError(end.flow, error)
    case 'payloadInvalid':
      return dressed(new IsolateError('PAYLOAD_INVALID', messageOf(error), { kind: 'payloadInvalid' }), error)
    case 'resultInvalid':
      return dressed(new IsolateError('RESULT_INVALID', messageOf(error), { kind: 'resultInvalid' }), error)
    case 'entry':
      return dressed(new MillraceError('ISOLATE_ENTRY', messageOf(error)), error)
    default:
      return end satisfies never
  }
}

/** What steers the attempt, made anew here, with the words and the stack that it had. */
function flowError(
  flow: { readonly kind: 'discard' } | { readonly kind: 'retryAfter' | 'snooze'; readonly delayMs: number },
  error: WireError,
): Error {
  if (flow.kind === 'discard') return dressed(new Discard(messageOf(error)), error)
  return dressed(
    flow.kind === 'snooze' ? new Snooze(flow.delayMs) : new RetryAfter(flow.delayMs, messageOf(error)),
    error,
  )
}
