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
import { resultOf } from './values.ts'

/** A value as the driver takes it. */
export type Bound = string | number | null | Uint8Array

/** What runs statements: our own connection, or a user's. */
export interface Runner {
  /** Runs a prepared statement. */
  execute(text: string, values: readonly Bound[]): Promise<SqlResult>
  /** Runs constant text without parameters. */
  run(text: string): Promise<void>
}

/** The two kinds of server. */
export type Flavor = 'mysql' | 'mariadb'

const MAX_PREPARED = 150
/** How long a goodbye may take. */
const GOODBYE_MS = 1_000
/** How long the server waits for more of an open transaction; a worker that was stopped holds locks no longer. */
const IDLE_IN_TRANSACTION_S = 60
const SQL_MODE = 'STRICT_ALL_TABLES,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'
const ISOLATION = {
  work: 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  looks: 'SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED',
} as const
/** MySQL takes a whole second at least. */
const TABLE_WAIT = { work: '', looks: 'lock_wait_timeout = 1, ' } as const
const OLDEST = { mysql: [8, 0, 17], mariadb: [10, 6, 0] } as const

/**
 * What a connection is for. One for looks beside transactions of callers sees what is not committed, and waits no longer than
 * the server's shortest time for a table that is being altered.
 */
export type Purpose = 'work' | 'looks'

/** A connection of our own, its session set up. */
export class Connection implements Runner {
  readonly #raw: Raw
  /** What waits for an answer: the driver forgets its callbacks when a connection is destroyed. */
  readonly #waiting = new Set<(error: unknown) => void>()
  #isBroken = false
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
    const fault = packetFault(values, this.#maxPacketBytes)
    return fault === null ? this.#answered(executeOn(this.#raw, text, values)) : Promise.reject(fault)
  }

  /** Resolves when the server answers. */
  check(): Promise<void> {
    return this.run('DO 0')
  }

  run(text: string): Promise<void> {
    return this.#answered(runOn(this.#raw, text))
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

/**
 * Sets what our statements rely on, whatever the server's defaults are: strict mode, so that nothing is cut off silently;
 * READ COMMITTED, so that a claim locks no gaps; UTC, since a summer time says some instants twice; English sentences.
 * Returns how many bytes the server takes at once.
 */
async function prepareSession(connection: Connection, deadlineMs: number, purpose: Purpose): Promise<number> {
  const { rows } = await connection.execute('SELECT version() AS version, @@max_allowed_packet AS bytes', [])
  const version = String(rows[0]?.[0])
  const flavor = flavorOf(version)
  refuseOld(version, flavor)
  const seconds = Math.max(1, Math.ceil(deadlineMs / 1000))
  await connection.run(ISOLATION[purpose])
  // allow sql: constants and numbers
  await connection.run(
    `SET SESSION sql_mode = '${SQL_MODE}', time_zone = '+00:00', lc_messages = 'en_US', ` +
      `innodb_lock_wait_timeout = ${lockWaitSeconds(deadlineMs)}, ${TABLE_WAIT[purpose]}${sessionLimits(flavor, seconds)}`,
  )
  const mode = (await connection.execute('SELECT @@SESSION.sql_mode AS mode', [])).rows[0]?.[0]
  if (!String(mode).includes('STRICT_TRANS_TABLES')) {
    throw new ConfigError('CONFIG_INVALID', `the server keeps sql_mode at ${JSON.stringify(mode)}: it is not strict`, {
      hint: 'Let the session set STRICT_TRANS_TABLES; a proxy in between may forbid it.',
    })
  }
  return Number(rows[0]?.[1])
}

/**
 * How long a statement waits for a row, in whole seconds: a quarter of the deadline. A wait that is in vain then ends while the call has
 * time left: its transaction lets go of what it holds meanwhile, and is run again.
 */
export function lockWaitSeconds(deadlineMs: number): number {
  return Math.max(1, Math.floor(deadlineMs / 4_000))
}

/**
 * How long a statement may take, and how long an open transaction may stand still. MySQL does not tell the latter from a session
 * that nobody uses, so it ends both: the pool makes a connection that has ended anew.
 */
export function sessionLimits(flavor: Flavor, seconds: number): string {
  return flavor === 'mariadb'
    ? `max_statement_time = ${seconds}, idle_transaction_timeout = ${IDLE_IN_TRANSACTION_S}`
    : `max_execution_time = ${seconds * 1000}, wait_timeout = ${IDLE_IN_TRANSACTION_S}`
}

/** Which of the two a server is, by its version. */
export function flavorOf(version: string): Flavor {
  return /mariadb/i.test(version) ? 'mariadb' : 'mysql'
}

/** Throws when a server is older than what our statements need. */
export function refuseOld(version: string, flavor: Flavor): void {
  const oldest = OLDEST[flavor]
  const numbers = (/(\d+)\.(\d+)\.(\d+)/.exec(version.replace(/^5\.5\.5-/, '')) ?? []).slice(1).map(Number)
  for (const [i, least] of oldest.entries()) {
    const number = numbers[i] ?? 0
    if (number > least) return
    if (number < least) {
      throw new ConfigError('CONFIG_INVALID', `the server is ${version}; ${flavor} ${oldest.join('.')} is needed`, {
        hint: 'Update the server.',
      })
    }
  }
}
