/**
 * One connection to the server: statements in, rows as arrays out, destroyed when it is past its deadline.
 *
 * Every value travels as a parameter of a prepared statement (`execute`); only constant text goes through `query`. The
 * driver keeps so many prepared statements per connection, the oldest closed: a server holds 16,382 of them for all.
 */
import type { ConnectionOptions, Connection as Raw } from 'mysql2'
import { ConfigError } from '../../core/errors.ts'
import type { SqlResult } from '../sql/session.ts'
import { translateConnectError } from './errors.ts'
import { describeTarget, type MysqlSettings, type MysqlTarget } from './options.ts'
import { packetFault } from './packet.ts'
import { type Purpose, prepareSession } from './prepare.ts'
import type { Bound, Runner } from './runner.ts'
import { resultOf } from './values.ts'

const MAX_PREPARED = 150
/** How long a goodbye may take. */
const GOODBYE_MS = 1_000

/**
 * Where a session is: each statement by itself; ready for a transaction, with `autocommit` off and nothing open; inside one; or one
 * is being committed or undone.
 */
type Mode = 'alone' | 'ready' | 'inside' | 'ending'

/** A connection of our own, its session set up. */
export class Connection implements Runner {
  readonly #raw: Raw
  /** What waits for an answer: the driver forgets its callbacks when a connection is destroyed. */
  readonly #waiting = new Set<(error: unknown) => void>()
  #isBroken = false
  #mode: Mode = 'alone'
  #maxPacketBytes = Number.POSITIVE_INFINITY
  /** See `Pooled`. */
  idleSince = 0

  private constructor(raw: Raw) {
    this.#raw = raw
    // A connection that fails while nobody waits for it tells it here; unheard, the event would end the process.
    raw.on('error', (error) => this.destroy(error))
    raw.on('end', () => {
      this.#isBroken = true
    })
  }

  /** Connects and sets up the session. Fails after `timeoutMs`, and when `signal` says that nobody waits for it any more. */
  static async open(
    settings: MysqlSettings,
    timeoutMs: number,
    purpose: Purpose = 'work',
    signal?: AbortSignal,
  ): Promise<Connection> {
    const { createConnection } = await loadMysql()
    const raw = createConnection(configOf(settings.target, timeoutMs))
    const connection = new Connection(raw)
    const giveUp = () => connection.destroy()
    const timer = setTimeout(giveUp, Math.max(1, timeoutMs))
    signal?.addEventListener('abort', giveUp)
    if (signal?.aborted === true) giveUp()
    try {
      await connection.#answered(
        new Promise<void>((resolve, reject) => {
          raw.connect((error) => (error === null ? resolve() : reject(error)))
        }),
      )
      connection.#maxPacketBytes = await prepareSession(connection, settings.deadlineMs, purpose)
      return connection
    } catch (error) {
      connection.destroy()
      throw translateConnectError(error, describeTarget(settings))
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
    }
  }

  /** Its number on the server. */
  get threadId(): number | undefined {
    return this.#raw.threadId ?? undefined
  }

  /** Whether it lay idle, or a call was made on it, before this one. */
  get wasUsed(): boolean {
    return this.idleSince > 0
  }

  /** Whether it is of no more use. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  execute(text: string, values: readonly Bound[]): Promise<SqlResult> {
    if (this.#mode === 'ending') return Promise.reject(tooLate())
    this.#leave()
    return this.aside(text, values)
  }

  run(text: string): Promise<void> {
    if (this.#mode === 'ending') return Promise.reject(tooLate())
    this.#leave()
    return this.#answered(runOn(this.#raw, text))
  }

  /** Runs what touches no table: it is the same inside a transaction and outside. */
  aside(text: string, values: readonly Bound[]): Promise<SqlResult> {
    const fault = packetFault(values, this.#maxPacketBytes)
    return fault === null ? this.#answered(executeOn(this.#raw, text, values)) : Promise.reject(fault)
  }

  /** Resolves when the server answers. */
  check(): Promise<void> {
    return this.#answered(runOn(this.#raw, 'DO 0'))
  }

  /**
   * Begins a transaction. It is what lies between this and `commit` or `rollback`, not what follows START TRANSACTION: a deadlock
   * ends the server's transaction at once, and what was already sent behind the statement that met it would then commit itself.
   * A session stays like this from one transaction to the next, until a statement is run outside of one: a trip less for each.
   */
  async begin(): Promise<void> {
    const isReady = this.#mode === 'ready'
    this.#mode = 'inside'
    if (!isReady) await this.#set(this.run('SET autocommit = 0'))
  }

  /** `begin`, with what else the session is to be set to: constant text, with a place for each value. */
  async beginSetting(text: string, values: readonly Bound[]): Promise<void> {
    this.#mode = 'inside'
    // allow sql: constant text
    await this.#set(this.aside(`SET autocommit = 0, ${text}`, values))
  }

  commit(): Promise<void> {
    return this.#end('COMMIT')
  }

  rollback(): Promise<void> {
    return this.#end('ROLLBACK')
  }

  /** Nothing of the transaction may come behind its end, as what waits for an answer would, when something beside it has failed. */
  async #end(text: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    this.#mode = 'ending'
    try {
      await this.#answered(runOn(this.#raw, text))
      this.#mode = 'ready'
    } catch (error) {
      this.#mode = 'inside'
      throw error
    }
  }

  /** Says goodbye to the server. */
  async close(): Promise<void> {
    this.#isBroken = true
    const timer = setTimeout(() => this.destroy(), GOODBYE_MS)
    const ended = new Promise<void>((resolve) => {
      this.#raw.end(() => resolve())
    })
    // One that does not answer has been destroyed, which is an end as well.
    await this.#answered(ended).catch(() => undefined)
    clearTimeout(timer)
  }

  /** Ends it at once; whatever waits on it fails, with `reason` if there is one. */
  destroy(reason?: unknown): void {
    this.#isBroken = true
    this.#raw.destroy()
    // The driver only ends its side, which a silent server never answers.
    const { stream } = this.#raw as unknown as { readonly stream?: { destroy?(): void } }
    stream?.destroy?.()
    const lost =
      reason ?? Object.assign(new Error('the connection was destroyed'), { code: 'PROTOCOL_CONNECTION_LOST' })
    for (const refuse of this.#waiting) refuse(lost)
    this.#waiting.clear()
  }

  /** What is sent next is no transaction's: it is to commit itself. */
  #leave(): void {
    if (this.#mode !== 'ready') return
    this.#mode = 'alone'
    this.#set(this.#answered(runOn(this.#raw, 'SET autocommit = 1'))).catch(() => undefined)
  }

  /** When it is not known how a session is set, nothing more is to be run in it. */
  async #set(setting: Promise<unknown>): Promise<void> {
    try {
      await setting
    } catch (error) {
      this.destroy(error)
      throw error
    }
  }

  #answered<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject)
      const done = () => this.#waiting.delete(reject)
      answer.then(resolve, reject).finally(done)
    })
  }
}

