/**
 * The embedded store: one SQLite file through node:sqlite.
 *
 * Every operation is a short synchronous piece of work; a call that may be long is bounded by its caller (batches of at
 * most 1,000 rows or 1 MiB), since it holds the event loop. Reads take no lock and run at once; writes go through
 * `Connection.write`. Nothing here but the composition: the work is in the files beside this one.
 */
import { type Clock, systemClock } from '../../base/clock.ts'
import type { CopyFacet, Diagnosis, DiagnosisLimits, JobsFacet, Lease, NewJob } from '../contract/index.ts'
import type {
  Capabilities,
  ClusterFacet,
  MigrationStep,
  QueuesFacet,
  StateFacet,
  Store,
  WakeFacet,
} from '../contract/store.ts'
import { clockOffset, limitsOf } from '../sql/diagnose.ts'
import { type Migration, refuseNewer } from '../sql/migrations.ts'
import { readCheckpoint, saveCheckpoint } from './checkpoint.ts'
import { Connection } from './connection.ts'
import { cancel, prune, remove, retry, update } from './control.ts'
import { changeWhere } from './control-where.ts'
import { copyFacet } from './copy.ts'
import { damagedIn, diagnose } from './diagnose.ts'
import { expire, hasDue, hasExpired, hasKey, hasLost, nextDue, promote, unblock } from './due.ts'
import { completeInside, exchange, idleExchange } from './exchange.ts'
import { insertJobs } from './insert.ts'
import { extend, holdsAny, reclaim, recover, report, start } from './lease.ts'
import { hasMessages, post, take } from './mailbox.ts'
import { migrate, plan, planFrom, STEPS, schemaVersion } from './migrate.ts'
import { clearQueue, listQueues, pauseQueue, queueStats, resumeQueue } from './queues.ts'
import { countJobs, edgesOf, finishedJobs, jobById, listJobs, logLines } from './read.ts'
import { reseal } from './reseal.ts'
import { beat, getState, listState, nodes, putState, removeNode } from './shared.ts'
import { withinTransaction } from './transaction.ts'
import { WalWatch } from './wake.ts'

/** Which file, and how it is written. */
export interface SqliteOptions {
  /** A file's path, or `:memory:` for a store that dies with the process. */
  readonly path: string
  /** Default `full`: an acknowledged job survives a power cut. `normal` survives a killed process and is faster. */
  readonly durability?: 'full' | 'normal'
  /** How long a write waits while another program holds the file's lock. Default 10,000. */
  readonly busyDeadlineMs?: number
  readonly clock?: Clock
  /** For tests: steps of a version that is yet to come, after those of this one. */
  readonly later?: readonly Migration[]
}

/** Makes a store over one SQLite file; `open` connects, `migrate` makes the tables. */
export function createSqliteStore(options: SqliteOptions): Store {
  return new SqliteStore(
    new Connection({
      path: options.path,
      durability: options.durability ?? 'full',
      busyDeadlineMs: options.busyDeadlineMs ?? 10_000,
      clock: options.clock ?? systemClock,
    }),
    [...STEPS, ...(options.later ?? [])],
  )
}

/** The store's own connection, for the driver's tests (query plans). */
export function connectionOf(store: Store): Connection {
  if (!(store instanceof SqliteStore)) throw new TypeError('not an SQLite store')
  return store.connection
}

class SqliteStore implements Store {
  readonly connection: Connection
  readonly description: string
  readonly file: string | null
  readonly capabilities: Capabilities
  readonly jobs: JobsFacet
  readonly queues: QueuesFacet
  readonly state: StateFacet
  readonly cluster: ClusterFacet
  readonly wake: WakeFacet
  readonly copy: CopyFacet
  readonly #watch: WalWatch
  readonly #steps: readonly Migration[]

