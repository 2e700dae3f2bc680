/** A PostgreSQL server for tests. */
import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll } from 'vitest'
import type { TestServer } from './servers.ts'

const DEBIAN = '/usr/lib/postgresql'

/** Finds a server as test/support/servers.ts says, or says why there is none. */
export async function findPostgres(): Promise<TestServer | string> {
  const named = process.env.MILLRACE_TEST_POSTGRES_URL
  if (named !== undefined && named !== '') {
    const failure = await connects(named)
    return failure === null ? server(named) : `MILLRACE_TEST_POSTGRES_URL does not connect: ${failure}`
  }
  const local = `postgres://${encodeURIComponent(userInfo().username)}@127.0.0.1:5432/test`
  if ((await connects(local)) === null) return server(local)
  return startPrivate()
}

async function connects(url: string): Promise<string | null> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3_000 })
  try {
    await client.connect()
    return null
  } catch (error) {
    return error instanceof Error ? error.message || error.name : String(error)
  } finally {
    await client.end().catch(() => undefined)
  }
}

function server(url: string, stop: () => void = () => undefined): TestServer {
  let client: Promise<pg.Client> | undefined
  const connected = () => {
    client ??= (async () => {
      const made = new pg.Client({ connectionString: url })
      await made.connect()
      return made
    })()
    return client
  }
  const free: string[] = []
  const found: TestServer = {
    kind: 'postgres',
    url,
    freshUrl(parameters = {}) {
      const fresh = new URL(url)
      fresh.searchParams.set('schema', `millrace_test_${process.pid}_${++serial}`)
      for (const [name, value] of Object.entries(parameters)) fresh.searchParams.set(name, value)
      return fresh.href
    },
    // Migrating makes the schema.
    create: async () => undefined,
    async drop(fresh) {
      await (await connected()).query(`DROP SCHEMA IF EXISTS ${pg.escapeIdentifier(schemaOf(fresh))} CASCADE`)
    },
    borrowUrl: () => free.pop() ?? found.freshUrl(),
    async giveBack(used) {
      const schema = schemaOf(used)
      const { rows } = await (await connected()).query(TABLES, [schema])
      const names = rows.map((row) => `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(String(row.tablename))}`)
      await (await connected()).query(names.map((name) => `DELETE FROM ${name};`).join(' '))
      free.push(used)
    },
    async close() {
      for (const used of free.splice(0)) await found.drop(used)
      await (await client)?.end()
      client = undefined
      stop()
    },
  }
  afterAll(() => found.close())
  return found
}

let serial = 0
const TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'schema'"

function schemaOf(url: string): string {
  const schema = new URL(url).searchParams.get('schema') ?? ''
  if (!schema.startsWith('millrace_test_')) throw new Error(`${schema} is not a schema of the tests`)
  return schema
}

/** Starts a server of our own, as an unprivileged user when this process is root: PostgreSQL refuses to run as root. */
async function startPrivate(): Promise<TestServer | string> {
  const programs = programFolder()
  if (programs === null) return 'none answers on 127.0.0.1:5432, and initdb is not installed'
  const folder = mkdtempSync(join(tmpdir(), 'millrace-postgres-'))
  const owner = unprivileged()
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
  const data = join(folder, 'data')
  const run = (program: string, ...args: string[]) =>
    execFileSync(join(programs, program), args, { ...owner, stdio: 'ignore', cwd: folder, timeout: 60_000 })
  try {
    const port = await freePort()
    run('initdb', '--pgdata', data, '--username', 'test', '--auth', 'trust', '--encoding', 'UTF8', '--no-locale')
    const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c shared_buffers=64MB`
    run('pg_ctl', 'start', '--wait', '--pgdata', data, '--log', join(folder, 'log'), '--options', options)
    return server(`postgres://test@127.0.0.1:${port}/postgres`, () => {
      run('pg_ctl', 'stop', '--mode', 'immediate', '--pgdata', data)
      rmSync(folder, { recursive: true, force: true })
    })
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    return `a private one could not be started: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Where initdb and pg_ctl are: of the newest version that is installed. */
function programFolder(): string | null {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [...versions.map((version) => join(DEBIAN, version, 'bin')), ...(process.env.PATH ?? '').split(':')]
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'pg_ctl'))) ?? null
}

function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody']).toString())
  return { uid: id('-u'), gid: id('-g') }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