/** Loads the driver, which is the user's to install. */
export async function loadMysql(): Promise<typeof import('mysql2')> {
  try {
    return (await import('mysql2')).default
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error
    throw new ConfigError('CONFIG_INVALID', 'a mysql store needs the package mysql2, which is not installed', {
      hint: 'Install it: npm i mysql2',
      cause: error,
    })
  }
}

/** Runs a prepared statement on a connection of the driver's callback kind. */
export function executeOn(raw: Raw, text: string, values: readonly Bound[]): Promise<SqlResult> {
  return new Promise((resolve, reject) => {
    const bound = values.map((value) =>
      value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value,
    )
    raw.execute({ sql: text, rowsAsArray: true }, bound, (error, rows, fields) => {
      if (error === null) resolve(resultOf(rows, fields))
      else reject(error)
    })
  })
}

/** Runs constant text on a connection of the driver's callback kind. */
export function runOn(raw: Raw, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    raw.query(text, (error) => (error === null ? resolve() : reject(error)))
  })
}

/** What a statement is told whose transaction is over: another one's failure has been told. */
function tooLate(): Error {
  return new Error('the transaction is over')
}

function configOf(target: MysqlTarget, timeoutMs: number): ConnectionOptions {
  const { host, port, socket, user, password, database, tls, ca } = target
  return {
    ...(socket === undefined ? { host, port } : { socketPath: socket }),
    user,
    database,
    ...(password !== undefined && { password }),
    ...(tls !== 'off' && {
      ssl: {
        rejectUnauthorized: tls === 'verify',
        verifyIdentity: tls === 'verify' && socket === undefined,
        ...(ca !== undefined && { ca }),
      },
    }),
    charset: 'utf8mb4',
    connectTimeout: Math.max(1, Math.floor(timeoutMs)),
    enableKeepAlive: true,
    keepAliveInitialDelay: 10_000,
    maxPreparedStatements: MAX_PREPARED,
    multipleStatements: false,
    supportBigNumbers: true,
    decimalNumbers: true,
    jsonStrings: true,
    // The number of rows changed tells a row that was left from one that was written.
    flags: ['-FOUND_ROWS'],
  }
}
