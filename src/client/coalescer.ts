/**
 * Natural batching of enqueues: what arrives while an insert is in flight, or in the same turn of the event loop, goes
 * together in the next one. No timer and no setting: idle, one job is one statement; busy, batches grow by themselves.
 * Each caller's promise settles when the rows of its batch are committed. A batch holds at most 1,000 rows or 1 MiB.
 *
 * Where the store is a server, many jobs travel as two batches on two connections: it writes both at a time, and one part of
 * the callers goes on while the other part's jobs are written. With one batch of all that wait, server and client took turns,
 * and neither was ever busy for more than two thirds of the time. Only jobs that have to do with no other go so: one with a
 * parent, a unique key or an id of the caller's waits until all that was called before it is written.
 */
import { MAX_BATCH_ROWS, takeBatch } from '../core/batch.ts'
import { StoreError } from '../core/errors.ts'
import type { InsertResult, NewJob } from '../store/contract/index.ts'

interface Waiting {
  readonly job: NewJob
  readonly resolve: (result: InsertResult) => void
  readonly reject: (error: unknown) => void
}

/** So many jobs are worth a statement beside another one. */
const MIN_BESIDE = 32

/** Gathers the enqueues of one client. */
export class Coalescer {
  readonly #insert: (jobs: readonly NewJob[]) => Promise<readonly InsertResult[]>
  readonly #maxInFlight: number
  readonly #inFlight = new Set<Promise<void>>()
  #waiting: Waiting[] = []
  /** How many of those that wait have to be written after what was called before them. */
  #ordered = 0
  #isScheduled = false

  /** `isRemote`: the store works in a process of its own. */
  constructor(insert: (jobs: readonly NewJob[]) => Promise<readonly InsertResult[]>, isRemote: boolean) {
    this.#insert = insert
    this.#maxInFlight = isRemote ? 2 : 1
  }

  /** Resolves with what became of the job once its batch is committed. */
  add(job: NewJob): Promise<InsertResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject })
      if (isOrdered(job)) this.#ordered++
      this.#schedule()
    })
  }

  /** Resolves when everything added so far is committed or refused. */
  async drain(): Promise<void> {
    while (this.#waiting.length > 0 || this.#inFlight.size > 0) {
      await (this.#inFlight.size > 0
        ? Promise.race(this.#inFlight)
        : new Promise<void>((resolve) => setImmediate(resolve)))
    }
  }

  /** How many jobs go next; 0 when they wait for what is in flight. */
  get #next(): number {
    const waiting = this.#waiting.length
    const inFlight = this.#inFlight.size
    if (inFlight >= this.#maxInFlight || (inFlight > 0 && waiting < MIN_BESIDE)) return 0
    if (this.#ordered > 0) return inFlight > 0 ? 0 : waiting
    return this.#maxInFlight - inFlight > 1 && waiting >= 2 * MIN_BESIDE ? Math.ceil(waiting / 2) : waiting
  }

  #schedule(): void {
    if (this.#isScheduled || this.#next === 0) return
    this.#isScheduled = true
    // The next turn, not the next microtask: a loop of awaited enqueues must let timers and sockets have their turn.
    setImmediate(this.#run)
  }

  readonly #run = (): void => {
    this.#isScheduled = false
    for (let rows = this.#next; rows > 0; rows = this.#next) {
      const flight = this.#flush(rows).finally(() => {
        this.#inFlight.delete(flight)
        this.#schedule()
      })
      this.#inFlight.add(flight)
    }
  }

  async #flush(most: number): Promise<void> {
    const rows = takeBatch(this.#waiting, (w) => w.job.payload.byteLength, Math.min(most, MAX_BATCH_ROWS))
    const batch = rows === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, rows)
    this.#waiting = rows === this.#waiting.length ? [] : this.#waiting.slice(rows)
    if (this.#ordered > 0) this.#ordered -= batch.filter(({ job }) => isOrdered(job)).length
    await this.#write(batch)
  }

  /** A failing batch is split until the bad row stands alone; a store that is away fails them all. */
  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      const results = await this.#insert(batch.map((w) => w.job))
      for (let i = 0; i < batch.length; i++) {
        const result = results[i]
        if (result !== undefined) batch[i]?.resolve(result)
      }
    } catch (error) {
      const isOneRow = error instanceof StoreError && error.kind === 'constraint'
      if (batch.length === 1 || !isOneRow) {
        for (const waiting of batch) waiting.reject(error)
        return
      }
      const middle = batch.length >> 1
      await this.#write(batch.slice(0, middle))
      await this.#write(batch.slice(middle))
    }
  }
}

/** It may be about another job: what it depends on, whose key it wants, whose id it has. */
function isOrdered(job: NewJob): boolean {
  return job.fresh !== true || job.dependsOn !== undefined || job.unique !== undefined
}
