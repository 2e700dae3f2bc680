/** A MySQL or MariaDB server for tests. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise'
import { afterAll } from 'vitest'
import type { TestServer } from './servers.ts'

const FOLDERS = ['/usr/sbin', '/usr/bin', '/usr/local/bin', ...(process.env.PATH ?? '').split(':')]
const START_DEADLINE_MS = 60_000

/** Finds a server as test/support/servers.ts says, or says why there is none. */
export async function findMysql(): Promise<TestServer | string> {
  const named = process.env.MILLRACE_TEST_MYSQL_URL
  if (named !== undefined && named !== '') {
    const failure = await failureOf(named)
    return failure === null ? server(named) : `MILLRACE_TEST_MYSQL_URL does not connect: ${failure}`
  }
  const local = 'mysql://root@127.0.0.1:3306/mysql'
  if ((await failureOf(local)) === null) return server(local)
  return startPrivate()
}

function connect(url: string): Promise<Connection> {
  const { hostname, port, username, password, searchParams } = new URL(url)
  const socketPath = searchParams.get('socket')
  return mysql.createConnection({
    ...(socketPath === null ? { host: hostname, port: Number(port || 3306) } : { socketPath }),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    connectTimeout: 3_000,
  })
}

/** Why no connection comes about; null when it does. */
async function failureOf(url: string): Promise<string | null> {
  try {
    await (await connect(url)).end()
    return null
  } catch (error) {
    return error instanceof Error ? error.message || error.name : String(error)
  }
}

function server(url: string, stop: () => Promise<void> = async () => undefined): TestServer {
  let client: Promise<Connection> | undefined
  const connected = () => {
    client ??= connect(url)
    return client
  }
  const made = new Set<string>()
  const free: string[] = []
  const run = async (sql: string) => (await connected()).query(sql)
  const found: TestServer = {
    kind: 'mysql',
    url,
    freshUrl(parameters = {}) {
      const fresh = new URL(url)
      fresh.pathname = `/millrace_test_${process.pid}_${++serial}`
      for (const [key, value] of Object.entries(parameters)) fresh.searchParams.set(key, value)
      return fresh.href
    },
    async create(fresh) {
      const name = databaseOf(fresh)
      if (made.has(name)) return
      made.add(name)
      await run(`CREATE DATABASE ${mysql.escapeId(name)}`)
    },
    async drop(fresh) {
      const name = databaseOf(fresh)
      await run(`DROP DATABASE IF EXISTS ${mysql.escapeId(name)}`)
      made.delete(name)
    },
    borrowUrl: () => free.pop() ?? found.freshUrl(),
    async giveBack(used) {
      const name = databaseOf(used)
      for (const table of await filledTables(await connected(), name)) await run(`DELETE FROM ${table}`)
      free.push(used)
    },
    async close() {
      for (const name of made) await run(`DROP DATABASE IF EXISTS ${mysql.escapeId(name)}`)
      made.clear()
      await (await client)?.end()
      client = undefined
      await stop()
    },
  }
  afterAll(() => found.close())
  return found
}

let serial = 0

function databaseOf(url: string): string {
  const name = new URL(url).pathname.slice(1)
  if (!name.startsWith('millrace_test_')) throw new Error(`${name} is not a database of the tests`)
  return name
}

/** The tables of a store that may hold rows of a test, by their quoted names. */
async function filledTables(client: Connection, database: string): Promise<readonly string[]> {
  const tables = 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ?'
  const [rows] = await client.execute<RowDataPacket[]>(tables, [database])
  const names = rows.map((row) => String(row.name)).filter((name) => !/_(schema|signal)$/.test(name))
  return names.map((name) => `${mysql.escapeId(database)}.${mysql.escapeId(name)}`)
}

/** Starts a MariaDB server of our own, as an unprivileged user when this process is root: it refuses to run as root. */
async function startPrivate(): Promise<TestServer | string> {
  const [install, daemon] = [programNamed('mariadb-install-db'), programNamed('mariadbd')]
  if (install === null || daemon === null) return 'none answers on 127.0.0.1:3306, and mariadbd is not installed'
  const folder = mkdtempSync(join(tmpdir(), 'millrace-mysql-'))
  const owner = unprivileged()
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
  const data = join(folder, 'data')
  try {
    const options = ['--no-defaults', `--datadir=${data}`]
    execFileSync(install, [...options, '--auth-root-authentication-method=normal', '--skip-test-db'], {
      ...owner,
      stdio: 'ignore',
      cwd: folder,
      timeout: START_DEADLINE_MS,
    })
    const port = await freePort()
    const args = ['--bind-address=127.0.0.1', `--port=${port}`, `--socket=${join(folder, 'socket')}`]
    const tuned = ['--innodb-buffer-pool-size=96M', `--pid-file=${join(folder, 'pid')}`, '--skip-log-bin']
    const child = spawn(daemon, [...options, ...args, ...tuned], { ...owner, stdio: 'ignore', cwd: folder })
    const stop = async () => {
      await ended(child)
      rmSync(folder, { recursive: true, force: true })
    }
    const url = `mysql://root@127.0.0.1:${port}/mysql`
    const deadline = performance.now() + START_DEADLINE_MS
    for (;;) {
      const failure = await failureOf(url)
      if (failure === null) return server(url, stop)
      if (performance.now() > deadline || child.exitCode !== null) {
        await stop()
        return `a private one did not start: ${failure}`
      }
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    return `a private one could not be started: ${error instanceof Error ? error.message : String(error)}`
  }
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGKILL')
  })
}

function programNamed(name: string): string | null {
  const folder = FOLDERS.find((one) => existsSync(join(one, name)))
  return folder === undefined ? null : join(folder, name)
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
