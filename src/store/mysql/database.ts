/** Transactions and time over the pool: what the shared slow road and the hot path stand on. */
import type { Clock } from '../../base/clock.ts'
import type { Pool, Tries } from '../sql/pool.ts'
import { type Columns, int } from '../sql/rows.ts'
import {
  type Database,
  type QuerySession,
  Restart,
  type SqlResult,
  type SqlValue,
  type Transaction,
} from '../sql/session.ts'
import type { Urgency } from '../sql/shares.ts'
import type { Connection } from './connection.ts'
import { filled, MysqlDialect, scalar } from './dialect.ts'
import { isConflict, isLost } from './errors.ts'
import { Looks } from './looks.ts'
import type { MysqlSettings } from './options.ts'
import { mysqlPool, noteWait, readOn } from './pool.ts'
import { keepingReady } from './ready.ts'
import type { Runner } from './runner.ts'
import { STEPWISE } from './stepwise.ts'
import { Turns } from './turns.ts'

/** The server's clock in milliseconds. */
const SERVER_NOW = "CAST(timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(3)) DIV 1000 AS SIGNED)"
/** Begun again this often before a conflict is the caller's. */
const MAX_CONFLICTS = 12
const MAX_RESTARTS = 50
/** The store's time, no earlier than the value, for statements in which it stands as `STORED_NOW`. */
const SET_NOW = `@millrace_now = CAST(GREATEST(?, ${SERVER_NOW}) AS SIGNED)`
const SET_OWN_NOW = '@millrace_now = CAST(? AS SIGNED)'
/** The time of a transaction of `transactUnasked`, in its statements. */
export const STORED_NOW = '@millrace_now'
const UNPREPARED = /^(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT) row_guard$/

/** What a transaction asks first; the time is the first column of the first row. */
export interface Opening {
  /** A shared statement, `NOW_SQL` in it replaced by the store's time. */
  readonly statement: string
  readonly params: readonly SqlValue[]
}

/** A transaction, and what its opening found. */
export type OpenedTransaction = Transaction & { readonly opening: readonly Columns[] }

const ASK_TIME: Opening = { statement: 'SELECT NOW_SQL AS now', params: [] }

/** One database of a server, as the slow road and the hot path need it. */
export class MysqlDatabase implements Database {
  readonly pool: Pool<Connection>
  /** Reads for transactions of a caller's. */
  readonly looks: Looks
  readonly dialect = new MysqlDialect()
  readonly settings: MysqlSettings
  readonly #clock: Clock | undefined
  readonly #onHint: () => void
  readonly #turns: Turns
  #lastNow = 0

  /** `clock`: for tests, instead of the server's. */
  constructor(settings: MysqlSettings, clock: Clock | undefined, onHint: () => void) {
    this.settings = settings
    this.pool = mysqlPool(settings, settings.pool)
    this.looks = new Looks(settings, (runner) => this.sessionOn(runner))
    this.#clock = clock
    this.#turns = new Turns(settings.target.database)
    this.#onHint = onHint
  }

  open(): void {
    this.pool.open()
    this.looks.open()
  }

  async close(): Promise<void> {
    await Promise.all([this.pool.close(), this.looks.close()])
  }

  hint(): void {
    this.#onHint()
  }

  time(): Promise<number> {
    return this.pool.use((connection) => this.nowOn(connection))
  }

