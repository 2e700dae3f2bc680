/** The peers that Millrace is measured beside: this folder has a package file of its own. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import manifest from './package.json' with { type: 'json' }
import type { StoreName } from './places.ts'

const HERE = import.meta.dirname
const SQLITE = "new (await import('better-sqlite3')).default(':memory:');"
const SIDEQUEST = `${SQLITE} await import('sidequest')`
const REDIS = `await new Promise(async (done, fail) => {
  const redis = (await import('node:net')).connect(6379, '127.0.0.1', () => done(redis.end()))
  redis.once('error', fail)
})`
/** What has to work for a side script to be measured. */
const CHECKS: Readonly<Record<StoreName, Readonly<Record<string, string>>>> = {
  sqlite: { plainjob: `${SQLITE} await import('plainjob')`, sidequest: SIDEQUEST },
  postgres: {
    'graphile-worker': "await import('graphile-worker')",
    'pg-boss': "await import('pg-boss')",
    bullmq: `await import('bullmq'); ${REDIS}`,
    sidequest: `${SIDEQUEST}; await import('@sidequest/postgres-backend')`,
  },
  mysql: {
    bullmq: `await import('bullmq'); ${REDIS}`,
    sidequest: `${SIDEQUEST}; await import('@sidequest/mysql-backend')`,
  },
}

/** Which side scripts cannot be measured here, and one sentence that says why; undefined when all can. */
export function preparePeers(store: StoreName): {
  readonly absent: ReadonlySet<string>
  readonly said: string | undefined
} {
  const trouble = isInstalled() ? undefined : install()
  const faults = Object.entries(CHECKS[store]).flatMap(([peer, check]) => {
    const fault = faultOf(check)
    return fault === undefined ? [] : [{ peer, fault }]
  })
  const absent = new Set(faults.map(({ peer }) => peer))
  const why = trouble ?? faults[0]?.fault
  const said = `${[...absent].join(' and ')} cannot be measured here, the rest is: ${why}`
  return { absent, said: absent.size === 0 ? undefined : said }
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
