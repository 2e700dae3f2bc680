/** A MySQL or MariaDB server for tests. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise'
import { type PrivateServer, startPrivateServer } from './private-server.ts'
import { roleNames, roleStatements, roleUrls } from './roles.ts'
import type { TestServer } from './servers.ts'

const FOLDERS = ['/usr/sbin', '/usr/bin', '/usr/local/bin', ...(process.env.PATH ?? '').split(':')]
const NOT_INSTALLED = 'mariadbd is not installed'

/** Finds a server as find-server.ts says, or says why there is none. `named`: it is to be this one. */
export async function findMysql(named: string | undefined): Promise<TestServer | string> {
  if (named !== undefined) return (await failureOf(named)) ?? serverAt(named)
  const local = 'mysql://root@127.0.0.1:3306/mysql'
  if ((await failureOf(local)) === null) return serverAt(local)
  const started = await startPrivateMysql()
  return typeof started === 'string'
    ? `none answers on 127.0.0.1:3306, and ${started}`
    : serverAt(started.url, () => started.remove())
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

/** A server that tests may use; its `close` ends with `stop`. */
export function serverAt(url: string, stop: () => Promise<void> = async () => undefined): TestServer {
  let client: Promise<Connection> | undefined
  const connected = () => {
    client ??= connect(url).then((made) => {
      // A test may stop its server: the next call connects again.
      made.on('error', () => {
        client = undefined
      })
      return made
    })
    return client
  }
  const made = new Set<string>()
  const free: string[] = []
  const granted = new Set<string>()
  let hasRoles = false
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
      granted.delete(name)
    },
    borrowUrl: () => free.pop() ?? found.freshUrl(),
    async giveBack(used) {
      const name = databaseOf(used)
      for (const table of await filledTables(await connected(), name)) await run(`DELETE FROM ${table}`)
      free.push(used)
    },
    async rolesOf(used) {
      const name = databaseOf(used)
      const [make, grant] = statementsOf(name)
      const statements = [...(hasRoles ? [] : make), ...(granted.has(name) ? [] : grant)]
      for (const statement of statements) await run(statement)
      hasRoles = true
      granted.add(name)
      return roleUrls(used)
    },
    async withhold(used) {
      for (const statement of statementsOf(databaseOf(used))[2]) await run(statement)
    },
    async run(...statements) {
      for (const statement of statements) await run(statement)
    },
    async close() {
      if (hasRoles) for (const name of roleNames()) await run(`DROP USER ${mysql.escapeId(name)}`)
      hasRoles = false
      granted.clear()
      for (const name of made) await run(`DROP DATABASE IF EXISTS ${mysql.escapeId(name)}`)
      made.clear()
      await (await client)?.end()
      client = undefined
      await stop()
    },
  }
  return found
}

/** What the page says to make the users, to grant, and to withhold. */
function statementsOf(database: string) {
  return roleStatements('mysql.md', /\bapp(?=\.)/g, mysql.escapeId(database))
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

/** Why none can be started here; null where its programs are installed. */
export function lackForPrivateMysql(): string | null {
  const isThere = ['mariadb-install-db', 'mariadbd'].every((name) => programNamed(name) !== null)
  return isThere ? null : NOT_INSTALLED
}

/** Starts a MariaDB server of our own, or says why that cannot be. `settings`: more of its options, as `--name=value`. */
export async function startPrivateMysql(settings: readonly string[] = []): Promise<PrivateServer | string> {
  const [install, daemon] = [programNamed('mariadb-install-db'), programNamed('mariadbd')]
  if (install === null || daemon === null) return NOT_INSTALLED
  const place = (folder: string) => ['--no-defaults', `--datadir=${join(folder, 'data')}`]
  return startPrivateServer({
    name: 'mysql',
    url: (port) => `mysql://root@127.0.0.1:${port}/mysql`,
    prepare(folder, run) {
      run(install, [...place(folder), '--auth-root-authentication-method=normal', '--skip-test-db'])
    },
    daemon,
    args: (folder, port) => [
      ...place(folder),
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      `--socket=${join(folder, 'socket')}`,
      `--pid-file=${join(folder, 'pid')}`,
      '--innodb-buffer-pool-size=96M',
      '--skip-log-bin',
      ...settings,
    ],
    // It has no way of stopping in a hurry but to be killed.
    signals: { fast: 'SIGTERM', immediate: 'SIGKILL', kill: 'SIGKILL' },
    failure: failureOf,
  }).catch((error) => `a private one could not be started: ${error instanceof Error ? error.message : String(error)}`)
}

/** What a server needs that another follows, or that follows another. `id`: its own number. */
export function replicationSettings(id: number): readonly string[] {
  return [`--server-id=${id}`, '--log-bin=binlog', '--log-slave-updates', '--binlog-format=ROW']
}

/** Starts another that follows such a server from its beginning and takes no writes, or says why that cannot be. */
export async function startMysqlReplica(primary: PrivateServer): Promise<PrivateServer | string> {
  const own = ['--read-only=1', '--rpl-semi-sync-slave-enabled=1', '--skip-slave-start']
  const replica = await startPrivateMysql([...replicationSettings(2), ...own])
  if (typeof replica === 'string') return replica
  const client = await connect(replica.url)
  // allow sql: a port of the tests' own
  await client.query(
    `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${Number(new URL(primary.url).port)}, ` +
      "MASTER_USER = 'root', MASTER_USE_GTID = slave_pos",
  )
  await client.query('START SLAVE')
  await client.end()
  return replica
}

function programNamed(name: string): string | null {
  const folder = FOLDERS.find((one) => existsSync(join(one, name)))
  return folder === undefined ? null : join(folder, name)
}
