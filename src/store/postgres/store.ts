/**
 * The store on PostgreSQL (13 or newer) through `pg`, which is loaded when the store opens.
 *
 * Nothing here but the composition: the shared slow road is in store/sql, the hot path (insert, exchange) in the files
 * beside this one.
 */
import type { Clock } from '../../base/clock.ts'
import type { CopyFacet, Diagnosis, DiagnosisLimits, JobsFacet } from '../contract/index.ts'
import type {
  Capabilities,
  ClusterFacet,
  MigrationStep,
  QueuesFacet,
  StateFacet,
  Store,
  WakeFacet,
} from '../contract/store.ts'
import { copyFacet } from '../sql/copy.ts'
import { type Migration, refuseNewer } from '../sql/migrations.ts'
import { settleInside } from '../sql/settle.ts'
import { clusterFacet, jobsFacet, queuesFacet, stateFacet } from '../sql/store.ts'
import { loadPg } from './connection.ts'
import { PostgresDatabase } from './database.ts'
import { diagnose } from './diagnose.ts'
import { Exchange } from './exchange.ts'
import { extendLeases, extendWaiting } from './extend.ts'
import { diagnoseHints } from './hint-probe.ts'
import { insertInside, insertJobs } from './insert.ts'
import { noteCopied, reclaimEnded } from './leases.ts'
import { migrate, plan, STEPS, schemaVersion, versionOf } from './migrate.ts'
import { postgresSettings } from './options.ts'
import { withinTransaction } from './transaction.ts'
import { refuseOldServer } from './version.ts'
import { Wake } from './wake.ts'

/** Which database, and how it is spoken to. */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with `schema`, `pool`, `deadline`, `sslmode`, `ca`, `pooler` as parameters. */
  readonly url: string
  /** For tests: the time that the store goes by instead of the server's. */
  readonly clock?: Clock
  /** For tests: steps of a version that is yet to come, after those of this one. */
  readonly later?: readonly Migration[]
}

/** Makes a store over a schema of a PostgreSQL database; `open` connects, `migrate` makes the tables. Throws `STORE_URL`. */
export function createPostgresStore(options: PostgresOptions): Store {
  return new PostgresStore(options)
}

class PostgresStore implements Store {
  readonly description: string
  readonly file = null
  readonly capabilities: Capabilities
  readonly jobs: JobsFacet
  readonly queues: QueuesFacet
  readonly state: StateFacet
  readonly cluster: ClusterFacet
  readonly wake: WakeFacet
  readonly copy: CopyFacet
  readonly #db: PostgresDatabase
  readonly #exchange: Exchange
  readonly #wake: Wake
  readonly #steps: readonly Migration[]

  constructor({ url, clock, later = [] }: PostgresOptions) {
    this.#steps = [...STEPS, ...later]
    const settings = postgresSettings(url)
    const wake = new Wake(settings)
    const db = new PostgresDatabase(settings, clock, wake)
    const exchange = new Exchange(db, wake)
    this.#db = db
    this.#exchange = exchange
    this.#wake = wake
    this.description = db.pool.where
    // Behind a pooler in transaction mode nobody can listen.
    this.capabilities = {
      persistent: true,
      processes: true,
      transactions: true,
      get push() {
        return wake.delivers
      },
      remote: true,
      pollMs: 250,
    }
    const jobs = jobsFacet(db, {
      insert: (jobs) => insertJobs(db, jobs),
      insertWithin: (tx, jobs, notify = false) =>
        withinTransaction(db, tx, async (inner, isOwn) => {
          const results = await insertInside(db, inner, jobs, isOwn)
          if (notify) await wake.hintWithin(inner)
          return results
        }),
      settleWithin(tx, workerId, completion, news) {
        exchange.forget(completion)
        return withinTransaction(db, tx, (inner) => settleInside(inner, workerId, completion, news))
      },
      exchange: (request) => exchange.run(request),
      extend: (workerId, leases, leaseMs) => extendLeases(db, workerId, leases, leaseMs),
      extendWaiting: (workerId, leases, leaseMs, waitMs) => extendWaiting(db, workerId, leases, leaseMs, waitMs),
      reclaim: (limit) => reclaimEnded(db, limit),
    })
    this.jobs = {
      ...jobs,
      extend(workerId, leases, leaseMs) {
        exchange.moved(leases)
        return jobs.extend(workerId, leases, leaseMs)
      },
      extendWaiting(workerId, leases, leaseMs, waitMs) {
        exchange.moved(leases)
        return jobs.extendWaiting(workerId, leases, leaseMs, waitMs)
      },
      start(workerId, lease) {
        exchange.moved([lease])
        return jobs.start(workerId, lease)
      },
      saveCheckpoint(workerId, lease, bytes) {
        exchange.moved([lease])
        return jobs.saveCheckpoint(workerId, lease, bytes)
      },
      report(workerId, reports) {
        exchange.moved(reports)
        return jobs.report(workerId, reports)
      },
    }
    this.queues = queuesFacet(db)
    this.state = stateFacet(db)
    this.cluster = clusterFacet(db)
    this.copy = copyFacet(db, { afterLive: noteCopied })
    this.wake = { subscribe: (onWake) => wake.subscribe(onWake) }
  }

  async open(): Promise<void> {
    await loadPg()
    this.#db.pool.open()
    this.#wake.open((channel, payload) => this.#db.notify(channel, payload))
    try {
      const [, version] = await this.#db.read((session) =>
        Promise.all([refuseOldServer(session), versionOf(this.#db, session, this.#steps)]),
      )
      refuseNewer(this.description, version)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async close(): Promise<void> {
    const closing = this.#db.pool.close()
    // After the pool refuses calls: no more is begun.
    this.#exchange.close()
    await Promise.all([this.#wake.close(), closing])
  }

  time(): Promise<number> {
    return this.#db.time()
  }

  async ping(): Promise<void> {
    await this.#db.read((session) => session.query('SELECT 1'))
  }

  schemaVersion() {
    return schemaVersion(this.#db, this.#steps)
  }

  migrate(): Promise<readonly number[]> {
    return migrate(this.#db, this.#steps)
  }

  async diagnose(limits: Partial<DiagnosisLimits> = {}): Promise<readonly Diagnosis[]> {
    const found = await diagnose(this.#db, this.#steps, limits)
    const hints = await diagnoseHints(this.#db.settings, (channel, payload) => this.#db.notify(channel, payload))
    return [...found, ...hints]
  }

  plan(from?: number): Promise<readonly MigrationStep[]> {
    return plan(this.#db, this.#steps, from)
  }
}
