/** Transactions and time over the pool: what the shared slow road and the hot path stand on. */
import type { Clock } from '../../base/clock.ts'
import { Pool, type Tries } from '../sql/pool.ts'
import { int } from '../sql/rows.ts'
import {
  type Database,
  type QuerySession,
  Restart,
  type SqlResult,
  type SqlValue,
  type Statement,
  type Transaction,
} from '../sql/session.ts'
import type { Urgency } from '../sql/shares.ts'
import { Connection } from './connection.ts'
import { PostgresDialect } from './dialect.ts'
import { isConflict, isCutShort, isLockTimeout, translateError } from './errors.ts'
import { transactionLimits } from './limits.ts'
import { describeTarget, type PostgresSettings } from './options.ts'
import { NOTIFY_QUIETLY, riding, type Wake } from './wake.ts'

/** The server's clock in milliseconds, kept from going back behind what was seen before (the parameter). */
const ASK_TIME = 'SELECT greatest($1::bigint, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)'
const SERVER_NOW = ASK_TIME.replace('SELECT ', '')
const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED'
/** Begun again this often before a conflict is the caller's. */
const MAX_CONFLICTS = 8
const MAX_RESTARTS = 50

/** How the others are told that something changed. */
type Hints = Pick<Wake, 'hint' | 'hintBehind' | 'ride' | 'rode'>

/** Called when a statement is sent, with what sends a hint of it right behind and tells whether it did. */
type OnTry = (hintBehind: () => boolean) => void

/** How a statement by itself is run, where that is not as usual. */
interface StatementOptions {
  /** Of the call that it is a part of. */
  readonly tries?: Tries
  /** False: it says itself how long it waits for a lock, and a wait that was in vain is the caller's at once. */
  readonly isPatient?: boolean
  readonly onTry?: OnTry
}

/** One schema of a database, as the shared slow road sees it. */
export class PostgresDatabase implements Database {
  readonly pool: Pool<Connection>
  readonly dialect: PostgresDialect
  readonly settings: PostgresSettings
  /** The store's time as SQL, with `nowParam` as `$1`. */
  readonly nowSql: string
  readonly #clock: Clock | undefined
  readonly #wake: Hints
  readonly #timed = new Map<string, string>()
  readonly #beginText: string
  #lastNow = 0

  /** `clock`: for tests, instead of the server's. */
  constructor(settings: PostgresSettings, clock: Clock | undefined, wake: Hints) {
    this.settings = settings
    this.pool = poolOf(settings)
    this.dialect = new PostgresDialect(settings.schema)
    this.nowSql = clock === undefined ? SERVER_NOW : '$1::bigint'
    this.#clock = clock
    this.#wake = wake
    // allow sql: constants and numbers
    this.#beginText = settings.pooler === 'none' ? BEGIN : `${BEGIN}; ${transactionLimits(settings.deadlineMs)}`
  }

  hint(): void {
    this.#wake.hint()
  }

  /** Sends a notification, which waits neither for the disk nor long for others'. */
  notify(channel: string, payload: string): Promise<unknown> {
    return this.pool.use((connection) => connection.query(NOTIFY_QUIETLY, [channel, payload]))
  }

  /** What `nowSql` takes: the latest time seen, or a test's own. */
  nowParam(): number {
    return this.#clock === undefined ? this.#lastNow : this.saw(this.#clock.now())
  }

  /** Remembers a time that the server told. */
  saw(now: number): number {
    this.#lastNow = Math.max(this.#lastNow, now)
    return this.#lastNow
  }

  time(): Promise<number> {
    return this.pool.use((connection) => this.nowOn(connection))
  }

  /** The store's time, asked on this connection. */
  async nowOn(connection: Pick<Connection, 'query'>): Promise<number> {
    const param = this.nowParam()
    if (this.#clock !== undefined) {
      await connection.query('SELECT 1')
      return param
    }
    const { rows } = await connection.query(ASK_TIME, [param])
    return this.saw(int(rows[0]?.[0]))
  }

  /** Where the server's default is SERIALIZABLE a statement alone may be a conflict, too: nothing is left of it, and it runs again. */
  read<T>(fn: (session: QuerySession) => Promise<T>): Promise<T> {
    return this.#repeat((connection) => fn(this.sessionOn(connection)), 'ordinary', this.pool.tries(true))
  }

  /** A statement of the hot path as the server takes it, `NOW_SQL` in it replaced by the store's time. */
  timed(text: string): string {
    const known = this.#timed.get(text)
    if (known !== undefined) return known
    const compiled = this.dialect.compile(text.replace('NOW_SQL', this.nowSql))
    this.#timed.set(text, compiled)
    return compiled
  }

  /**
   * Runs one statement, which `timed` made, by itself. After a conflict and a wait for a lock that was in vain, neither of which
   * left anything behind, it is run again, all within the deadline.
   */
  statement(
    text: string,
    values: readonly SqlValue[],
    urgency: Urgency,
    { tries = this.pool.tries(), isPatient = true, onTry }: StatementOptions = {},
  ): Promise<SqlResult> {
    const run = (connection: Connection) => {
      const answer = this.#alone(connection, text, values)
      onTry?.(() => this.#wake.hintBehind(connection))
      return answer
    }
    return this.#repeat(run, urgency, tries, isPatient)
  }

  async #repeat<T>(
    fn: (connection: Connection) => Promise<T>,
    urgency: Urgency,
    tries: Tries,
    isPatient = true,
  ): Promise<T> {
    for (let count = 1; ; count++) {
      const attempt = async (connection: Connection) => {
        try {
          return { value: await fn(connection) }
        } catch (error) {
          const hasWaited = isPatient && noteWait(tries, error)
          if (connection.isBusy && isCutShort(error)) {
            // What was asked together with it may take as long again, and nobody is to stand behind that. Others' connections are well.
            tries.waited ??= error
            connection.destroy()
          }
          if ((hasWaited || isConflict(error)) && count < MAX_CONFLICTS) return null
          throw error
        }
      }
      const done = await this.pool.use(attempt, urgency, tries)
      if (done !== null) return done.value
      await backOff(count)
    }
  }

