/** The running attempt as its handler sees it inside an isolate. */
import type { Duration } from '../../core/duration.ts'
import { MillraceError } from '../../core/errors.ts'
import type { LogLevel } from '../../core/job/log-level.ts'
import type { JobContext } from '../../job/context.ts'
import { Snooze } from '../../job/control-flow.ts'
import { type AbortWhy, reasonOf } from '../running-job.ts'
import type { Calls } from './calls.ts'
import type { JobFacts } from './message.ts'
import type { Outbox } from './outbox.ts'

/** An attempt inside an isolate. */
export class IsolatedJob implements JobContext {
  readonly id: string
  readonly name: string
  readonly queue: string
  readonly priority: number
  readonly attempt: number
  readonly tags: readonly string[]
  readonly createdAt: Date
  readonly fence: number
  readonly #outbox: Outbox
  readonly #calls: Calls
  readonly #controller = new AbortController()
  /** Its end has been told: what the handler still says is no longer this job's. */
  isOver = false
  /** It has asked for what no isolate has. */
  isRefused = false

  constructor(facts: JobFacts, outbox: Outbox, calls: Calls) {
    this.id = facts.id
    this.name = facts.name
    this.queue = facts.queue
    this.priority = facts.priority
    this.attempt = facts.attempt
    this.tags = facts.tags
    this.createdAt = new Date(facts.createdAt)
    this.fence = facts.fence
    this.#outbox = outbox
    this.#calls = calls
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  progress(fraction: number, note?: string): void {
    if (!this.isOver) this.#outbox.progress(fraction, note)
  }

  log(message: string, level: LogLevel = 'info'): void {
    if (!this.isOver) this.#outbox.log(message, level)
  }

  checkpoint(value: unknown): Promise<void> {
    return this.#calls.checkpoint(value)
  }

  restore(): Promise<unknown> {
    return this.#calls.restore()
  }

  async completeIn(): Promise<void> {
    this.isRefused = true
    throw new MillraceError(
      'ISOLATE_REFUSED',
      'job.completeIn cannot be called in an isolate: your transaction is here, and the store is with the worker',
      { hint: "Define this job with isolate: 'none'." },
    )
  }

  snooze(delay: Duration): never {
    throw new Snooze(delay)
  }

  /** Tells the handler to stop. */
  abort(why: AbortWhy): void {
    this.#controller.abort(reasonOf(why))
  }
}
