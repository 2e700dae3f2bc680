/**
 * One connection to one SQLite file, and the way into a write.
 *
 * SQLite's own waiting for a lock freezes the event loop and is unfair between processes (one of six waited 1,133 ms where
 * asynchronous retries waited 73 ms at most). So the connection opens with `timeout: 0`; a write that meets a lock goes to
 * the end of this connection's line, and the head of the line tries again after 0.5–2 ms of jitter until its deadline.
 * Every write is `BEGIN IMMEDIATE`: a deferred transaction that turns into a write fails at once with BUSY_SNAPSHOT.
 */
import { statSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { Clock } from '../../base/clock.ts'
import { SteadyTime } from '../../base/steady-time.ts'
import { StoreError } from '../../core/errors.ts'
import { type Columns, columnsOf } from '../sql/rows.ts'
import { isBusy, isOutOfRange, translateError } from './errors.ts'
import { prepareFile } from './file.ts'
import { retryNow } from './retry.ts'
import { Turns } from './turns.ts'

/** How long a read may hold up the event loop behind another program's lock. */
const READ_PATIENCE_MS = 500

/** Which file, and how it is written. */
export interface ConnectionOptions {
  /** A file's path, or `:memory:`. */
  readonly path: string
  /** `full`: an acknowledged job survives a power cut (fsync at each commit). `normal`: it survives a crash of the process. */
  readonly durability: 'full' | 'normal'
  /** How long a write waits for another program's lock before `STORE_BUSY`. */
  readonly busyDeadlineMs: number
  readonly clock: Clock
}

interface Waiting {
  readonly attempt: () => void
  readonly reject: (error: unknown) => void
  readonly deadline: number
}

/** One open file and its prepared statements. */
export class Connection {
  readonly path: string
  readonly #options: ConnectionOptions
  readonly #statements = new Map<string, StatementSync>()
  /** The same statements for rows with integers beyond 2^53, which are rare: they read every integer as a bigint. */
  readonly #exact = new Map<string, StatementSync>()
  readonly #line: Waiting[] = []
  #retry: NodeJS.Timeout | undefined
  #db: DatabaseSync | undefined
  #inode = 0
  readonly #time: SteadyTime
  #begin: StatementSync | undefined
  #commit: StatementSync | undefined
  #version: StatementSync | undefined
  readonly #turns = new Turns()
  /** Transactions committed through this connection. */
  writes = 0
  /** Counts claims over all queues, so that each begins with another one. */
  turn = 0

  constructor(options: ConnectionOptions, time = new SteadyTime(options.clock)) {
    this.#options = options
    this.#time = time
    this.path = options.path
  }

  /** The store's clock: the machine's, kept from going back. */
  now(): number {
    return this.#time.now()
  }

  get db(): DatabaseSync {
    if (this.#db === undefined) throw closedError(this.path)
    return this.#db
  }

  /** How long a write waits for another program's lock. */
  get busyDeadlineMs(): number {
    return this.#options.busyDeadlineMs
  }

  get isOpen(): boolean {
    return this.#db !== undefined
  }

  open(): void {
    if (this.#db !== undefined) return
    try {
      if (this.path !== ':memory:') prepareFile(this.path)
      const db = new DatabaseSync(this.path, { timeout: 0, enableForeignKeyConstraints: false })
      this.#db = db
      const full = this.#options.durability === 'full'
      // Several processes may be switching a new file to WAL at once.
      retryNow(() => db.exec('PRAGMA journal_mode = WAL'), this.#options.busyDeadlineMs)
      db.exec(`PRAGMA synchronous = ${full ? 'FULL' : 'NORMAL'}`)
      db.exec(
        'PRAGMA cache_size = -2000; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON',
      )
      this.#begin = db.prepare('BEGIN IMMEDIATE')
      this.#commit = db.prepare('COMMIT')
      this.#version = db.prepare('PRAGMA data_version')
      this.#version.setReturnArrays(true)
      if (this.path !== ':memory:') this.#inode = statSync(this.path).ino
    } catch (error) {
      this.#db?.close()
      this.#db = undefined
      throw translateError(error, this.path)
    }
  }

  /** A view of another open connection to the same file, whose transactions are its owner's. */
  borrow(db: DatabaseSync): Connection {
    const inner = new Connection(this.#options, this.#time)
    inner.#db = db
    return inner
  }

  close(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    for (const waiting of this.#line.splice(0)) waiting.reject(closedError(this.path))
    this.#statements.clear()
    this.#exact.clear()
    this.#begin = undefined
    this.#commit = undefined
    this.#version = undefined
    this.#db?.close()
    this.#db = undefined
  }

  /**
   * A prepared statement whose rows are arrays in the order of their columns. Prepared once per connection.
   *
   * A bound limit is written `LIMIT ? + 0`: SQLite looks at the value of a bare `LIMIT ?` when it prepares, and prepares the
   * statement anew whenever it is bound again (10.9 µs against 3.4 for ten keys of one name, 249 against 17 for ten keys out
   * of twenty names, 2 EPYC cores).
   */
  sql(text: string): StatementSync {
    const known = this.#statements.get(text)
    if (known !== undefined) return known
    const statement = this.db.prepare(text)
    statement.setReturnArrays(true)
    this.#statements.set(text, statement)
    return statement
  }

  /** Every row of a statement. An integer that no number can hold comes as a bigint, which `int` makes the nearest number. */
  all(text: string, ...params: readonly SQLInputValue[]): readonly Columns[] {
    try {
      // True of every statement that `sql` prepares: its rows are arrays.
      return this.sql(text).all(...params) as readonly unknown[] as readonly Columns[]
    } catch (error) {
      if (!isOutOfRange(error)) throw error
      return this.#exactly(text)
        .all(...params)
        .map(withNumbers)
    }
  }

  /** The first row of a statement, as `all` gives it; undefined when there is none. */
  get(text: string, ...params: readonly SQLInputValue[]): Columns | undefined {
    try {
      const row = this.sql(text).get(...params)
      return row === undefined ? undefined : columnsOf(row)
    } catch (error) {
      if (!isOutOfRange(error)) throw error
      const row = this.#exactly(text).get(...params)
      return row === undefined ? undefined : withNumbers(row)
    }
  }

  /** The first column of the first row; undefined when there is none. */
  first(text: string, ...params: readonly SQLInputValue[]): Columns[number] | undefined {
    return this.get(text, ...params)?.[0]
  }

  #exactly(text: string): StatementSync {
    const known = this.#exact.get(text)
    if (known !== undefined) return known
    const statement = this.db.prepare(text)
    statement.setReturnArrays(true)
    statement.setReadBigInts(true)
    this.#exact.set(text, statement)
    return statement
  }

  /**
   * Runs `fn`, which only reads, and translates what it throws. Readers are locked out only while the log is recovered, after a
   * crash or as the first one opens the file, or removed as the last one closes it: `patienceMs` is how long that may take.
   */
  read<T>(fn: () => T, patienceMs = READ_PATIENCE_MS): T {
    if (this.#db === undefined) throw closedError(this.path)
    try {
      this.#checkFile()
      return retryNow(fn, patienceMs)
    } catch (error) {
      throw translateError(error, this.path)
    }
  }

  /** Runs the synchronous `fn` inside one write transaction: at once when the lock is free, else as soon as it is. */
  write<T>(fn: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const attempt = () => resolve(this.#transact(fn))
      if (this.#line.length > 0) return this.#wait(attempt, reject)
      const restMs = this.#turns.rest(performance.now())
      if (restMs > 0) return this.#wait(attempt, reject, restMs)
      try {
        attempt()
      } catch (error) {
        if (isBusy(error)) this.#wait(attempt, reject)
        else reject(translateError(error, this.path))
      }
    })
  }

  #transact<T>(fn: () => T): T {
    const db = this.db
    this.#checkFile()
    this.#begin?.run()
    try {
      this.#turns.began(columnOf(this.#version?.get()), performance.now())
      const value = fn()
      this.#commit?.run()
      this.writes++
      return value
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    } finally {
      this.#turns.ended(performance.now())
    }
  }

  #wait(attempt: () => void, reject: (error: unknown) => void, restMs = 0): void {
    this.#line.push({ attempt, reject, deadline: performance.now() + this.#options.busyDeadlineMs })
    this.#arm(restMs)
  }

  #arm(restMs = 0): void {
    this.#retry ??= setTimeout(
      () => {
        this.#retry = undefined
        this.#serveLine()
      },
      restMs + 0.5 + Math.random() * 1.5,
    )
  }

  #serveLine(): void {
    for (let head = this.#line[0]; head !== undefined; head = this.#line[0]) {
      try {
        head.attempt()
      } catch (error) {
        if (isBusy(error) && performance.now() < head.deadline) {
          this.#arm()
          return
        }
        head.reject(translateError(error, this.path))
      }
      this.#line.shift()
    }
  }

  /** A file that was deleted or replaced under us takes writes that nobody will ever read: refuse them. */
  #checkFile(): void {
    if (this.#inode === 0) return
    const found = statSync(this.path, { throwIfNoEntry: false })
    if (found?.ino === this.#inode) return
    const what = found === undefined ? 'was deleted' : 'was replaced by another file'
    throw new StoreError('closed', 'STORE_MOVED', `${this.path} ${what} while it was open`, {
      fields: { path: this.path },
      hint: 'Put the file back, or restart this process to begin with the new one.',
    })
  }
}

/** The one column of a row that a statement returned as an array. */
function columnOf(row: unknown): unknown {
  return Array.isArray(row) ? row[0] : undefined
}

/** A row read with bigints, those turned back into numbers that can be. */
function withNumbers(row: unknown): Columns {
  return columnsOf(row).map((value) => {
    if (typeof value !== 'bigint') return value
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  })
}

/** The error of every call on a closed store. */
function closedError(path: string): StoreError {
  return new StoreError('closed', 'STORE_CLOSED', `the store ${path} is closed`, { fields: { path } })
}
