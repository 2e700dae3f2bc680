/** The peers that Millrace is measured beside: this folder has a package file of its own. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import manifest from './package.json' with { type: 'json' }
import type { StoreName } from './places.ts'
import { durableRedisFault, sharedRedisFault } from './redis.ts'
import type { Side } from './scenario.ts'

/** What cannot be measured here, each with why. */
export interface Absences {
  /** By side script. */
  readonly scripts: ReadonlyMap<string, string>
  /** Of the Redis of this machine. */
  readonly redis: string | undefined
  /** Of a Redis of a measurement's own. */
  readonly durableRedis: string | undefined
}

const HERE = import.meta.dirname
const SQLITE = "new (await import('better-sqlite3')).default(':memory:');"
const SIDEQUEST = `${SQLITE} await import('sidequest')`
/** What has to work for a side script to be measured. */
const CHECKS: Readonly<Record<StoreName, Readonly<Record<string, string>>>> = {
  sqlite: { plainjob: `${SQLITE} await import('plainjob')`, sidequest: SIDEQUEST },
  postgres: {
    'graphile-worker': "await import('graphile-worker')",
    'pg-boss': "await import('pg-boss')",
    bullmq: "await import('bullmq')",
    sidequest: `${SIDEQUEST}; await import('@sidequest/postgres-backend')`,
  },
  mysql: {
    bullmq: "await import('bullmq')",
    sidequest: `${SIDEQUEST}; await import('@sidequest/mysql-backend')`,
  },
}

/** Installs the peers where they are not there yet, and looks what of them works. */
export async function preparePeers(store: StoreName): Promise<Absences> {
  const trouble = isInstalled() ? undefined : install()
  const faults = Object.entries(CHECKS[store]).flatMap(([script, check]) => {
    const fault = faultOf(check)
    if (fault === undefined) return []
    return [
      [script, trouble === undefined ? `it does not load: ${fault}` : `it could not be installed: ${trouble}`],
    ] as const
  })
  const scripts = new Map(faults)
  if (store === 'sqlite') return { scripts, redis: undefined, durableRedis: undefined }
  return { scripts, redis: await sharedRedisFault(), durableRedis: durableRedisFault() }
}

/** Why a side cannot be measured here; undefined when it can. Only BullMQ on Redis needs a Redis, and with fsync one of its own. */
export function absenceOf({ script, settings }: Side, { scripts, redis, durableRedis }: Absences): string | undefined {
  const absent = scripts.get(String(settings.side ?? script))
  if (absent !== undefined || settings.backend !== 'redis') return absent
  return settings.durable === true ? durableRedis : redis
}

/** Names with versions, for the heading. */
export function peerVersions(store: StoreName): string {
  const {
    plainjob,
    sidequest,
    'better-sqlite3': better,
    bullmq,
    'graphile-worker': graphile,
    'pg-boss': boss,
  } = manifest.dependencies
  const both = { sqlite: `plainjob ${plainjob}, better-sqlite3 ${better}`, mysql: `BullMQ ${bullmq}` }
  const here = { ...both, postgres: `graphile-worker ${graphile}, pg-boss ${boss}, BullMQ ${bullmq}` }[store]
  return `${here}, Sidequest ${sidequest}`
}

function faultOf(check: string): string | undefined {
  const args = ['--input-type=module', '-e', check]
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: HERE, encoding: 'utf8' })
  if (status === 0) return undefined
  return (stderr.split('\n').find((line) => /Error/.test(line)) ?? `its check ended with ${status}`).trim()
}

function isInstalled(): boolean {
  return Object.entries(manifest.dependencies).every(([name, version]) => {
    const path = join(HERE, 'node_modules', name, 'package.json')
    return existsSync(path) && JSON.parse(readFileSync(path, 'utf8')).version === version
  })
}

/** What kept npm from installing them, if anything. better-sqlite3 brings its binaries along: no script has to run. */
function install(): string | undefined {
  const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
  const { status, stderr } = spawnSync('npm', args, { cwd: HERE, encoding: 'utf8' })
  return status === 0 ? undefined : `npm ci ended with ${status}: ${stderr.trim().split('\n')[0] ?? ''}`
}
