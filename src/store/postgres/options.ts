/** A PostgreSQL store's URL as options: `postgres://user:password@host:port/database?schema=…&pool=…&deadline=…&sslmode=…&ca=…&pooler=…`. */
import { parseDuration } from '../../core/duration.ts'
import { ConfigError } from '../../core/errors.ts'
import { certificatesOf, isLocal, parseServerUrl, refusedUrl } from '../sql/server-url.ts'
import { DEFAULT_POOL } from '../sql/shares.ts'

/** How far the server's certificate is believed, as in libpq. */
export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full'

/** Where the database is and how it is spoken to. What is absent comes from the PG… variables of the environment. */
export interface PostgresTarget {
  readonly host: string
  readonly port: number
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly sslmode: SslMode
  /** Certificates of the authorities to trust, as PEM text; absent: those that Node trusts. */
  readonly ca: string | undefined
}

/** All that a URL says. */
export interface PostgresSettings {
  readonly target: PostgresTarget
  /** The schema that holds our tables. Default `millrace`. */
  readonly schema: string
  /** Connections at most, beside one that listens. Default 5. */
  readonly pool: number
  /** How long a call may take in all, connecting and waiting for a connection included. Default 30 s. */
  readonly deadlineMs: number
  /** `transaction`: there is a pooler in between, so nothing may be kept in a session: no named statements, no LISTEN. */
  readonly pooler: 'none' | 'transaction'
}

const PARAMETERS = ['schema', 'pool', 'deadline', 'sslmode', 'ca', 'pooler', 'host']
const MODES: readonly string[] = ['disable', 'require', 'verify-ca', 'verify-full'] satisfies readonly SslMode[]
const MAX_POOL = 200
const DEFAULT_PORT = 5432
const MAX_PORT = 65_535

/** Reads a URL. Throws `STORE_URL` with a sentence that holds no password, and `CONFIG_INVALID` when `PGPORT` is no port. */
export function postgresSettings(url: string): PostgresSettings {
  const parsed = parseServerUrl('postgres', url)
  const params = parsed.searchParams
  const unknown = [...params.keys()].find((key) => !PARAMETERS.includes(key))
  if (unknown !== undefined) throw refused(parsed, `its parameter ${JSON.stringify(unknown)} is unknown`)
  const host = params.get('host') ?? (decodeURIComponent(parsed.hostname).replace(/^\[(.*)\]$/, '$1') || 'localhost')
  const given = (text: string) => (text === '' ? undefined : decodeURIComponent(text))
  const schema = params.get('schema') ?? 'millrace'
  if (schema === '' || Buffer.byteLength(schema) > 63 || schema.includes('\0')) {
    throw refused(parsed, `its schema ${JSON.stringify(schema.slice(0, 70))} is not 1 to 63 bytes long`)
  }
  const ca = params.get('ca')
  const sslmode = params.get('sslmode') ?? (isLocal(host) && ca === null ? 'disable' : 'verify-full')
  if (!MODES.includes(sslmode)) throw refused(parsed, `sslmode=${sslmode} is none of ${MODES.join(', ')}`)
  if (ca !== null && !sslmode.startsWith('verify-')) {
    throw refused(parsed, `with sslmode=${sslmode} nobody looks at its ca; use verify-full or verify-ca`)
  }
  const pool = Number(params.get('pool') ?? DEFAULT_POOL)
  if (!Number.isInteger(pool) || pool < 1 || pool > MAX_POOL) {
    throw refused(parsed, `pool=${params.get('pool')} is not a whole number from 1 to ${MAX_POOL}`)
  }
  const pooler = params.get('pooler') ?? 'none'
  if (pooler !== 'none' && pooler !== 'transaction')
    throw refused(parsed, `pooler=${pooler} is neither none nor transaction`)
  const deadline = params.get('deadline') ?? '30s'
  return {
    target: {
      host,
      port: parsed.port === '' ? portOfEnvironment() : Number(parsed.port),
      user: given(parsed.username),
      password: given(parsed.password),
      database: given(parsed.pathname.replace(/^\//, '')),
      // One of MODES, as was checked.
      sslmode: sslmode as SslMode,
      ca: certificatesOf('postgres', parsed),
    },
    schema,
    pool,
    deadlineMs: parseDuration(/^\d+$/.test(deadline) ? Number(deadline) : deadline, 'deadline'),
    pooler,
  }
}

function portOfEnvironment(): number {
  const text = process.env.PGPORT ?? ''
  if (text === '') return DEFAULT_PORT
  const port = Number(text)
  if (Number.isInteger(port) && port >= 1 && port <= MAX_PORT) return port
  const said = `PGPORT is ${JSON.stringify(text)}, and not a whole number from 1 to ${MAX_PORT}`
  throw new ConfigError('CONFIG_INVALID', said, { hint: "Correct the variable, or say the port in the store's URL." })
}

/** For people: where the store is, without user and password. */
export function describeTarget({ target, schema }: Pick<PostgresSettings, 'target' | 'schema'>): string {
  const database = target.database ?? process.env.PGDATABASE ?? target.user ?? ''
  return `postgres ${target.host}:${target.port}/${database}${schema === 'millrace' ? '' : ` schema ${schema}`}`
}

function refused(url: URL, reason: string): ConfigError {
  return refusedUrl('postgres', url, reason)
}
