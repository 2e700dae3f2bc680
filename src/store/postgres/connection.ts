/** One connection to the server: statements in, rows as arrays out, destroyed when it is past its deadline. */
import type { Client, ClientConfig, QueryArrayConfig } from 'pg'
import { ConfigError } from '../../core/errors.ts'
import type { Columns } from '../sql/rows.ts'
import type { SqlResult } from '../sql/session.ts'
import { isAfterFailure, translateConnectError } from './errors.ts'
import { sessionOptions } from './limits.ts'
import { describeTarget, type PostgresSettings, type PostgresTarget } from './options.ts'

type Value = string | number | null | Uint8Array | readonly string[] | readonly number[]

/** Statements that are prepared under a name on one connection; those beyond are sent whole each time. */
const MAX_NAMED = 500
/** How long a goodbye may take: a server that has fallen silent never answers it. */
const GOODBYE_MS = 1_000

/** A session with the server. */
export class Connection {
  readonly #client: Client
  readonly #names: Map<string, string> | undefined
  #isBroken = false
  /** Statements of callers' that are under way. */
  #asked = 0
  /** The first of the statements that failed since the last that did not. */
  #failure: { readonly error: unknown } | null = null
  /** See `Pooled`. */
  idleSince = 0

  private constructor(client: Client, isNaming: boolean) {
    this.#client = client
    this.#names = isNaming ? new Map() : undefined
    // A connection that fails while nobody waits for it tells it here; unheard, the event would end the process.
    client.on('error', () => this.destroy())
    client.on('end', () => {
      this.#isBroken = true
    })
  }

  /**
   * Connects. Fails after `timeoutMs`, and when `signal` says that nobody waits for it any more, with an error that says what it
   * means for a caller.
   */
  static async open(settings: PostgresSettings, timeoutMs: number, signal?: AbortSignal): Promise<Connection> {
    const { Client } = await loadPg()
    const client = new Client(configOf(settings, timeoutMs))
    const connection = new Connection(client, settings.pooler === 'none')
    const giveUp = () => connection.destroy()
    signal?.addEventListener('abort', giveUp)
    if (signal?.aborted === true) giveUp()
    try {
      await client.connect()
    } catch (error) {
      connection.destroy()
      throw translateConnectError(error, describeTarget(settings))
    } finally {
      signal?.removeEventListener('abort', giveUp)
    }
    return connection
  }

  /** Whether it is of no more use. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /** Calls `onMessage` for each notification. */
  onNotification(onMessage: (payload: string) => void): void {
    this.#client.on('notification', (message) => onMessage(message.payload ?? ''))
  }

  onEnd(onEnd: () => void): void {
    this.#client.on('end', onEnd)
  }

  /** Whether the server has yet to answer a statement of a caller's. */
  get isBusy(): boolean {
    return this.#asked > 0
  }

  /** Runs one statement. Calls that are not awaited in between travel together and run in order. */
  async query(text: string, values: readonly Value[] = []): Promise<SqlResult> {
    this.#asked++
    try {
      return await this.queryBeside(text, values)
    } finally {
      this.#asked--
    }
  }

  /** The same, for what no caller waits for, and which is done as soon as it is heard: the connection is not busy with it. */
  async queryBeside(text: string, values: readonly Value[] = []): Promise<SqlResult> {
    // The driver takes any array; it only reads it.
    const config: QueryArrayConfig<unknown[]> = { text, values: values as unknown[], rowMode: 'array' }
    const name = this.#nameOf(text)
    if (name !== undefined) config.name = name
    const result = await this.#client.query(config).catch((error: unknown) => {
      this.#failure ??= { error }
      throw error
    })
    this.#failure = null
    // Rows are arrays of what `parsers` give, which are columns.
    return { rows: result.rows as readonly unknown[] as readonly Columns[], changes: result.rowCount ?? 0 }
  }

  /** What failed first, when this error only says that the transaction has failed before. */
  reasonOf(error: unknown): unknown {
    return isAfterFailure(error) && this.#failure !== null ? this.#failure.error : error
  }

  /** Runs constant text without parameters, several statements too. */
  async run(text: string): Promise<void> {
    await this.#client.query(text)
  }

  /** Resolves when the server answers. */
  check(): Promise<void> {
    return this.run('SELECT 1')
  }

  #nameOf(text: string): string | undefined {
    if (this.#names === undefined) return undefined
    const known = this.#names.get(text)
    if (known !== undefined || this.#names.size >= MAX_NAMED) return known
    const name = `m${this.#names.size}`
    this.#names.set(text, name)
    return name
  }

  /** Says goodbye to the server. */
  async close(): Promise<void> {
    this.#isBroken = true
    const timer = setTimeout(() => this.destroy(), GOODBYE_MS)
    await this.#client.end().catch(() => this.destroy())
    clearTimeout(timer)
  }

  /** Ends it at once; whatever waits on it fails. */
  destroy(): void {
    this.#isBroken = true
    // The driver has no public way to drop a connection whose server does not answer.
    const inner = this.#client as unknown as { readonly connection?: { readonly stream?: { destroy(): void } } }
    inner.connection?.stream?.destroy()
  }
}

