/** A PostgreSQL server for tests. */
import { existsSync, readdirSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { type PrivateServer, startPrivateServer } from './private-server.ts'
import { roleNames, roleStatements, roleUrls } from './roles.ts'
import type { TestServer } from './servers.ts'

const DEBIAN = '/usr/lib/postgresql'
const NOT_INSTALLED = 'initdb is not installed'

/** Finds a server as find-server.ts says, or says why there is none. `named`: it is to be this one. */
export async function findPostgres(named: string | undefined): Promise<TestServer | string> {
  if (named !== undefined) return (await connects(named)) ?? serverAt(named)
  const local = `postgres://${encodeURIComponent(userInfo().username)}@127.0.0.1:5432/test`
  if ((await connects(local)) === null) return serverAt(local)
  const started = await startPrivatePostgres()
  return typeof started === 'string'
    ? `none answers on 127.0.0.1:5432, and ${started}`
    : serverAt(started.url, () => started.remove())
}

/** Why no connection comes about; null when it does. */
export async function connects(url: string): Promise<string | null> {
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

/** A server that tests may use; its `close` ends with `stop`. */
export function serverAt(url: string, stop: () => Promise<void> = async () => undefined): TestServer {
  let client: Promise<pg.Client> | undefined
  const connected = () => {
    client ??= (async () => {
      const made = new pg.Client({ connectionString: url })
      // A test may stop its server: the next call connects again.
      made.on('error', () => {
        client = undefined
      })
      await made.connect()
      return made
    })()
    return client
  }
  const free: string[] = []
  const granted = new Set<string>()
  let hasRoles = false
  const run = async (statements: readonly string[]) => {
    for (const statement of statements) await (await connected()).query(statement)
  }
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
      granted.delete(schemaOf(fresh))
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
    async rolesOf(used) {
      const schema = schemaOf(used)
      const [make, grant] = statementsOf(schema)
      if (!hasRoles) await run(make)
      hasRoles = true
      if (!granted.has(schema)) await run(grant)
      granted.add(schema)
      return roleUrls(used)
    },
    withhold: (used) => run(statementsOf(schemaOf(used))[2]),
    run: (...statements) => run(statements),
    async close() {
      for (const used of free.splice(0)) await found.drop(used)
      if (hasRoles) for (const name of roleNames()) await run([`DROP OWNED BY ${name} CASCADE`, `DROP ROLE ${name}`])
      hasRoles = false
      granted.clear()
      await (await client)?.end()
      client = undefined
      await stop()
    },
  }
  return found
}

/** What the page says to make the roles, to grant, and to withhold. */
function statementsOf(schema: string) {
  return roleStatements('postgresql.md', /\bmillrace\b/g, pg.escapeIdentifier(schema))
}

let serial = 0
const TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename <> 'schema'"

function schemaOf(url: string): string {
  const schema = new URL(url).searchParams.get('schema') ?? ''
  if (!schema.startsWith('millrace_test_')) throw new Error(`${schema} is not a schema of the tests`)
  return schema
}

/** Why none can be started here; null where its programs are installed. */
export function lackForPrivatePostgres(): string | null {
  return programFolder() === null ? NOT_INSTALLED : null
}

/** Starts a server of our own, or says why that cannot be. `settings`: more of its configuration, as `name=value`. */
export function startPrivatePostgres(settings: readonly string[] = []): Promise<PrivateServer | string> {
  const encoding = ['--auth', 'trust', '--encoding', 'UTF8', '--no-locale']
  return startFrom('initdb', (data) => ['--pgdata', data, '--username', 'test', ...encoding], settings)
}

/** Starts another that follows such a server and takes no writes until `pg_promote()`, or says why that cannot be. */
export function startPostgresReplica(primary: PrivateServer): Promise<PrivateServer | string> {
  const source = ['--dbname', primary.url, '--write-recovery-conf', '--checkpoint', 'fast']
  return startFrom('pg_basebackup', (data) => ['--pgdata', data, ...source], [])
}

/** Starts one whose data folder a program makes. */
async function startFrom(
  program: string,
  argsOf: (data: string) => readonly string[],
  settings: readonly string[],
): Promise<PrivateServer | string> {
  const programs = programFolder()
  if (programs === null) return NOT_INSTALLED
  const ours = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'shared_buffers=64MB', ...settings]
  return startPrivateServer({
    name: 'postgres',
    url: (port) => `postgres://test@127.0.0.1:${port}/postgres`,
    prepare(folder, run) {
      run(join(programs, program), argsOf(join(folder, 'data')))
    },
    daemon: join(programs, 'postgres'),
    args: (folder, port) => ['-D', join(folder, 'data'), '-p', `${port}`, ...ours.flatMap((one) => ['-c', one])],
    signals: { fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' },
    failure: connects,
  }).catch((error) => `a private one could not be started: ${error instanceof Error ? error.message : String(error)}`)
}

/** Where initdb and postgres are: of the newest version that is installed. */
function programFolder(): string | null {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [...versions.map((version) => join(DEBIAN, version, 'bin')), ...(process.env.PATH ?? '').split(':')]
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'))) ?? null
}
