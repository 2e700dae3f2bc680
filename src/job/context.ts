/** What a handler is given beside its input. */
import type { Duration } from '../core/duration.ts'
import type { LogLevel } from '../core/job/log-level.ts'

/** The running attempt, as its handler sees it. `Result` is what the definition's output takes. */
export interface JobContext<Result = unknown> {
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
  /**
   * Keeps a value for the next attempt, in place of the one before. Resolves when it is in the store, sealed when keys are set; it
   * goes with the job. For long work: what a crash, a timeout or a restart has interrupted goes on from there. Rejects with
   * `LEASE_LOST` when the job is another attempt's by now, and when the value is no JSON or larger than a payload may be.
   */
  checkpoint(value: unknown): Promise<void>
  /** The value that this job's last checkpoint kept, whichever attempt wrote it; undefined when there is none. */
  restore(): Promise<unknown>
  /**
   * Completes this attempt inside your own open transaction on the store's database: what you wrote and the completion commit
   * together, or neither does. `tx` is what `enqueue` takes. Resolves when it is written; it is final at your commit, and what
   * the handler returns or throws after that changes nothing. Rolled back, the attempt is settled by how the handler ends.
   * Rejects with `LEASE_LOST` when the job is another attempt's by now, and with `RESULT_INVALID`: let your transaction be
   * rolled back.
   */
  completeIn(tx: unknown, ...result: undefined extends Result ? [result?: Result] : [result: Result]): Promise<void>
  /** Ends this attempt and runs the job again after `delay`; no attempt is spent. Never returns: it throws. */
  snooze(delay: Duration): never
}

/** Does the work of one kind of job. May be asynchronous or not. */
export type Handler<Input, Result, Completed = unknown> = (
  input: Input,
  job: JobContext<Completed>,
) => Promise<Result> | Result

/** Runs around every handler; `next` goes on inwards and resolves with the result. */
export type Middleware = (job: JobContext, next: () => Promise<unknown>) => Promise<unknown>
