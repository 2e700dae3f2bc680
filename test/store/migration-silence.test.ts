/** Migrations whose server is not heard any more, and those that only take long. */
import type { RowDataPacket } from 'mysql2/promise'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import type { Store } from '../../src/store/contract/index.ts'
import { createMysqlStore } from '../../src/store/mysql/store.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS, type ServerKind } from '../support/servers.ts'
import { startProxyTo } from '../support/tcp-proxy.ts'
import { stepsOf } from './later.ts'

const DEADLINE_MS = 1_000
/** A migration has ten seconds at least, and as long again to notice. Whoever has no deadline takes a quarter of an hour. */
const SETTLED_MS = 25_000
/** Longer than a migration waits for a server that is at work on nothing. */
const LONG_S = 15
const LIMIT_MS = 60_000
const WAIT = { timeout: 30_000, interval: 25 }
const UNREACHED = { kind: 'transient', code: 'STORE_UNREACHABLE', message: expect.stringContaining('did not answer') }
const SLEEP: Readonly<Record<ServerKind, (seconds: number) => string>> = {
  postgres: (seconds) => `SELECT pg_sleep(${seconds})`,
  mysql: (seconds) => `DO SLEEP(${seconds})`,
}

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    const deadline = { deadline: `${DEADLINE_MS}ms` }

    it(
      'a server that falls silent during the first step ends the migration soon, and the next one does it all',
      async () => {
        const direct = await freshStoreUrl(server, deadline)
        const { proxy, url } = await startProxyTo(direct)
        const store = await opened(url)
        proxy.silenceAt('CREATE TABLE')
        const begun = performance.now()

        await expect(store.migrate()).rejects.toMatchObject(UNREACHED)

        expect(performance.now() - begun).toBeLessThan(SETTLED_MS)
        await (await opened(direct)).migrate()
        expect(await store.schemaVersion()).toMatchObject({ current: stepsOf(url) })
      },
      LIMIT_MS,
    )

    it(
      'a network that falls silent while a step runs ends the migration soon, and closing does not wait',
      async () => {
        const direct = await freshStoreUrl(server, deadline)
        const { proxy, url } = await startProxyTo(direct)
        const { statement, isRunning } = await longStep(kind, direct, 61.5)
        const store = await opened(url, statement)
        const refused = expect(store.migrate()).rejects.toMatchObject(UNREACHED)
        await expect.poll(isRunning, WAIT).toBe(true)
        proxy.setSilent(true)
        const begun = performance.now()

        await Promise.all([refused, store.close()])

        expect(performance.now() - begun).toBeLessThan(SETTLED_MS)
      },
      LIMIT_MS,
    )

    it(
      'a step that takes longer than any deadline goes on while the server is at work on it',
      async () => {
        const store = await opened(await freshStoreUrl(server, deadline), SLEEP[kind](LONG_S))

        expect(await store.migrate()).toContain((await store.schemaVersion()).latest)
      },
      LIMIT_MS,
    )
  })
}

/** The store at a URL, with a step of this statement behind the others. */
async function opened(url: string, statement?: string): Promise<Store> {
  const later = statement === undefined ? [] : [{ statements: [statement], oldest: 1 }]
  const store = url.startsWith('postgres') ? createPostgresStore({ url, later }) : createMysqlStore({ url, later })
  await store.open()
  onTestFinished(() => store.close())
  return store
}

/** A statement that takes long, and whether the server is at work on it. It is ended with the test. */
async function longStep(kind: ServerKind, url: string, seconds: number) {
  const statement = SLEEP[kind](seconds)
  const ids = kind === 'postgres' ? await postgresIds(url) : await mysqlIds(url)
  onTestFinished(async () => {
    for (const id of await ids.of(statement)) await ids.end(id)
  })
  return { statement, isRunning: async () => (await ids.of(statement)).length > 0 }
}

async function postgresIds(url: string) {
  const plain = new URL(url)
  plain.search = ''
  const client = new pg.Client({ connectionString: plain.href })
  await client.connect()
  onTestFinished(() => client.end())
  return {
    async of(statement: string): Promise<readonly number[]> {
      const text = "SELECT pid FROM pg_stat_activity WHERE query = $1 AND state = 'active' AND pid <> pg_backend_pid()"
      return (await client.query(text, [statement])).rows.map(({ pid }) => Number(pid))
    },
    end: (pid: number) => client.query('SELECT pg_terminate_backend($1)', [pid]),
  }
}

async function mysqlIds(url: string) {
  const client = await mysqlClient(url)
  return {
    async of(statement: string): Promise<readonly number[]> {
      const text = 'SELECT id FROM information_schema.processlist WHERE db = database() AND info = ?'
      return (await client.query<RowDataPacket[]>(text, [statement]))[0].map((row) => Number(row.id))
    },
    end: (id: number) => client.query('KILL ?', [id]).catch(() => undefined),
  }
}
