/**
 * Where the database servers for tests come from: what the environment names, else one on this machine, else a private one started
 * from installed programs. Found once before all tests (test/servers-found.ts), since starting one takes seconds.
 */
import { findMysql, lackForPrivateMysql } from './mysql-server.ts'
import { findPostgres, lackForPrivatePostgres } from './postgres-server.ts'
import type { ServerKind, TestServer } from './servers.ts'

/** What all tests of a run know of the servers of a kind. */
export interface KnownServer {
  /** The one that they share; null: there is none. */
  readonly url: string | null
  /** Why there is none, or no private one for tests that break theirs; null: nothing is wanting. */
  readonly lack: string | null
}

declare module 'vitest' {
  interface ProvidedContext {
    servers: Readonly<Record<ServerKind, KnownServer>>
  }
}

/** The variable that names the server of a kind. */
const URL_VARIABLES: Readonly<Record<ServerKind, string>> = {
  postgres: 'MILLRACE_TEST_POSTGRES_URL',
  mysql: 'MILLRACE_TEST_MYSQL_URL',
}

const FIND: Readonly<Record<ServerKind, (named: string | undefined) => Promise<TestServer | string>>> = {
  postgres: findPostgres,
  mysql: findMysql,
}
const LACK = { postgres: lackForPrivatePostgres, mysql: lackForPrivateMysql } as const

/** A server of a kind, found as the header says, or the reason why there is none. Whoever asks closes it. */
export async function findServer(kind: ServerKind): Promise<TestServer | string> {
  const found = await FIND[kind](namedUrl(kind))
  return typeof found === 'string' && namedUrl(kind) !== undefined
    ? `${URL_VARIABLES[kind]} does not connect: ${found}`
    : found
}

/** The URL that the environment names for a kind. Such a server has to be there: nothing else is taken in its place. */
export function namedUrl(kind: ServerKind): string | undefined {
  return process.env[URL_VARIABLES[kind]] || undefined
}

/** Why no private server of a kind can be started; null where its programs are installed. */
export function lackForPrivate(kind: ServerKind): string | null {
  return LACK[kind]()
}
