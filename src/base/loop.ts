/**
 * A supervised loop: runs a step again and again, sleeping as long as the step says, never two at a time. A step that throws
 * is told and tried again after a back-off; the loop itself never dies, so no background duty can stop unseen.
 */
import type { Clock } from './clock.ts'
import type { Service } from './service.ts'

/** What a loop does and how it is told of failures. */
export interface LoopOptions {
  readonly clock: Clock
  /** Does one round and returns how many milliseconds to sleep before the next. */
  readonly step: () => Promise<number>
  readonly onError: (error: unknown) => void
  /** Sleep after a failed round, default 1,000 ms, doubling up to `longestRetryMs`. */
  readonly retryMs?: number
  /** Default 30 s. */
  readonly longestRetryMs?: number
}

/** A loop that is late, and by how much. */
export type LateLoop = readonly [loop: string, lateMs: number]

/** Those of the loops, by their names, that are later than is allowed. */
export function lateLoops(
  loops: Readonly<Record<string, Pick<Loop, 'lateMs'>>>,
  allowedMs: number,
): readonly LateLoop[] {
  return Object.entries(loops).flatMap(([name, { lateMs }]) => (lateMs > allowedMs ? [[name, Math.round(lateMs)]] : []))
}

const MAX_RETRY_MS = 30_000

/** A duty that runs until it is stopped. */
export class Loop implements Service {
  readonly #options: LoopOptions
  #isRunning = false
  #again = false
  #isStopped = true
  #failures = 0
  #cancelSleep: (() => void) | undefined
  #round: Promise<void> = Promise.resolve()
  /** Monotonic ms at which the round under way began, or the next one is due. */
  #since = 0

  constructor(options: LoopOptions) {
    this.#options = options
  }

  /** Begins with a round after `firstAfterMs`. */
  start(firstAfterMs = 0): void {
    this.#isStopped = false
    this.#sleep(firstAfterMs)
  }

  /** Runs a round now, or in `withinMs`, instead of sleeping on; during a round, one more after it. */
  wake(withinMs = 0): void {
    if (this.#isStopped) return
    if (this.#isRunning) this.#again = true
    else this.#sleep(withinMs)
  }

  /** How long the round under way has lasted, or the next one is overdue; 0 while it rests as it should. */
  get lateMs(): number {
    return this.#isStopped ? 0 : Math.max(0, this.#options.clock.monotonic() - this.#since)
  }

  /** Ends after the round under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#cancelSleep?.()
    this.#cancelSleep = undefined
    await this.#round
  }

  #sleep(ms: number): void {
    this.#cancelSleep?.()
    this.#since = this.#options.clock.monotonic() + ms
    this.#cancelSleep = this.#options.clock.after(ms, () => {
      this.#round = this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    this.#again = false
    this.#since = this.#options.clock.monotonic()
    let ms: number
    try {
      ms = await this.#options.step()
      this.#failures = 0
    } catch (error) {
      const { retryMs = 1000, longestRetryMs = MAX_RETRY_MS } = this.#options
      ms = Math.min(longestRetryMs, retryMs * 2 ** this.#failures++)
      if (!this.#isStopped) this.#options.onError(error)
    }
    this.#isRunning = false
    if (!this.#isStopped) this.#sleep(this.#again ? 0 : ms)
  }
}
