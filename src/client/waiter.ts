/**
 * Waiting for results: one watcher for all `job.result()` calls of a client. It looks at one job when a worker of this
 * process settles it, at all when the store hints at a commit of another process, and at a poll beneath (25 ms growing to
 * 250 ms). One look is under way at a time: a store that does not answer is asked again only after it has, or has failed.
 */
import type { Clock } from '../base/clock.ts'
import type { Telemetry } from '../base/telemetry.ts'
import { MillraceError } from '../core/errors.ts'
import type { JobRow, Store } from '../store/contract/index.ts'

interface Wait {
  readonly resolve: (row: JobRow) => void
  readonly reject: (error: unknown) => void
}

const FIRST_POLL_MS = 25
const LAST_POLL_MS = 250
/** How many ids go in one call; with more waits they take turns. */
const MOST_IDS = 1000

/** The one watcher of a client. */
export class ResultWaiter {
  readonly #store: Store
  readonly #clock: Clock
  readonly #telemetry: Telemetry
  readonly #waits = new Map<string, Set<Wait>>()
  /** Jobs to look at next; everything when `#lookAtAll`. */
  #named = new Set<string>()
  #lookAtAll = false
  #subscriptions: readonly (() => void)[] = []
  #cancelPoll: (() => void) | undefined
  #pollMs = FIRST_POLL_MS
  #isLooking = false
  #polls = 0

  constructor(store: Store, clock: Clock, telemetry: Telemetry) {
    this.#store = store
    this.#clock = clock
    this.#telemetry = telemetry
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

  /** Rejects what waits; nothing is looked at any more. */
  close(): void {
    for (const set of [...this.#waits.values()]) {
      for (const wait of [...set])
        wait.reject(new MillraceError('CLOSED', 'the client was closed while it waited for a result'))
    }
    this.#rest()
  }

  #watch(): void {
    // Only while somebody waits: a worker whose events nobody hears need not make them.
    if (this.#subscriptions.length === 0) {
      this.#subscriptions = [
        this.#store.wake.subscribe(() => this.#hint()),
        this.#telemetry.on('job.settled', ({ jobId }) => this.#hint(jobId)),
        this.#telemetry.on('job.cancelled', ({ jobId }) => this.#hint(jobId)),
      ]
    }
    this.#pollMs = FIRST_POLL_MS
    this.#poll()
  }

  /** Looks now: this job was settled in this process, or something somewhere was. */
  #hint(id?: string): void {
    if (id === undefined) this.#lookAtAll = this.#waits.size > 0
    else if (this.#waits.has(id)) this.#named.add(id)
    if (this.#lookAtAll || this.#named.size > 0) void this.#look()
  }

  #poll(): void {
    this.#cancelPoll?.()
    this.#cancelPoll = this.#clock.after(this.#pollMs, () => {
      this.#cancelPoll = undefined
      this.#pollMs = Math.min(LAST_POLL_MS, this.#pollMs * 2)
      this.#lookAtAll = true
      void this.#look()
    })
  }

  #rest(): void {
    for (const unsubscribe of this.#subscriptions) unsubscribe()
    this.#subscriptions = []
    this.#cancelPoll?.()
    this.#cancelPoll = undefined
    this.#named.clear()
    this.#lookAtAll = false
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      while (this.#lookAtAll || this.#named.size > 0) await this.#lookOnce()
    } catch (error) {
      // A store that is away is no answer: the poll asks again until the caller's own timeout.
      if (error instanceof MillraceError && error.code === 'STORE_CLOSED') this.close()
    } finally {
      this.#isLooking = false
      // The next poll begins when this look is answered.
      if (this.#waits.size > 0 && this.#cancelPoll === undefined) this.#poll()
    }
  }

  async #lookOnce(): Promise<void> {
    const isForAll = this.#lookAtAll
    const ids = isForAll ? this.#nextTurn() : [...this.#named].slice(0, MOST_IDS)
    this.#lookAtAll = false
    if (isForAll) this.#named.clear()
    else for (const id of ids) this.#named.delete(id)
    if (ids.length === 0) return
    for (const row of await this.#store.jobs.finished(ids)) {
      for (const wait of [...(this.#waits.get(row.id) ?? [])]) wait.resolve(row)
    }
    // A job that was deleted, or of which nothing is kept, never finishes: named ones are asked for, others now and then.
    const missing = ids.filter((id) => this.#waits.has(id))
    if (missing.length > 0 && (!isForAll || ++this.#polls % 4 === 0)) await this.#checkExist(missing)
  }

  /** The first 1,000 of the line. When there are more, these go to its end. */
  #nextTurn(): readonly string[] {
    const ids = [...this.#waits.keys()].slice(0, MOST_IDS)
    if (ids.length < this.#waits.size) for (const id of ids) this.#toTheEnd(id)
    return ids
  }

  #toTheEnd(id: string): void {
    const set = this.#waits.get(id)
    if (set === undefined) return
    this.#waits.delete(id)
    this.#waits.set(id, set)
  }

  async #checkExist(ids: readonly string[]): Promise<void> {
    const { rows } = await this.#store.jobs.list({ filter: { ids }, limit: ids.length })
    const known = new Set(rows.map((row) => row.id))
    // A page may miss a job that ends while it is read; asked for by itself, a job that exists is found.
    await Promise.all(ids.filter((id) => !known.has(id)).map((id) => this.#checkExists(id)))
  }

  async #checkExists(id: string): Promise<void> {
    if ((await this.#store.jobs.get(id)) !== null) return
    for (const wait of [...(this.#waits.get(id) ?? [])]) wait.reject(notFound(id))
  }
}

/** The error for an id that no job has. */
export function notFound(id: string): MillraceError {
  return new MillraceError('JOB_NOT_FOUND', `no job has the id ${id}`, {
    fields: { id },
    hint: 'It may be beyond its retention time (`completed: 0` keeps nothing), deleted, or in another store.',
  })
}

function timedOut(id: string, timeoutMs: number): MillraceError {
  return new MillraceError('WAIT_TIMEOUT', `the job ${id} did not finish within ${timeoutMs} ms`, {
    fields: { id, timeoutMs },
    hint: 'Ask mill.why(id), or millrace job show, what it waits for.',
  })
}
