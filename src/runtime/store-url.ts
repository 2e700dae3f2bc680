/** Stores by URL: the one place that names the drivers. */
import { isAbsolute, resolve } from 'node:path'
import { ConfigError } from '../core/errors.ts'
import type { Store } from '../store/contract/index.ts'

const DEFAULT_STORE = 'sqlite:./millrace.db'

/** The URL to use: what was given, else `MILLRACE_STORE`, else the default. */
export function storeUrl(given: string | undefined): string {
  const fromEnv = process.env.MILLRACE_STORE
  return given ?? (fromEnv === undefined || fromEnv === '' ? DEFAULT_STORE : fromEnv)
}

/**
 * Makes the store that a URL names, not yet open: `sqlite:PATH` (`?durability=full|normal`, `?busy=10s` in ms), `memory:`.
 * Relative paths count from `base` (default: the working directory). Throws `STORE_URL`.
 */
export async function createStore(url: string, base: string = process.cwd()): Promise<Store> {
  const scheme = /^([a-z][a-z0-9+.-]*):/.exec(url)?.[1]
  switch (scheme) {
    case 'sqlite': {
      const { createSqliteStore } = await import('../store/sqlite/store.ts')
      return createSqliteStore(sqliteOptions(url, base))
    }
    case 'memory': {
      const { createMemoryStore } = await import('../store/memory/store.ts')
      return createMemoryStore()
    }
    default:
      throw new ConfigError(
        'STORE_URL',
        `the store URL ${JSON.stringify(maskUrl(url))} names no store that this version knows`,
        {
          fields: { url: maskUrl(url) },
          hint: 'Use sqlite:PATH, for example sqlite:./millrace.db.',
        },
      )
  }
}

/** A store's URL for people: without user and password. */
export function maskUrl(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//•••@')
}

function sqliteOptions(url: string, base: string) {
  const [location = '', query = ''] = url.slice('sqlite:'.length).split('?', 2)
  const path = decodeURIComponent(location.replace(/^\/\/(?=\/|\.)/, ''))
  if (path === '')
    throw new ConfigError('STORE_URL', `the store URL ${JSON.stringify(url)} names no file`, {
      hint: 'Write sqlite:./millrace.db.',
    })
  const params = new URLSearchParams(query)
  const unknown = [...params.keys()].find((key) => key !== 'durability' && key !== 'busy')
  if (unknown !== undefined) {
    throw new ConfigError('STORE_URL', `the store URL has an unknown parameter ${JSON.stringify(unknown)}`, {
      hint: 'sqlite knows `durability` and `busy`.',
    })
  }
  const durability = params.get('durability') ?? 'full'
  if (durability !== 'full' && durability !== 'normal') {
    throw new ConfigError('STORE_URL', `durability=${durability} is neither full nor normal`, {
      fields: { durability },
    })
  }
  const busy = params.get('busy')
  const busyDeadlineMs = busy === null ? undefined : Number(busy)
  if (busyDeadlineMs !== undefined && !(busyDeadlineMs >= 0)) {
    throw new ConfigError('STORE_URL', `busy=${busy} is not a number of milliseconds`)
  }
  const file = path === ':memory:' || isAbsolute(path) ? path : resolve(base, path)
  return { path: file, durability, ...(busyDeadlineMs !== undefined && { busyDeadlineMs }) } as const
}
