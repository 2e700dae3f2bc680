/** A MySQL or MariaDB store's URL as options: `mysql://user:password@host:port/database?pool=…&deadline=…&tls=…&ca=…&socket=…`. */
import { isIP } from 'node:net'
import { userInfo } from 'node:os'
import { parseDuration } from '../../core/duration.ts'
import type { ConfigError } from '../../core/errors.ts'
import { certificatesOf, isLocal, parseServerUrl, refusedUrl } from '../sql/server-url.ts'
import { DEFAULT_POOL } from '../sql/shares.ts'

/** `verify`: encrypted, certificate and name checked. `require`: encrypted, whoever answers. */
export type TlsMode = 'off' | 'require' | 'verify'

/** Where the database is and how it is spoken to. */
export interface MysqlTarget {
  readonly host: string
  readonly port: number
  /** The path of a local socket, instead of host and port. */
  readonly socket: string | undefined
  readonly user: string
  readonly password: string | undefined
  readonly database: string
  readonly tls: TlsMode
  /** Certificates of the authorities to trust, as PEM text; absent: those that Node trusts. */
  readonly ca: string | undefined
}

/** What a store's URL says. */
export interface MysqlSettings {
  readonly target: MysqlTarget
  /** Connections at most. Default 5. */
  readonly pool: number
  /** How long a call may take in all, connecting and waiting for a connection included. Default 30 s. */
  readonly deadlineMs: number
}

const PARAMETERS = ['pool', 'deadline', 'tls', 'ca', 'socket']
const MODES: readonly string[] = ['off', 'require', 'verify'] satisfies readonly TlsMode[]
const MAX_POOL = 200
const DEFAULT_PORT = 3306

/** Reads a URL. Throws `STORE_URL` with a sentence that holds no password. */
export function mysqlSettings(url: string): MysqlSettings {
  const parsed = parseServerUrl('mysql', url)
  const params = parsed.searchParams
  const unknown = [...params.keys()].find((key) => !PARAMETERS.includes(key))
  if (unknown !== undefined) throw refused(parsed, `its parameter ${JSON.stringify(unknown)} is unknown`)
  const host = decodeURIComponent(parsed.hostname).replace(/^\[(.*)\]$/, '$1') || 'localhost'
  const socket = params.get('socket') ?? undefined
  const database = decodeURIComponent(parsed.pathname.replace(/^\//, ''))
  if (database === '') throw refused(parsed, 'it names no database')
  const ca = params.get('ca')
  const isHere = socket !== undefined || isLocal(host)
  const tls = params.get('tls') ?? (isHere && ca === null ? 'off' : 'verify')
  if (!MODES.includes(tls)) throw refused(parsed, `tls=${tls} is none of ${MODES.join(', ')}`)
  if (ca !== null && tls !== 'verify') throw refused(parsed, `with tls=${tls} nobody looks at its ca; use tls=verify`)
  // The driver would look for `localhost` in the certificate of a server that is known by its address.
  if (tls === 'verify' && socket === undefined && isIP(host) !== 0) {
    throw refused(parsed, 'tls=verify needs the name that is in the certificate, and its host is an address')
  }
  const pool = Number(params.get('pool') ?? DEFAULT_POOL)
  if (!Number.isInteger(pool) || pool < 1 || pool > MAX_POOL) {
    throw refused(parsed, `pool=${params.get('pool')} is not a whole number from 1 to ${MAX_POOL}`)
  }
  const deadline = params.get('deadline') ?? '30s'
  const given = (text: string) => (text === '' ? undefined : decodeURIComponent(text))
  return {
    target: {
      host,
      port: parsed.port === '' ? DEFAULT_PORT : Number(parsed.port),
      socket,
      user: given(parsed.username) ?? userInfo().username,
      password: given(parsed.password),
      database,
      // One of MODES, as was checked.
      tls: tls as TlsMode,
      ca: certificatesOf('mysql', parsed),
    },
    pool,
    deadlineMs: parseDuration(/^\d+$/.test(deadline) ? Number(deadline) : deadline, 'deadline'),
  }
}

/** For people: where the store is, without user and password. */
export function describeTarget({ target }: Pick<MysqlSettings, 'target'>): string {
  return `mysql ${target.socket ?? `${target.host}:${target.port}`}/${target.database}`
}

function refused(url: URL, reason: string): ConfigError {
  return refusedUrl('mysql', url, reason)
}