  /** The store's time, asked on this connection. */
  async nowOn(runner: Runner): Promise<number> {
    return (await this.#openOn(runner, ASK_TIME)).now
  }

  /** A connection that ended while nobody used it costs another try, not an error. */
  read<T>(fn: (session: QuerySession) => Promise<T>): Promise<T> {
    return readOn(this.pool, (connection) => fn(this.sessionOn(connection)))
  }

  /** What an opening finds, outside of a transaction. */
  look(opening: Opening, urgency: Urgency): Promise<{ readonly now: number; readonly rows: readonly Columns[] }> {
    return this.pool.use((connection) => this.#openOn(connection, opening), urgency)
  }

  /**
   * Runs one statement by itself, which `timed` makes, and which may be run twice. After a conflict, which left
   * nothing behind, and on a connection that had ended while nobody used it, it is run again, all within the deadline.
   */
  async statement(statement: string, params: readonly SqlValue[], urgency: Urgency): Promise<SqlResult> {
    const { text, values } = this.timed(statement, params)
    const tries = this.pool.tries()
    for (let count = 1; ; count++) {
      const attempt = async (connection: Connection) => {
        try {
          return await connection.execute(text, values)
        } catch (error) {
          noteWait(tries, error)
          const isEnded = connection.wasUsed && isLost(error)
          if (count > MAX_CONFLICTS || !(isEnded || isConflict(error))) throw error
          if (isEnded) connection.destroy()
          return null
        }
      }
      const result = await this.pool.use(attempt, urgency, tries)
      if (result !== null) return result
      await backOff(count)
    }
  }

  /** A statement as the server takes it; `NOW_SQL` in it is the store's time, `$1`, and the parameters follow. */
  timed(statement: string, params: readonly SqlValue[]) {
    const nowSql = this.#clock === undefined ? `GREATEST($1, ${SERVER_NOW})` : '$1'
    const now = this.#clock === undefined ? this.#lastNow : this.#saw(this.#clock.now())
    // allow sql: a constant of this file
    const template = this.dialect.template(statement.replace('NOW_SQL', `CAST(${nowSql} AS SIGNED)`))
    return filled(template, [now, ...params])
  }

  transact<T>(fn: (tx: Transaction) => Promise<T>, urgency: Urgency = 'ordinary'): Promise<T> {
    return this.transactOpening(ASK_TIME, fn, urgency)
  }

  /** `transact` with another first question than that for the time. `takesTurn`: it makes a large claim. */
  transactOpening<T>(
    opening: Opening,
    fn: (tx: OpenedTransaction) => Promise<T>,
    urgency: Urgency,
    takesTurn = false,
  ): Promise<T> {
    const known = new Set<string>()
    const begin = async (connection: Connection, restarts: number) => {
      if (takesTurn) await this.#turns.take(connection)
      const [, { now, rows }] = await Promise.all([connection.begin(), this.#openOn(connection, opening)])
      return { ...this.sessionOn(connection), now, opening: rows, known, restarts }
    }
    return this.#repeat(begin, fn, urgency)
  }

  /** A transaction that need not know the time: it stays on the server, as `STORED_NOW`, which saves a round trip. */
  transactUnasked<T>(fn: (session: QuerySession) => Promise<T>): Promise<T> {
    const begin = async (connection: Connection) => {
      if (this.#clock === undefined) await connection.beginSetting(SET_NOW, [this.#lastNow])
      else await connection.beginSetting(SET_OWN_NOW, [this.#saw(this.#clock.now())])
      return this.sessionOn(connection)
    }
    return this.#repeat(begin, fn, 'ordinary')
  }

  async #repeat<S, T>(
    begin: (connection: Connection, restarts: number) => Promise<S>,
    fn: (session: S) => Promise<T>,
    urgency: Urgency,
  ): Promise<T> {
    const tries = this.pool.tries()
    let conflicts = 0
    for (let restarts = 0; ; restarts++) {
      const outcome = await this.pool.use(
        (c) => this.#attempt(c, (on) => begin(on, restarts), fn, restarts, conflicts < MAX_CONFLICTS, tries),
        urgency,
        tries,
      )
      if ('value' in outcome) return outcome.value
      if (outcome.again === 'restart') continue
      conflicts++
      if (outcome.again === 'conflict') await backOff(conflicts)
    }
  }

  async #attempt<S, T>(
    connection: Connection,
    begin: (connection: Connection) => Promise<S>,
    fn: (session: S) => Promise<T>,
    restarts: number,
    mayRepeat: boolean,
    tries: Tries,
  ): Promise<{ readonly value: T } | { readonly again: 'conflict' | 'restart' | 'lost' }> {
    let hasBegun = false
    try {
      const session = await begin(connection)
      hasBegun = true
      const value = await fn(session)
      await connection.commit()
      return { value }
    } catch (error) {
      noteWait(tries, error)
      // Nothing was written yet: whoever ended the connection, another one may do.
      if (!hasBegun && mayRepeat && connection.wasUsed && isLost(error)) {
        connection.destroy()
        return { again: 'lost' }
      }
      // A deadlock has undone all, a wait for a lock only its statement; and what was sent behind either has been written since.
      if (!connection.isBroken) await connection.rollback().catch(() => connection.destroy())
      if (error instanceof Restart && restarts < MAX_RESTARTS) return { again: 'restart' }
      if (isConflict(error) && mayRepeat) return { again: 'conflict' }
      throw error
    } finally {
      this.#turns.leave(connection)
    }
  }

  async #openOn(runner: Runner, { statement, params }: Opening) {
    const manual = this.#clock === undefined ? undefined : this.#saw(this.#clock.now())
    const template = this.dialect.template(statement.replace('NOW_SQL', manual === undefined ? SERVER_NOW : '0'))
    const { text, values } = filled(template, params)
    const { rows } = await runner.execute(text, values)
    return { now: manual ?? this.#saw(int(rows[0]?.[0])), rows }
  }

  /** Remembers a time that the server told, and keeps it from going back. */
  #saw(now: number): number {
    this.#lastNow = Math.max(this.#lastNow, now)
    return this.#lastNow
  }

  sessionOn(runner: Runner): QuerySession {
    const select: QuerySession['select'] = async (text, values) => (await runner.execute(text, values.map(scalar))).rows
    const session: QuerySession = {
      ...keepingReady((statement, params) => {
        // MySQL does not prepare these; they are constant.
        if (typeof statement === 'string' && UNPREPARED.test(statement)) {
          return runner.run(statement).then(() => ({ rows: [], changes: 0 }))
        }
        const stepwise = typeof statement === 'string' ? STEPWISE.get(statement) : undefined
        if (stepwise !== undefined) return stepwise(session, params)
        const { text, values } = filled(this.dialect.template(statement), params)
        return runner.execute(text, values)
      }),
      select,
    }
    return session
  }
}

/** Longer each time and never the same, so that those who met do not meet again. */
function backOff(tries: number): Promise<void> {
  const ms = Math.random() * 2 ** Math.min(tries, 6)
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
