/** One attempt under way: the context its handler sees, and what the worker knows of it. */
import { INLINE_BYTES } from '../core/batch.ts'
import type { Duration } from '../core/duration.ts'
import type { LogLevel } from '../core/job/log-level.ts'
import type { JobContext } from '../job/context.ts'
import { Snooze } from '../job/control-flow.ts'
import type { BoundHandler } from '../job/handle.ts'
import type { ClaimedJob } from '../store/contract/index.ts'

/** Why an attempt was told to stop. */
export type AbortWhy = 'timeout' | 'cancelled' | 'lease-lost' | 'stopping'

/** What the attempt sends out while it runs. */
export interface Outlet {
  progress(job: RunningJob, fraction: number, note: string | undefined): void
  log(job: RunningJob, message: string, level: LogLevel): void
  completeIn(job: RunningJob, tx: unknown, result: unknown): Promise<void>
  checkpoint(job: RunningJob, value: unknown): Promise<void>
  restore(job: RunningJob): Promise<unknown>
}

/** One attempt at work: what its handler sees, and what stops it. */
export class RunningJob implements JobContext {
  readonly claimed: ClaimedJob
  readonly handler: BoundHandler
  readonly timeoutMs: number
  readonly #outlet: Outlet
  readonly #isLarge: boolean
  #controller: AbortController | undefined
  /** Monotonic ms at which the handler began; 0 before. */
  startedAt = 0
  /** Monotonic ms at which its signal aborts for time. */
  deadline = 0
  /** Monotonic ms at which a worker that hears nothing from the store must let the job go. */
  leaseEnd: number
  aborted: AbortWhy | undefined
  /** Monotonic ms of the abort: the grace counts from here. */
  abortedAt = 0
  /** Settled or given up: whatever the handler still does is no longer this job's. */
  isOver = false
  /** What is known of a completion in a transaction of the handler's own. */
  completion: 'none' | 'unknown' | 'committed' = 'none'
  /** How often one was written. */
  completions = 0
  /** It has written to its log. */
  hasLogged = false
  /** It has left something for the next attempt. */
  hasCheckpoint = false
  /** A completion is being written now. */
  isCompleting = false
  /** Where it stands in the list of what runs here; -1: nowhere. See process/running-list.ts. */
  place = -1

  constructor(
    claimed: ClaimedJob,
    handler: BoundHandler,
    leaseEnd: number,
    outlet: Outlet,
    maxTimeoutMs = Number.POSITIVE_INFINITY,
  ) {
    this.claimed = claimed
    this.handler = handler
    this.timeoutMs = Math.min(claimed.timeoutMs ?? handler.definition.timeoutMs, maxTimeoutMs)
    this.leaseEnd = leaseEnd
    this.#outlet = outlet
    this.#isLarge = claimed.payload.byteLength > INLINE_BYTES
  }

  /** There is nothing of it in the store but a row, as far as is known here: no earlier attempt, no log line, no checkpoint, no large payload. */
  get isOnlyARow(): boolean {
    return this.claimed.epoch === 1 && !this.hasLogged && !this.hasCheckpoint && !this.#isLarge
  }

  get id(): string {
    return this.claimed.id
  }

  get name(): string {
    return this.claimed.name
  }

  get queue(): string {
    return this.claimed.queue
  }

  get priority(): number {
    return this.claimed.priority
  }

  get attempt(): number {
    return this.claimed.attempt
  }

  get tags(): readonly string[] {
    return this.claimed.tags
  }

  get createdAt(): Date {
    return new Date(this.claimed.createdAt)
  }

  get fence(): number {
    return this.claimed.epoch
  }

  /** Made when it is first asked for: most handlers never look. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.aborted !== undefined && !this.#controller.signal.aborted) this.#controller.abort(reasonOf(this.aborted))
    return this.#controller.signal
  }

  /** Lets the stored bytes go once the handler has its input: at full speed they are a third of what V8 copies at a scavenge. */
  dropPayload(): void {
    // The claimed job is this attempt's alone, and its bytes are read once.
    const claimed: { payload: Uint8Array } = this.claimed
    claimed.payload = NO_BYTES
  }

  progress(fraction: number, note?: string): void {
    if (!this.isOver) this.#outlet.progress(this, fraction, note)
  }

  log(message: string, level: LogLevel = 'info'): void {
    if (this.isOver) return
    this.hasLogged = true
    this.#outlet.log(this, message, level)
  }

  completeIn(tx: unknown, result?: unknown): Promise<void> {
    return this.#outlet.completeIn(this, tx, result)
  }

  checkpoint(value: unknown): Promise<void> {
    return this.#outlet.checkpoint(this, value)
  }

  restore(): Promise<unknown> {
    return this.#outlet.restore(this)
  }

  snooze(delay: Duration): never {
    throw new Snooze(delay)
  }

  /** Tells the handler to stop; the first reason stays. */
  abort(why: AbortWhy, now: number): void {
    if (this.aborted !== undefined) return
    this.aborted = why
    this.abortedAt = now
    this.#controller?.abort(reasonOf(why))
  }
}

const NO_BYTES = new Uint8Array(0)

/** What the signal of a job says when it aborts. */
export function reasonOf(why: AbortWhy): Error {
  return new DOMException(ABORT_TEXT[why], why === 'timeout' ? 'TimeoutError' : 'AbortError')
}

const ABORT_TEXT: Readonly<Record<AbortWhy, string>> = {
  timeout: 'the job ran longer than its timeout',
  cancelled: 'the job was cancelled',
  'lease-lost': 'the lease of the job was lost',
  stopping: 'the worker is stopping',
}
