/**
 * The store in memory: the reference that every driver is compared with, and a store for tests.
 *
 * It is written to be read. Every operation is one synchronous piece of work, so it is atomic by itself; the orders that a
 * claim, a promotion or a reclaim reads are kept sorted, so that it stays usable with 100,000 jobs. Nothing outlives the
 * process.
 */
import { type Clock, systemClock } from '../../base/clock.ts'
import { SteadyTime } from '../../base/steady-time.ts'
import { StoreError } from '../../core/errors.ts'
import type { CopyFacet, Diagnosis, JobsFacet, Lease, MigrationStep, QueuesFacet, Store } from '../contract/index.ts'
import { claim } from './claim.ts'
import { cancel, changeWhere, prune, remove, retry, update } from './control.ts'
import { readPart, writePart } from './copy.ts'
import { expire, nextDue, promote, reclaim, recover, unblock } from './due.ts'
import { insertJob } from './insert.ts'
import { clearQueue, listQueues, pauseQueue, queueStats } from './queues.ts'
import { count, edges, finished, get, list, logs } from './read.ts'
import { reseal } from './reseal.ts'
import { cancellingOf, extend, report, saveCheckpoint, settle, start } from './settle.ts'
import { clusterFacet, stateFacet } from './shared.ts'
import { Tables } from './tables.ts'

/** How a memory store is made. */
export interface MemoryStoreOptions {
  readonly clock?: Clock
}

/** Makes an empty store. It keeps its jobs over `close` and `open` for as long as the object lives. */
export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(options.clock ?? systemClock)
}

/** Runs one operation at the store's now. `wakes`: others may have something to do after it. */
type Run = <T>(work: (now: number) => T, wakes?: boolean) => Promise<T>