  /**
   * Runs one statement by itself. Behind a pooler no session has our limits, so it brings them along in a transaction of its own,
   * all of which is sent as one and costs no round trip more.
   */
  async #alone(connection: Connection, text: string, values: readonly SqlValue[]): Promise<SqlResult> {
    if (this.settings.pooler === 'none') return connection.query(text, values)
    const [begun, answer, committed] = await Promise.allSettled([
      connection.run(this.#beginText),
      connection.query(text, values),
      connection.run('COMMIT'),
    ])
    if (begun.status === 'rejected') throw begun.reason
    if (answer.status === 'rejected') throw answer.reason
    if (committed.status === 'rejected') throw committed.reason
    return answer.value
  }

  /**
   * The same for a statement that makes news, with a hint in it when the time is right for that. `onHint`: a hint of it went in it
   * or right behind it, or not.
   */
  async newsStatement(
    text: string,
    values: readonly SqlValue[],
    mayRide: boolean,
    onHint: (isHinted: boolean) => void,
  ) {
    const ride = mayRide ? this.#wake.ride() : null
    const tries = this.pool.tries()
    const onPlainTry: OnTry = (hintBehind) => onHint(hintBehind())
    const plainly = () => this.statement(text, values, 'ordinary', { tries, onTry: onPlainTry })
    if (ride === null) return plainly()
    let sentAt = 0
    const onTry = () => {
      sentAt = performance.now()
    }
    try {
      const options = { tries, isPatient: false, onTry }
      const result = await this.statement(riding(text, values.length), [...values, ...ride], 'ordinary', options)
      onHint(true)
      return result
    } catch (error) {
      // Nothing was written: others' hints were in the way, or another lock, which is waited for then.
      if (!isLockTimeout(error)) throw error
      return await plainly()
    } finally {
      if (sentAt > 0) this.#wake.rode(performance.now() - sentAt)
    }
  }

  async transact<T>(fn: (tx: Transaction) => Promise<T>, urgency: Urgency = 'ordinary'): Promise<T> {
    const known = new Set<string>()
    const tries = this.pool.tries()
    let conflicts = 0
    for (let restarts = 0; ; restarts++) {
      const outcome = await this.pool.use(
        (c) => this.#attempt(c, fn, known, restarts, conflicts < MAX_CONFLICTS, tries),
        urgency,
        tries,
      )
      if ('value' in outcome) return outcome.value
      if (outcome.again === 'conflict') {
        conflicts++
        await backOff(conflicts)
      }
    }
  }

  async #attempt<T>(
    connection: Connection,
    fn: (tx: Transaction) => Promise<T>,
    known: Set<string>,
    restarts: number,
    mayRepeat: boolean,
    tries: Tries,
  ): Promise<{ readonly value: T } | { readonly again: 'conflict' | 'restart' }> {
    try {
      const now = await this.#begin(connection)
      const value = await fn({ ...this.sessionOn(connection), now, known, restarts })
      await connection.run('COMMIT')
      return { value }
    } catch (caught) {
      // Statements travel together, and the first to fail need not be the first that is heard of.
      const error = connection.reasonOf(caught)
      const hasWaited = noteWait(tries, error)
      if (!connection.isBroken) await connection.run('ROLLBACK').catch(() => connection.destroy())
      if (error instanceof Restart && restarts < MAX_RESTARTS) return { again: 'restart' }
      if ((hasWaited || isConflict(error)) && mayRepeat) return { again: 'conflict' }
      throw error
    }
  }

  async #begin(connection: Connection): Promise<number> {
    const begun = connection.run(this.#beginText)
    if (this.#clock !== undefined) {
      await begun
      return this.nowParam()
    }
    const [, now] = await Promise.all([begun, this.nowOn(connection)])
    return now
  }

  sessionOn(connection: Pick<Connection, 'query'>): QuerySession {
    return {
      query: (statement: Statement, params?: readonly SqlValue[]) =>
        connection.query(this.dialect.compile(statement), params),
      select: async (text, values) => (await connection.query(text, values)).rows,
    }
  }
}

function poolOf(settings: PostgresSettings): Pool<Connection> {
  const where = describeTarget(settings)
  return new Pool({
    where,
    size: settings.pool,
    deadlineMs: settings.deadlineMs,
    connect: (timeoutMs, signal) => Connection.open(settings, timeoutMs, signal),
    // The driver tells the connection by its own event, whatever the error of a call was.
    isLost: () => false,
    translate: (error) => translateError(error, where),
  })
}

/** Notes among the tries of a call that one failed since it waited for a lock in vain; whether it did. */
function noteWait(tries: Tries, error: unknown): boolean {
  if (!isLockTimeout(error)) return false
  tries.waited = error
  return true
}

function backOff(tries: number): Promise<void> {
  const ms = Math.random() * 2 ** Math.min(tries, 6)
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
