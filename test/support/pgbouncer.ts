/** PgBouncer in transaction mode before a PostgreSQL server, for tests. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { connects } from './postgres-server.ts'
import { startPrivateServer } from './private-server.ts'
import { roleUrls } from './roles.ts'

const FOLDERS = ['/usr/sbin', '/usr/bin', '/usr/local/bin', ...(process.env.PATH ?? '').split(':')]

/** Where the program is; null: it is not installed. */
export function pgbouncerProgram(): string | null {
  const folder = FOLDERS.find((one) => existsSync(join(one, 'pgbouncer')))
  return folder === undefined ? null : join(folder, 'pgbouncer')
}

/**
 * Starts one before the server of a URL, ended after the tests of the file; returns how a URL of that server leads through
 * it. It has fewer sessions for each user than the tests have connections, so that every session is passed around. It knows the
 * server's administrator and the roles of the documents; a user that it does not know is refused. `settings`: lines of its own.
 */
export async function startPgbouncer(
  program: string,
  server: string,
  settings: readonly string[] = [],
): Promise<(url: string) => string> {
  const { hostname, port, username } = new URL(server)
  const known = [server, ...Object.values(roleUrls(server))].map((url) => {
    const { username: user, password } = new URL(url)
    return `"${decodeURIComponent(user)}" "${decodeURIComponent(password)}"`
  })
  const started = await startPrivateServer({
    name: 'pgbouncer',
    url: (own) => `postgres://${username}@127.0.0.1:${own}${new URL(server).pathname}`,
    prepare(folder, _, own) {
      // Waiting for the disk costs most of a test's time and proves nothing here.
      const session = "connect_query='SET synchronous_commit = off'"
      writeFileSync(join(folder, 'users'), known.join('\n'), { mode: 0o644 })
      writeFileSync(
        join(folder, 'pgbouncer.ini'),
        [
          '[databases]',
          `* = host=${hostname} port=${port || 5432} ${session}`,
          '[pgbouncer]',
          'listen_addr = 127.0.0.1',
          `listen_port = ${own}`,
          'unix_socket_dir =',
          'auth_type = trust',
          `auth_file = ${join(folder, 'users')}`,
          'pool_mode = transaction',
          'default_pool_size = 4',
          'max_client_conn = 500',
          `logfile = ${join(folder, 'log')}`,
          ...settings,
        ].join('\n'),
      )
    },
    daemon: program,
    args: (folder) => [join(folder, 'pgbouncer.ini')],
    signals: { fast: 'SIGTERM', immediate: 'SIGTERM', kill: 'SIGKILL' },
    failure: connects,
  })
  afterAll(() => started.remove())
  const own = new URL(started.url).port
  return (url) => {
    const through = new URL(url)
    through.hostname = '127.0.0.1'
    through.port = own
    through.searchParams.set('pooler', 'transaction')
    return through.href
  }
}