class MemoryStore implements Store {
  readonly description = 'memory'
  readonly file = null
  readonly capabilities = {
    persistent: false,
    processes: false,
    transactions: false,
    push: true,
    remote: false,
    pollMs: 250,
  } as const
  readonly jobs: JobsFacet
  readonly queues: QueuesFacet
  readonly state
  readonly cluster
  readonly copy: CopyFacet
  readonly wake = { subscribe: (onWake: () => void) => this.#subscribe(onWake) }
  readonly #time: SteadyTime
  readonly #listeners = new Set<() => void>()
  #isOpen = false
  #wakes = false

  constructor(clock: Clock) {
    this.#time = new SteadyTime(clock)
    const tables = new Tables()
    const run: Run = (work, wakes) => this.#run(work, wakes)
    this.jobs = jobsFacet(tables, run)
    this.queues = queuesFacet(tables, run)
    this.state = stateFacet(tables, run)
    this.cluster = clusterFacet(tables, run)
    this.copy = {
      read: (part, cursor, limit) => run(() => readPart(tables, part, cursor, limit)),
      write: (part, items) => run(() => writePart(tables, part, items), true),
    }
  }

  async open(): Promise<void> {
    this.#isOpen = true
  }

  async close(): Promise<void> {
    this.#isOpen = false
  }

  time(): Promise<number> {
    return this.#run((now) => now)
  }

  ping(): Promise<void> {
    return this.#run(() => undefined)
  }

  migrate(): Promise<readonly number[]> {
    return this.#run(() => [])
  }

  async plan(from?: number): Promise<readonly MigrationStep[]> {
    return from === undefined ? this.#run(() => []) : []
  }

  /** Nothing can be wrong here: the clock is the process's own, and its jobs are objects that nobody else writes. */
  diagnose(): Promise<readonly Diagnosis[]> {
    return this.#run(() => [])
  }

  schemaVersion() {
    return this.#run(() => ({ current: 1, latest: 1, oldest: 1 }))
  }

  async #run<T>(work: (now: number) => T, wakes = false): Promise<T> {
    if (!this.#isOpen) throw new StoreError('closed', 'STORE_CLOSED', 'the store in memory is closed')
    const value = work(this.#time.now())
    if (wakes) this.#wakeSoon()
    return value
  }

  #subscribe(onWake: () => void): () => void {
    // A function of our own for each subscription: the same listener may subscribe twice.
    const listener = () => onWake()
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #wakeSoon(): void {
    if (this.#wakes || this.#listeners.size === 0) return
    this.#wakes = true
    queueMicrotask(() => {
      this.#wakes = false
      for (const listener of [...this.#listeners]) listener()
    })
  }
}

function jobsFacet(tables: Tables, run: Run): JobsFacet {
  // Nobody's transaction holds a job.
  const extendAll = (workerId: string, leases: readonly Lease[], leaseMs: number) =>
    run((now) => leases.map((lease) => extend(tables, workerId, lease, leaseMs, now)))
  return {
    insert: (jobs) => run((now) => jobs.map((job) => insertJob(tables, job, now)), true),
    insertWithin: () => {
      throw new StoreError('constraint', 'CONFIG_INVALID', 'the store in memory has no transactions to insert within', {
        hint: 'Use a SQLite, PostgreSQL or MySQL store.',
      })
    },
    settleWithin: () => {
      throw new StoreError('constraint', 'CONFIG_INVALID', 'the store in memory has no transactions to insert within', {
        hint: 'Use a SQLite, PostgreSQL or MySQL store.',
      })
    },
    exchange: (request) =>
      run(
        (now) => ({
          settled: request.settle.map((settlement) => settle(tables, request.workerId, settlement, now)),
          ...(request.claim === undefined ? { claimed: [], more: false } : claim(tables, request.claim, now)),
          cancelling: cancellingOf(tables, request.workerId),
          now,
        }),
        request.settle.length > 0,
      ),
    extend: extendAll,
    extendWaiting: extendAll,
    start: (workerId, lease) => run((now) => start(tables, workerId, lease, now)),
    report: (workerId, reports) => run((now) => reports.map((news) => report(tables, workerId, news, now))),
    saveCheckpoint: (workerId, lease, bytes) => run(() => saveCheckpoint(tables, workerId, lease, bytes)),
    checkpoint: (id) => run(() => tables.jobs.get(id)?.checkpoint ?? null),
    promote: (limit) => run((now) => promote(tables, limit, now), true),
    expire: (limit) => run((now) => expire(tables, limit, now), true),
    nextDue: () => run(() => nextDue(tables)),
    reclaim: (limit) => run((now) => reclaim(tables, limit, now), true),
    recover: (workerId, started, limit) => run((now) => recover(tables, workerId, started, limit, now), true),
    unblock: (keyIds, limit) => run(() => unblock(tables, keyIds, limit), true),
    cancel: (ids) => run((now) => ids.map((id) => cancel(tables, id, now)), true),
    retry: (ids) => run((now) => ids.map((id) => retry(tables, id, now)), true),
    update: (ids, change) => run((now) => ids.map((id) => update(tables, id, change, now)), true),
    remove: (ids) => run((now) => ids.map((id) => remove(tables, id, now)), true),
    prune: (retention, limit) => run((now) => prune(tables, retention, limit, now)),
    get: (id) => run(() => get(tables, id)),
    finished: (ids) => run(() => finished(tables, ids)),
    list: (request) => run(() => list(tables, request)),
    count: (filter, cap, cursor) => run(() => count(tables, filter, cap, cursor)),
    changeWhere: (request) => run((now) => changeWhere(tables, request, now), true),
    logs: (id, afterSeq, limit) => run(() => logs(tables, id, afterSeq, limit)),
    edges: (id) => run(() => edges(tables, id)),
    reseal: async (cursor, limit, visit) => run(() => reseal(tables, cursor, limit, visit)),
  }
}

function queuesFacet(tables: Tables, run: Run): QueuesFacet {
  return {
    list: () => run(() => listQueues(tables)),
    stats: (queue) => run(() => queueStats(tables, queue)),
    pause: (queue, by, reason) => run((now) => pauseQueue(tables, queue, by, reason, now)),
    resume: (queue) =>
      run(() => {
        tables.paused.delete(queue)
      }, true),
    clear: (queue, states, limit) => run((now) => clearQueue(tables, queue, states, limit, now), true),
  }
}
