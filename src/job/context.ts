/** What a handler is given beside its input. */
import type { Duration } from '../core/duration.ts'
import type { LogLevel } from '../core/job/log-level.ts'

/** The running attempt, as its handler sees it. */
export interface JobContext {
  readonly id: string
  readonly name: string
  readonly queue: string
  readonly priority: number
  /** 1 for the first attempt. */
  readonly attempt: number
  readonly tags: readonly string[]
  /** When the job was enqueued. */
  readonly createdAt: Date
  /** Changes with every claim: a fencing token for stores outside this one (they refuse a lower number). */
  readonly fence: number
  /** Aborts at the timeout, on cancellation, when the lease is lost, and when the worker stops for good. */
  readonly signal: AbortSignal
  /** Records how far the work is, 0 to 1, with an optional note. Written at most a few times a second. */
  progress(fraction: number, note?: string): void
  /** Adds a line to the job's log. The newest 1,000 of a job are kept. */
  log(message: string, level?: LogLevel): void
  /** Ends this attempt and runs the job again after `delay`; no attempt is spent. Never returns: it throws. */
  snooze(delay: Duration): never
}

/** Does the work of one kind of job. May be asynchronous or not. */
export type Handler<Input, Result> = (input: Input, job: JobContext) => Promise<Result> | Result

/** Runs around every handler; `next` goes on inwards and resolves with the result. */
export type Middleware = (job: JobContext, next: () => Promise<unknown>) => Promise<unknown>
