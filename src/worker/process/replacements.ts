/** When workers of a node are replaced: one at a time, and on few cores with rests between, so that starts leave these to the jobs. */
import type { Clock } from '../../base/clock.ts'
import { restAfterMs } from '../../core/process/restart.ts'
import type { WorkerProcess } from './worker-process.ts'

/** How long a successor works beside its predecessor: its code runs at full speed then, and what kills it at once shows. */
const BESIDE_MS = 1_000

/** The replacement under way, and behind it those that wait. */
export class Replacements {
  readonly #clock: Clock
  readonly #cores: number
  #last: Promise<unknown> = Promise.resolve()
  /** Monotonic ms until which workers are left alone. */
  #restUntil = 0
  #endRest: (() => void) | undefined
  #isStopped = false

  constructor(clock: Clock, cores: number) {
    this.#clock = clock
    this.#cores = cores
  }

  /** Calls `replace` in its turn, when the cores have made up for the start before. It must not reject. */
  next(replace: () => Promise<boolean>): Promise<boolean> {
    const turn = this.#last.then(() => this.#rest()).then(replace)
    this.#last = turn
    return turn
  }

  /** Whether a successor still works after a while beside its predecessor, or after the end of that. */
  async worksBeside(next: WorkerProcess, before: WorkerProcess): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#clock.after(BESIDE_MS, resolve)
    await Promise.race([promise, before.ended, next.ended])
    cancel()
    return next.state !== 'ended'
  }

  /** A worker was replaced whose successor took so long to begin. */
  replaced(startMs: number): void {
    this.#restUntil = this.#clock.monotonic() + restAfterMs(startMs, this.#cores)
  }

  /** The next one comes without a rest; one that is under way is over. */
  hurry(): void {
    this.#restUntil = 0
    this.#endRest?.()
  }

  /** Nobody rests from now on. */
  stop(): void {
    this.#isStopped = true
    this.#endRest?.()
  }

  #rest(): Promise<void> {
    const restMs = this.#restUntil - this.#clock.monotonic()
    if (restMs <= 0 || this.#isStopped) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = this.#clock.after(restMs, resolve)
      this.#endRest = () => {
        cancel()
        resolve()
      }
    })
  }
}
