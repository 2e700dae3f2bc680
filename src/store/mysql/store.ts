/**
 * The store on MySQL (8.0.17 or newer) and MariaDB (10.6 or newer) through `mysql2`, which is loaded when the store opens.
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
import { loadMysql } from './connection.ts'
import { insertCopied } from './copy.ts'
import { MysqlDatabase } from './database.ts'
import { diagnose } from './diagnose.ts'
import { Exchange } from './exchange.ts'
import { extendLeases, extendWaiting } from './extend.ts'
import { insertInside, insertJobs } from './insert.ts'
import { migrate, plan, STEPS, schemaVersion } from './migrate.ts'
import { mysqlSettings } from './options.ts'
import { withinTransaction } from './transaction.ts'
import { Wake } from './wake.ts'

/** Which store to make. */
export interface MysqlOptions {
  /** `mysql://user:password@host:port/database`, with `pool`, `deadline`, `tls`, `ca`, `socket` as parameters. */
  readonly url: string
  /** For tests: the time that the store goes by instead of the server's. */
  readonly clock?: Clock
  /** For tests: steps of a version that is yet to come, after those of this one. */
  readonly later?: readonly Migration[]
}

/** Makes a store over a database of a MySQL or MariaDB server; `open` connects, `migrate` makes the tables. Throws `STORE_URL`. */
export function createMysqlStore(options: MysqlOptions): Store {
  return new MysqlStore(options)
}

class MysqlStore implements Store {
  readonly description: string
  readonly file = null
  /** Hints are waited for on the server, or polled for each 300 ms at least, and so is which job is first in line; that is most news. */
  readonly capabilities: Capabilities = {
    persistent: true,
    processes: true,
    transactions: true,
    push: true,
    remote: true,
    pollMs: 1_000,
  }
  readonly jobs: JobsFacet
  readonly queues: QueuesFacet
  readonly state: StateFacet
  readonly cluster: ClusterFacet
  readonly wake: WakeFacet
  readonly copy: CopyFacet
  readonly #db: MysqlDatabase
  readonly #wake: Wake
  readonly #steps: readonly Migration[]

  constructor({ url, clock, later = [] }: MysqlOptions) {
    this.#steps = [...STEPS, ...later]
    const wake: Wake = new Wake(() => db)
    const db = new MysqlDatabase(mysqlSettings(url), clock, () => wake.hint())
    const exchange = new Exchange(db, wake)
    this.#db = db
    this.#wake = wake
    this.description = db.pool.where
    this.jobs = jobsFacet(db, {
      insert: (jobs) => insertJobs(db, jobs),
      insertWithin: (tx, jobs, notify) => withinTransaction(db, tx, (inner) => insertInside(inner, jobs, notify)),
      settleWithin(tx, workerId, completion, news) {
        exchange.forget(completion.id)
        return withinTransaction(db, tx, (inner) => settleInside(inner, workerId, completion, news))
      },
      exchange: (request) => exchange.run(request),
      extend: (workerId, leases, leaseMs) => extendLeases(db, workerId, leases, leaseMs),
      extendWaiting: (workerId, leases, leaseMs, waitMs) => extendWaiting(db, workerId, leases, leaseMs, waitMs),
    })
    this.queues = queuesFacet(db)
    this.state = stateFacet(db)
    this.cluster = clusterFacet(db)
    this.copy = copyFacet(db, { insert: insertCopied })
    this.wake = {
      subscribe: (onWake) =>
        wake.subscribe(() => {
          exchange.expect()
          onWake()
        }),
    }
  }

  async open(): Promise<void> {
    await loadMysql()
    this.#db.open()
    this.#wake.open()
    try {
      refuseNewer(this.description, await this.schemaVersion())
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#wake.close()
    await this.#db.close()
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

  diagnose(limits: Partial<DiagnosisLimits> = {}): Promise<readonly Diagnosis[]> {
    return diagnose(this.#db, this.#steps, limits)
  }

  plan(from?: number): Promise<readonly MigrationStep[]> {
    return plan(this.#db, this.#steps, from)
  }
}
