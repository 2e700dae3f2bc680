/** Stores by URL: the one place that names the drivers. */
import { isAbsolute, resolve } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { parseDuration } from '../core/duration.ts'
import { ConfigError } from '../core/errors.ts'
import type { Store } from '../store/contract/index.ts'

const DEFAULT_STORE = 'sqlite:./millrace.db'
/** The drivers' own default; that of a file's lock is shorter. */
const DEADLINE_MS = 30_000

/** The URL to use: what was given, else `MILLRACE_STORE`, else the default. */
export function storeUrl(given: string | undefined): string {
  const fromEnv = process.env.MILLRACE_STORE
  if (given !== undefined) return given
  return fromEnv === undefined || fromEnv === '' ? DEFAULT_STORE : fromEnv
}

/**
 * Makes the store that a URL names, not yet open: `sqlite:PATH` (`?durability=full|normal`, `?busy=10s`),
 * `postgres://USER:PASSWORD@HOST:PORT/DATABASE` (`?schema=millrace`, `?pool=6`, `?deadline=30s`, `?sslmode=verify-full`,
 * `?ca=FILE`, `?pooler=transaction`), `mysql://USER:PASSWORD@HOST:PORT/DATABASE` (`?pool=6`, `?deadline=30s`, `?tls=verify`, `?ca=FILE`,
 * `?socket=PATH`; also `mariadb:`), `memory:`. Relative paths count from `base` (default: the working directory); time is that of `clock` (default: the machine's, or the server's). Throws `STORE_URL`.
 */
export async function createStore(url: string, base: string = process.cwd(), clock?: Clock): Promise<Store> {
  if (typeof url !== 'string') throw refused(String(url), 'it is neither a URL nor a store')
  const timed = clock === undefined ? {} : { clock }
  const scheme = /^([a-z][a-z0-9+.-]*):/.exec(url)?.[1]
  switch (scheme) {
    case 'sqlite': {
      const { createSqliteStore } = await import('../store/sqlite/store.ts')
      return createSqliteStore({ ...sqliteOptions(url, base), ...timed })
    }
    case 'postgres':
    case 'postgresql': {
      const { createPostgresStore } = await import('../store/postgres/store.ts')
      return createPostgresStore({ url, ...timed })
    }
    case 'mysql':
    case 'mariadb': {
      const { createMysqlStore } = await import('../store/mysql/store.ts')
      return createMysqlStore({ url, ...timed })
    }
    case 'memory': {
      const { createMemoryStore } = await import('../store/memory/store.ts')
      return createMemoryStore(timed)
    }
    default:
      // Whatever it is, what stands before an @ may be a password.
      throw refused(
        url.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1•••@'),
        'it names no store that this version knows',
      )
  }
}

/** How long one call to the store of this URL may take until it fails, in ms: what the URL says, else what is usual on a server. */
export function storeDeadlineMs(url: string): number {
  const params = new URLSearchParams(url.split('?')[1] ?? '')
  const given = params.get('deadline') ?? params.get('busy')
  if (given === null) return DEADLINE_MS
  return parseDuration(/^\d+$/.test(given) ? Number(given) : given, 'deadline')
}

/** Text with store URLs for people: without user and password, also where a password holds what it should not, or is a parameter. */
export function maskUrl(text: string): string {
  return text
    .replace(/\b(postgres(?:ql)?|mysql|mariadb):\/\/\S*@/g, '$1://•••@')
    .replace(/\/\/[^/@]*@/, '//•••@')
    .replace(/([?&](?:ssl)?password=)[^&\s"']*/gi, '$1•••')
}

function sqliteOptions(url: string, base: string) {
  const [location = '', query = ''] = url.slice('sqlite:'.length).split('?', 2)
  const path = decoded(url, location.replace(/^\/\/(?=\/|\.)/, ''))
  if (path === '') throw refused(url, 'it names no file')
  const params = new URLSearchParams(query)
  const unknown = [...params.keys()].find((key) => key !== 'durability' && key !== 'busy')
  if (unknown !== undefined) throw refused(url, `its parameter ${JSON.stringify(unknown)} is unknown`)
  const durability = params.get('durability') ?? 'full'
  if (durability !== 'full' && durability !== 'normal')
    throw refused(url, `durability=${durability} is neither full nor normal`)
  const busy = params.get('busy')
  const busyDeadlineMs = busy === null ? undefined : parseDuration(/^\d+$/.test(busy) ? Number(busy) : busy, 'busy')
  const file = path === ':memory:' || isAbsolute(path) ? path : resolve(base, path)
  return { path: file, durability, ...(busyDeadlineMs !== undefined && { busyDeadlineMs }) } as const
}

function decoded(url: string, path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    // Its one failure is a % that no two digits follow.
    throw refused(url, 'it has a % without two digits behind it; write %25')
  }
}

function refused(url: string, reason: string): ConfigError {
  return new ConfigError('STORE_URL', `the store URL ${JSON.stringify(maskUrl(url))} cannot be used: ${reason}`, {
    fields: { url: maskUrl(url), reason },
    hint: 'Use sqlite:PATH, for example sqlite:./millrace.db, postgres://USER:PASSWORD@HOST:PORT/DATABASE or mysql://…',
  })
}
