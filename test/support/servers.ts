/**
 * Database servers for tests: what the environment names (`MILLRACE_TEST_POSTGRES_URL`, `MILLRACE_TEST_MYSQL_URL`), else one
 * on this machine, else a private one started from installed programs in a temporary folder. Without any the tests are
 * skipped with one line that says so; with MILLRACE_REQUIRE=all that is a failure.
 */
import { describe, it } from 'vitest'
import { findMysql } from './mysql-server.ts'
import { findPostgres } from './postgres-server.ts'

export type ServerKind = 'postgres' | 'mysql'

/** A server that tests may use. */
export interface TestServer {
  readonly kind: ServerKind
  /** The URL of a database in which tests may make schemas or tables of their own. */
  readonly url: string
  /** The URL of a store of its own, which does not exist yet. */
  freshUrl(parameters?: Readonly<Record<string, string>>): string
  /** Makes the database of such a URL, where no store makes it. */
  create(url: string): Promise<void>
  /** Deletes what a store at this URL has made. */
  drop(url: string): Promise<void>
  /** The URL of an empty store whose tables another test may have made: making them takes longer than most tests. */
  borrowUrl(): string
  /** Empties a borrowed store for the next test. */
  giveBack(url: string): Promise<void>
  /** Disconnects, and ends the server when the tests started it. */
  close(): Promise<void>
}

/** How each kind is found: a server, or the reason why there is none. */
const FIND: Readonly<Record<ServerKind, () => Promise<TestServer | string>>> = {
  postgres: findPostgres,
  mysql: findMysql,
}

/** Declares tests that need a server of a kind. They are skipped, or fail, as the header says. */
export async function describeOn(kind: ServerKind, declare: (server: TestServer) => void): Promise<void> {
  const found = await FIND[kind]()
  if (typeof found !== 'string') {
    declare(found)
    return
  }
  const sentence = `no ${kind} server for tests: ${found}`
  if (process.env.MILLRACE_REQUIRE === 'all') {
    it(`needs a ${kind} server`, () => {
      throw new Error(sentence)
    })
    return
  }
  console.warn(sentence)
  describe.skip(sentence, () => {
    it('is skipped', () => undefined)
  })
}
