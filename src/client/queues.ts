/** Queues as a client sees them: what waits, pausing, clearing. */
import type { Telemetry } from '../base/telemetry.ts'
import { MillraceError } from '../core/errors.ts'
import { checkQueue } from '../core/job/limits.ts'
import type { JobState } from '../core/job/state.ts'
import { checkOptions } from '../core/options.ts'
import type { QueueInfo, QueueStats, Store } from '../store/contract/index.ts'
import { oneOf } from './arguments.ts'
import { whoAmI } from './who.ts'

/** Who pauses and why; shown wherever the queue is. */
export interface PauseOptions {
  readonly by?: string
  readonly reason?: string
}

/** States in which a job may be cleared. */
const WAITING: readonly JobState[] = ['blocked', 'scheduled', 'pending', 'retrying']

/** The queues of a client: `mill.queues`. */
export class Queues {
  readonly #store: Store
  readonly #telemetry: Telemetry

  constructor(store: Store, telemetry: Telemetry) {
    this.#store = store
    this.#telemetry = telemetry
  }

  /** Every queue with live jobs or settings, by name. */
  list(): Promise<readonly QueueInfo[]> {
    return this.#store.queues.list()
  }

  /** Depth, finished counts and waiting and run times. Throws `QUEUE_NOT_FOUND`. */
  async stats(queue: string): Promise<QueueStats> {
    const stats = await this.#store.queues.stats(queue)
    if (stats === null) throw await this.#unknown(queue)
    return stats
  }

  /** Stops claiming from the queue everywhere; running jobs go on. A queue that has no jobs yet can be paused ahead. */
  async pause(queue: string, options: PauseOptions = {}): Promise<void> {
    checkQueue(queue)
    checkOptions(options, ['by', 'reason'], 'pause')
    const by = options.by ?? whoAmI()
    await this.#store.queues.pause(queue, by, options.reason ?? '')
    this.#telemetry.emit('queue.paused', { queue, by, reason: options.reason ?? '' })
  }

  /** Lets the queue be claimed from again. Throws `QUEUE_NOT_FOUND` when neither jobs nor settings name it. */
  async resume(queue: string): Promise<void> {
    await this.stats(queue)
    await this.#store.queues.resume(queue)
    this.#telemetry.emit('queue.resumed', { queue })
  }

  /**
   * Deletes the waiting jobs of a queue (default: pending, scheduled and retrying), in bounded steps. Returns how many. Throws
   * `QUEUE_NOT_FOUND`, and `BULK_PARTIAL` with `fields.done` when a later step fails.
   */
  async clear(
    queue: string,
    options: { readonly states?: readonly JobState[]; readonly onProgress?: (removed: number) => void } = {},
  ): Promise<number> {
    checkOptions(options, ['states', 'onProgress'], 'clear')
    const states = (options.states ?? ['pending', 'scheduled', 'retrying']).map((s) => oneOf(s, 'states', WAITING))
    await this.stats(queue)
    let removed = 0
    for (;;) {
      const step = await this.#store.queues.clear(queue, states, 500).catch((error: unknown) => {
        throw removed === 0 ? error : stopped(queue, removed, error)
      })
      removed += step
      if (step === 0) return removed
      options.onProgress?.(removed)
    }
  }

  async #unknown(queue: string): Promise<MillraceError> {
    const names = (await this.list()).map((info) => info.name)
    return new MillraceError('QUEUE_NOT_FOUND', `no queue is called ${JSON.stringify(queue)}`, {
      fields: { queue, queues: names },
      hint:
        names.length === 0
          ? 'There are no queues yet: they appear with their first job.'
          : `There are: ${names.slice(0, 10).join(', ')}.`,
    })
  }
}

function stopped(queue: string, removed: number, cause: unknown): MillraceError {
  const why = cause instanceof Error ? `: ${cause.message}` : ''
  return new MillraceError('BULK_PARTIAL', `stopped after ${removed} jobs of ${queue} were deleted${why}`, {
    fields: { queue, done: removed },
    hint: 'Call it again to delete the rest.',
    cause,
  })
}
