/**
 * Looks beside transactions of callers, which lock no rows. They have a connection of their own, since those of the pool may all
 * be waiting for such a transaction.
 *
 * What a look may wait for is a table that is being altered: the change waits for whoever uses the table, the caller's
 * transaction among them, and whoever comes later waits behind the change. When the caller waits for its look, no server sees
 * that as a deadlock. So a look gives up after a second (`TableAltered`), and for a while none is begun: all would wait alike,
 * one after the other.
 */
import type { Pool } from '../sql/pool.ts'
import type { Columns } from '../sql/rows.ts'
import type { Session, SqlValue } from '../sql/session.ts'
import type { Connection } from './connection.ts'
import { numberOf } from './errors.ts'
import type { MysqlSettings } from './options.ts'
import { mysqlPool, readOn } from './pool.ts'
import type { Runner } from './runner.ts'

/** Reads beside a transaction, without a lock. Both fail with `TableAltered` when they wait too long for a table, or did a moment ago. */
export interface Beside {
  /** What is there, committed or not. */
  seen(statement: string, params: readonly SqlValue[]): Promise<readonly Columns[]>
  /** What is committed. */
  committed(statement: string, params: readonly SqlValue[]): Promise<readonly Columns[]>
}

/** Thrown when a look cannot be had since somebody alters a table. */
export class TableAltered extends Error {}

const ONE_READ_COMMITTED = 'SET TRANSACTION ISOLATION LEVEL READ COMMITTED'
/** So long nobody looks after a look met a table that is being altered. */
const AGAIN_MS = 5_000
/** Waited too long for a lock: one on a table, since a look asks for no other. */
const WAITED = 1205

/** The looks of one store. */
export class Looks implements Beside {
  readonly #pool: Pool<Connection>
  readonly #sessionOn: (runner: Runner) => Session
  #notBefore = 0

  constructor(settings: MysqlSettings, sessionOn: (runner: Runner) => Session) {
    this.#pool = mysqlPool(settings, 1, 'looks')
    this.#sessionOn = sessionOn
  }

  open(): void {
    this.#pool.open()
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  seen(statement: string, params: readonly SqlValue[]): Promise<readonly Columns[]> {
    return this.#look((connection) => this.#read(connection, statement, params))
  }

  committed(statement: string, params: readonly SqlValue[]): Promise<readonly Columns[]> {
    return this.#look(async (connection) => {
      try {
        await connection.run(ONE_READ_COMMITTED)
        return await this.#read(connection, statement, params)
      } catch (error) {
        // A statement that was not even prepared leaves the level to the next one, which is to see what is not committed.
        connection.destroy()
        throw error
      }
    })
  }

  #look<T>(fn: (connection: Connection) => Promise<T>): Promise<T> {
    return readOn(this.#pool, async (connection) => {
      if (performance.now() < this.#notBefore) throw new TableAltered('a table was being altered a moment ago')
      try {
        return await fn(connection)
      } catch (error) {
        if (numberOf(error) !== WAITED) throw error
        this.#notBefore = performance.now() + AGAIN_MS
        throw new TableAltered('a table is being altered', { cause: error })
      }
    })
  }

  async #read(connection: Connection, statement: string, params: readonly SqlValue[]): Promise<readonly Columns[]> {
    return (await this.#sessionOn(connection).query(statement, params)).rows
  }
}
