/**
 * Waiting for results: one watcher for all `job.result()` calls of a client. It looks when a worker of this process
 * settles something, when the store hints at a commit of another process, and at a poll beneath (25 ms growing to 250 ms).
 */
import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { JobRow, Store } from '../store/contract/index.ts'

interface Wait {
  readonly resolve: (row: JobRow) => void
  readonly reject: (error: unknown) => void
}

const FIRST_POLL_MS = 25
const LAST_POLL_MS = 250

export class ResultWaiter {
  readonly #store: Store
  readonly #clock: Clock
  readonly #waits = new Map<string, Set<Wait>>()
  #unsubscribe: (() => void) | undefined
  #cancelPoll: (() => void) | undefined
  #pollMs = FIRST_POLL_MS
  #isLooking = false
  #lookAgain = false

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Resolves with the finished row. Rejects `WAIT_TIMEOUT` after `timeoutMs`, `JOB_NOT_FOUND` when there is no such job. */
  async wait(id: string, timeoutMs: number | undefined): Promise<JobRow> {
    const row = await this.#store.jobs.get(id)
    if (row === null) throw notFound(id)
    if (row.finishedAt !== null) return row
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        cancelTimeout?.()
        const set = this.#waits.get(id)
        set?.delete(wait)
        if (set?.size === 0) this.#waits.delete(id)
        if (this.#waits.size === 0) this.#rest()
        settle()
      }
      const wait: Wait = {
        resolve: (finished) => done(() => resolve(finished)),
        reject: (error) => done(() => reject(error)),
      }
      // A caller awaits this: the process must stay alive for it, so this timer is not an unreferenced one of the clock.
      const timer =
        timeoutMs === undefined
          ? setInterval(() => {}, 60_000)
          : setTimeout(() => wait.reject(timedOut(id, timeoutMs)), timeoutMs)
      const cancelTimeout: (() => void) | undefined = () => clearTimeout(timer)
      this.#waits.set(id, (this.#waits.get(id) ?? new Set()).add(wait))
      this.#watch()
    })
  }

  /** Looks now: something was settled in this process. */
  hint(): void {
    if (this.#waits.size > 0) void this.#look()
  }

  close(): void {
    for (const set of [...this.#waits.values()]) {
      for (const wait of [...set])
        wait.reject(new MillraceError('CLOSED', 'the client was closed while it waited for a result'))
    }
    this.#rest()
  }

  #watch(): void {
    this.#unsubscribe ??= this.#store.wake.subscribe(() => this.hint())
    this.#pollMs = FIRST_POLL_MS
    this.#poll()
  }

  #poll(): void {
    this.#cancelPoll?.()
    this.#cancelPoll = this.#clock.after(this.#pollMs, () => {
      this.#pollMs = Math.min(LAST_POLL_MS, this.#pollMs * 2)
      void this.#look().finally(() => {
        if (this.#waits.size > 0) this.#poll()
      })
    })
  }

  #rest(): void {
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    this.#cancelPoll?.()
    this.#cancelPoll = undefined
  }

  async #look(): Promise<void> {
    this.#lookAgain = true
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      while (this.#lookAgain) {
        this.#lookAgain = false
        const ids = [...this.#waits.keys()].slice(0, 1000)
        for (const row of await this.#store.jobs.finished(ids)) {
          for (const wait of [...(this.#waits.get(row.id) ?? [])]) wait.resolve(row)
        }
      }
    } catch (error) {
      // A store that is away is no answer: the poll asks again until the caller's own timeout.
      if (error instanceof MillraceError && error.code === 'STORE_CLOSED') this.close()
    } finally {
      this.#isLooking = false
    }
  }
}

export function notFound(id: string): MillraceError {
  return new MillraceError('JOB_NOT_FOUND', `no job has the id ${id}`, {
    fields: { id },
    hint: 'It may have been pruned after its retention time, or it lives in another store.',
  })
}

function timedOut(id: string, timeoutMs: number): MillraceError {
  return new MillraceError('WAIT_TIMEOUT', `the job ${id} did not finish within ${timeoutMs} ms`, {
    fields: { id, timeoutMs },
    hint: 'Ask mill.why(id) what it waits for.',
  })
}
