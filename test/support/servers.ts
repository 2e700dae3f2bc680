/**
 * Database servers for tests: those that were found before all of them (find-server.ts), which they share, and private ones for tests
 * that break theirs. Without any the tests are skipped, as one line has said then (test/servers-found.ts); with MILLRACE_REQUIRE=all
 * that is a failure.
 */
import { afterAll, describe, inject, it, onTestFinished } from 'vitest'
import { createStore } from '../../src/runtime/store-url.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { lackForPrivate } from './find-server.ts'
import { serverAt as mysqlAt, startPrivateMysql } from './mysql-server.ts'
import { serverAt as postgresAt, startPrivatePostgres } from './postgres-server.ts'
import type { PrivateServer } from './private-server.ts'

export type ServerKind = 'postgres' | 'mysql'
/** Both, for tests that ask the same of each. */
export const SERVER_KINDS: readonly ServerKind[] = ['postgres', 'mysql']

/** The three documented roles, each as the URL of one store. */
export interface Roles {
  readonly migrator: string
  readonly worker: string
  readonly viewer: string
}

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
  /** The URLs of such a store for the three roles of docs/postgresql.md and docs/mysql.md, made as those pages say. */
  rolesOf(url: string): Promise<Roles>
  /** Keeps payloads and results from the viewer of such a store, which has tables, as those pages say. */
  withhold(url: string): Promise<void>
  /** Runs statements as the administrator, each by itself. */
  run(...statements: readonly string[]): Promise<void>
  /** Disconnects, and ends the server when the tests started it. */
  close(): Promise<void>
}

const START: Readonly<Record<ServerKind, (settings?: readonly string[]) => Promise<PrivateServer | string>>> = {
  postgres: startPrivatePostgres,
  mysql: startPrivateMysql,
}
const AT = { postgres: postgresAt, mysql: mysqlAt } as const

/** A server that is at a URL. Whoever asks closes it. */
export function serverOn(kind: ServerKind, url: string): TestServer {
  return AT[kind](url)
}

/**
 * The server of a kind that all tests share; whoever asks closes what it holds of it. Null where there is none: a test is declared
 * that is skipped, or fails, as the header says.
 */
export function sharedServer(kind: ServerKind): TestServer | null {
  const { url, lack } = inject('servers')[kind]
  if (url !== null) return serverOn(kind, url)
  declareMissing(kind, lack ?? '')
  return null
}

/** Declares tests that need a server of a kind. They are skipped, or fail, as the header says. */
export async function describeOn(
  kind: ServerKind,
  declare: (server: TestServer) => void | Promise<void>,
): Promise<void> {
  const server = sharedServer(kind)
  if (server === null) return
  afterAll(() => server.close())
  describe(kind, () => declare(server))
}

/**
 * Declares tests that stop, kill or break a server: one is started for them alone, with these settings (`name=value` for
 * PostgreSQL, `--name=value` for MariaDB), and removed after them. Skipped, or failing, like those of `describeOn`.
 */
export async function describeOnPrivate(
  kind: ServerKind,
  declare: (server: TestServer, machine: PrivateServer) => void,
  settings: readonly string[] = [],
): Promise<void> {
  const started = await START[kind](settings)
  if (typeof started === 'string') {
    // That its programs are there and it does not start could not be said before.
    if (lackForPrivate(kind) === null) console.warn(`no private ${kind} server: ${started}`)
    declareMissing(kind, `a private ${kind} server: ${started}`)
    return
  }
  // Hooks run in the reverse order: what the server was used for ends before the server does.
  afterAll(() => started.remove())
  const server = AT[kind](started.url)
  afterAll(() => server.close())
  describe(`a private ${kind}`, () => declare(server, started))
}

/** The URL of a fresh, empty store, which is deleted after the test. */
export async function freshStoreUrl(
  server: TestServer,
  parameters: Readonly<Record<string, string>> = {},
): Promise<string> {
  const url = server.freshUrl(parameters)
  await server.create(url)
  onTestFinished(() => server.drop(url))
  return url
}

/** The same, of an empty store whose tables another test may have made. */
export async function borrowedStoreUrl(server: TestServer): Promise<string> {
  const url = server.borrowUrl()
  await server.create(url)
  onTestFinished(() => server.giveBack(url))
  return url
}

/** The URL of the same store, with this deadline for each call. */
export function withDeadline(url: string, deadlineMs: number): string {
  const own = new URL(url)
  own.searchParams.set('deadline', `${deadlineMs}`)
  return own.href
}

/** The store at a URL, open and with tables, closed after the test. Making the tables may take longer than its deadline. */
export async function migratedStore(url: string): Promise<Store> {
  const patient = new URL(url)
  patient.searchParams.delete('deadline')
  const maker = await createStore(patient.href)
  await maker.open()
  await maker.migrate().finally(() => maker.close())
  const store = await createStore(url)
  await store.open()
  onTestFinished(() => store.close())
  return store
}

function declareMissing(kind: ServerKind, lack: string): void {
  if (process.env.MILLRACE_REQUIRE === 'all') {
    it(`needs a ${kind} server`, () => {
      throw new Error(`MILLRACE_REQUIRE=all, but this machine lacks ${lack}`)
    })
    return
  }
  describe.skip(`for want of ${lack}`, () => {
    it('is skipped', () => undefined)
  })
}
