/**
 * Natural batching of enqueues: what arrives while an insert is in flight, or in the same turn of the event loop, goes
 * together in the next one. No timer and no setting: idle, one job is one statement; busy, batches grow by themselves.
 * Each caller's promise settles when the rows of its batch are committed. A batch holds at most 1,000 rows or 1 MiB.
 */
import { takeBatch } from '../core/batch.ts'
import { StoreError } from '../core/errors.ts'
import type { InsertResult, NewJob } from '../store/contract/index.ts'

interface Waiting {
  readonly job: NewJob
  readonly resolve: (result: InsertResult) => void
  readonly reject: (error: unknown) => void
}

/** Gathers the enqueues of one client. */
export class Coalescer {
  readonly #insert: (jobs: readonly NewJob[]) => Promise<readonly InsertResult[]>
  #waiting: Waiting[] = []
  #isScheduled = false
  #inFlight: Promise<void> | undefined

  constructor(insert: (jobs: readonly NewJob[]) => Promise<readonly InsertResult[]>) {
    this.#insert = insert
  }

  /** Resolves with what became of the job once its batch is committed. */
  add(job: NewJob): Promise<InsertResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject })
      if (this.#isScheduled || this.#inFlight !== undefined) return
      this.#isScheduled = true
      // The next turn, not the next microtask: a loop of awaited enqueues must let timers and sockets have their turn.
      setImmediate(this.#run)
    })
  }

  /** Resolves when everything added so far is committed or refused. */
  async drain(): Promise<void> {
    while (this.#waiting.length > 0 || this.#inFlight !== undefined) {
      await (this.#inFlight ?? new Promise<void>((resolve) => setImmediate(resolve)))
    }
  }

  readonly #run = (): void => {
    this.#isScheduled = false
    if (this.#inFlight !== undefined) return
    this.#inFlight = this.#flush().finally(() => {
      this.#inFlight = undefined
      if (this.#waiting.length === 0 || this.#isScheduled) return
      this.#isScheduled = true
      setImmediate(this.#run)
    })
  }

  async #flush(): Promise<void> {
    const rows = takeBatch(this.#waiting, (w) => w.job.payload.byteLength)
    const batch = rows === this.#waiting.length ? this.#waiting : this.#waiting.slice(0, rows)
    this.#waiting = rows === this.#waiting.length ? [] : this.#waiting.slice(rows)
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
