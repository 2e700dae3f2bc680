/** A session of a test's own with MySQL or MariaDB, beside those of a store. */
import { type Connection, type ConnectionOptions, createConnection } from 'mysql2/promise'

/** Connects to the database of a store's URL, whose parameters it does not read. Whoever asks ends it. */
export function connectMysql(url: string, options: ConnectionOptions = {}): Promise<Connection> {
  const { hostname, port, username, password, pathname } = new URL(url)
  return createConnection({
    host: hostname,
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    ...options,
  })
}

/** The same, ended when the test has finished. */
export async function mysqlClient(url: string, options: ConnectionOptions = {}): Promise<Connection> {
  // Not imported above: tables.ts is also part of processes that the tests start and kill, where there is no Vitest.
  const { onTestFinished } = await import('vitest')
  const client = await connectMysql(url, options)
  onTestFinished(() => client.end())
  return client
}