  constructor(connection: Connection, steps: readonly Migration[]) {
    this.connection = connection
    this.#steps = steps
    this.#watch = new WalWatch(connection)
    const isFile = connection.path !== ':memory:'
    this.description = `sqlite ${connection.path}`
    this.file = isFile ? connection.path : null
    this.capabilities = {
      persistent: isFile,
      processes: isFile,
      transactions: isFile,
      push: isFile,
      remote: false,
      pollMs: 250,
    }
    this.jobs = jobsFacet(connection)
    this.queues = queuesFacet(connection)
    this.state = stateFacet(connection)
    this.cluster = clusterFacet(connection)
    this.copy = copyFacet(connection)
    this.wake = { subscribe: (onWake) => this.#watch.subscribe(onWake) }
  }

  async open(): Promise<void> {
    this.connection.open()
    try {
      // Others that open it at the same time may be recovering the log.
      const ask = () => schemaVersion(this.connection, this.#steps)
      refuseNewer(this.connection.path, this.connection.read(ask, this.connection.busyDeadlineMs))
    } catch (error) {
      this.connection.close()
      throw error
    }
  }

  async close(): Promise<void> {
    this.#watch.close()
    this.connection.close()
  }

  async time(): Promise<number> {
    return this.connection.read(() => this.connection.now())
  }

  async ping(): Promise<void> {
    this.connection.read(() => this.connection.sql('SELECT 1').get())
  }

  async schemaVersion() {
    return this.connection.read(() => schemaVersion(this.connection, this.#steps))
  }

  async migrate(): Promise<readonly number[]> {
    return migrate(this.connection, this.#steps)
  }

  async diagnose(given: Partial<DiagnosisLimits> = {}): Promise<readonly Diagnosis[]> {
    const limits = limitsOf(given)
    return [
      ...this.connection.read(() => diagnose(this.connection, this.#steps)),
      ...(await damagedIn(this.connection, limits)),
      ...(await clockOffset(() => this.time(), limits)),
    ]
  }

  async plan(from?: number): Promise<readonly MigrationStep[]> {
    if (from !== undefined) return planFrom(this.#steps, from)
    return this.connection.read(() => plan(this.connection, this.#steps))
  }
}

function jobsFacet(c: Connection): JobsFacet {
  const each = <T>(ids: readonly string[], fn: (id: string) => T) =>
    ids.length === 0 ? Promise.resolve([]) : c.write(() => ids.map(fn))
  // A transaction holds the whole file, and is waited for by whoever writes.
  const extendAll = (workerId: string, leases: readonly Lease[], leaseMs: number) =>
    leases.length === 0 ? Promise.resolve([]) : c.write(() => extend(c, workerId, leases, leaseMs))
  return {
    insert: (jobs) => c.write(() => insertJobs(c, jobs)),
    // Whoever watches the file sees the commit by itself: `notify` asks for no more.
    insertWithin: (tx, jobs: readonly NewJob[]) => withinTransaction(c, tx, (inner) => insertJobs(inner, jobs)),
    settleWithin: (tx, workerId, completion, news) =>
      withinTransaction(c, tx, (inner) => completeInside(inner, workerId, completion, news)),
    async exchange(request) {
      return c.read(() => idleExchange(c, request)) ?? c.write(() => exchange(c, request))
    },
    extend: extendAll,
    extendWaiting: extendAll,
    start: (workerId, lease) => c.write(() => start(c, workerId, lease)),
    report: (workerId, reports) => c.write(() => report(c, workerId, reports)),
    saveCheckpoint: (workerId, lease, bytes) => c.write(() => saveCheckpoint(c, workerId, lease, bytes)),
    checkpoint: async (id) => c.read(() => readCheckpoint(c, id)),
    promote: async (limit) => (c.read(() => hasDue(c)) ? c.write(() => promote(c, limit)) : 0),
    expire: async (limit) => (c.read(() => hasExpired(c)) ? c.write(() => expire(c, limit)) : 0),
    nextDue: async () => c.read(() => nextDue(c)),
    reclaim: async (limit) => (c.read(() => hasLost(c)) ? c.write(() => reclaim(c, limit)) : []),
    recover: async (workerId, started, limit) =>
      c.read(() => holdsAny(c, workerId)) ? c.write(() => recover(c, workerId, started, limit)) : [],
    unblock: async (keyIds, limit) => (c.read(() => hasKey(c, keyIds)) ? c.write(() => unblock(c, keyIds, limit)) : 0),
    cancel: (ids) => each(ids, (id) => cancel(c, id)),
    retry: (ids) => each(ids, (id) => retry(c, id)),
    update: (ids, change) => each(ids, (id) => update(c, id, change)),
    remove: (ids) => each(ids, (id) => remove(c, id)),
    prune: (retention, limit) => c.write(() => prune(c, retention, limit)),
    get: async (id) => c.read(() => jobById(c, id)),
    finished: async (ids) => c.read(() => finishedJobs(c, ids)),
    list: (request) => listJobs(c, request),
    count: (filter, cap, cursor) => countJobs(c, filter, cap, cursor),
    changeWhere: (request) => changeWhere(c, request),
    logs: async (id, afterSeq, limit) => c.read(() => logLines(c, id, afterSeq, limit)),
    edges: async (id) => c.read(() => edgesOf(c, id)),
    reseal: (cursor, limit, visit) => reseal(c, cursor, limit, visit),
  }
}

function queuesFacet(c: Connection): QueuesFacet {
  return {
    list: async () => c.read(() => listQueues(c)),
    stats: async (queue) => c.read(() => queueStats(c, queue)),
    pause: (queue, by, reason) => c.write(() => pauseQueue(c, queue, by, reason)),
    resume: (queue) => c.write(() => resumeQueue(c, queue)),
    clear: (queue, states, limit) => c.write(() => clearQueue(c, queue, states, limit)),
  }
}

function stateFacet(c: Connection): StateFacet {
  return {
    get: async (key) => c.read(() => getState(c, key)),
    put: (key, value, expected) => c.write(() => putState(c, key, value, expected)),
    list: async (prefix, limit) => c.read(() => listState(c, prefix, limit)),
  }
}

function clusterFacet(c: Connection): ClusterFacet {
  return {
    beat: (node) => c.write(() => beat(c, node)),
    nodes: async (withinMs) => c.read(() => nodes(c, withinMs)),
    remove: (id) => c.write(() => removeNode(c, id)),
    post: (message) => c.write(() => post(c, message)),
    take: async (to) => (c.read(() => hasMessages(c, to)) ? c.write(() => take(c, to)) : []),
  }
}