/** Loads the driver, which is the user's to install. */
export async function loadPg(): Promise<typeof import('pg').default> {
  try {
    return (await import('pg')).default
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new ConfigError('CONFIG_INVALID', 'a postgres store needs the package pg, which is not installed', {
      hint: 'Install it: npm i pg',
      cause: error,
    })
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
}

function configOf(settings: PostgresSettings, timeoutMs: number): ClientConfig {
  const { target, deadlineMs, pooler } = settings
  const config: ClientConfig & { pipeline: boolean } = {
    host: target.host,
    port: target.port,
    ssl: sslOf(target),
    application_name: 'millrace',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: Math.max(1, timeoutMs),
    pipeline: true,
    types: { getTypeParser: parserOf },
  }
  if (target.user !== undefined) config.user = target.user
  if (target.password !== undefined) config.password = target.password
  if (target.database !== undefined) config.database = target.database
  // A pooler in transaction mode hands sessions around: what is set on one would belong to a stranger.
  if (pooler === 'none') config.options = sessionOptions(deadlineMs)
  return config
}

/** The driver names the host to the server and to the check of its certificate by itself. */
function sslOf({ sslmode, ca }: PostgresTarget): ClientConfig['ssl'] {
  const trusted = ca === undefined ? {} : { ca }
  switch (sslmode) {
    case 'disable':
      return false
    case 'require':
      return { rejectUnauthorized: false }
    case 'verify-ca':
      return { ...trusted, rejectUnauthorized: true, checkServerIdentity: () => undefined }
    case 'verify-full':
      return { ...trusted, rejectUnauthorized: true }
    default:
      return sslmode satisfies never
  }
}

/** Numbers as numbers, beyond 2^53 as bigints; bytes as bytes; a row's place as a number; everything else as text. */
export function parserOf(oid: number): (value: string) => unknown {
  switch (oid) {
    case 20:
      return (value) => {
        const number = Number(value)
        return Number.isSafeInteger(number) ? number : BigInt(value)
      }
    case 16:
      return (value) => (value === 't' ? 1 : 0)
    case 21:
    case 23:
    case 701:
      return Number
    case 17:
      return bytesOf
    case 27:
      return spotOf
    default:
      return String
  }
}

/** Small values share memory, as Node's own buffers do, so that each is one object. */
const SHARED_BYTES = 16_384
const MAX_SHARING = 2_048
let shared = Buffer.allocUnsafeSlow(SHARED_BYTES)
let sharedUsed = 0

/** `\x` and hexadecimal digits, as plain bytes. */
function bytesOf(value: string): Uint8Array {
  const size = value.length / 2 - 1
  const isSharing = size <= MAX_SHARING
  if (!isSharing || sharedUsed + size > SHARED_BYTES) {
    const memory = Buffer.allocUnsafeSlow(isSharing ? SHARED_BYTES : size)
    if (!isSharing) {
      memory.write(value.slice(2), 'hex')
      return new Uint8Array(memory.buffer)
    }
    shared = memory
    sharedUsed = 0
  }
  const at = sharedUsed
  sharedUsed += shared.write(value.slice(2), at, 'hex')
  return new Uint8Array(shared.buffer, at, size)
}

const ZERO = 48
const COMMA = 44

/** `(page,line)` as `page × 65,536 + line`. */
function spotOf(value: string): number {
  let page = 0
  let number = 0
  for (let i = 1; i < value.length - 1; i++) {
    const code = value.charCodeAt(i)
    if (code === COMMA) {
      page = number
      number = 0
    } else number = 10 * number + code - ZERO
  }
  return page * 65_536 + number
}
