/** Migrations that take long, through what stands in between: it hides the server's session, or is in the way of asking it. */
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Store } from '../../src/store/contract/index.ts'
import { createMysqlStore } from '../../src/store/mysql/store.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import { lacks } from '../support/needs.ts'
import { pgbouncerProgram, startPgbouncer } from '../support/pgbouncer.ts'
import { describeOn, freshStoreUrl } from '../support/servers.ts'

const DEADLINE_MS = 1_000
/** Longer than a migration waits for a server that is at work on nothing, whatever the deadline. */
const LONG_S = 15
const LIMIT_MS = 60_000

await describeOn('mysql', (server) => {
  it(
    'a proxy has numbers of its own for its clients: the step is looked for by that of the server',
    async () => {
      const url = await renumbering(await freshStoreUrl(server, { deadline: `${DEADLINE_MS}ms` }))
      const store = await opened(createMysqlStore, url, `DO SLEEP(${LONG_S})`)

      expect(await store.migrate()).toContain((await store.schemaVersion()).latest)
    },
    LIMIT_MS,
  )
})

const program = pgbouncerProgram()

describe.skipIf(lacks('pgbouncer', program !== null))('through PgBouncer', async () => {
  if (program === null) return
  await describeOn('postgres', async (server) => {
    const throughs = {
      'has the last session of the pool': await startPgbouncer(program, server.url, ['default_pool_size = 1']),
      // The store has one, and the migration.
      'is on the last connection that it takes': await startPgbouncer(program, server.url, ['max_client_conn = 2']),
    }

    it.each(Object.entries(throughs))(
      'a step that %s goes on, though nobody can ask for it',
      async (_, through) => {
        const url = through(await freshStoreUrl(server, { deadline: `${DEADLINE_MS}ms` }))
        const store = await opened(createPostgresStore, url, `SELECT pg_sleep(${LONG_S})`)

        expect(await store.migrate()).toContain((await store.schemaVersion()).latest)
      },
      LIMIT_MS,
    )
  })
})

/** The store at a URL, with a step of this statement behind the others. */
async function opened(
  create: typeof createMysqlStore | typeof createPostgresStore,
  url: string,
  statement: string,
): Promise<Store> {
  const store = create({ url, later: [{ statements: [statement], oldest: 1 }] })
  await store.open()
  onTestFinished(() => store.close())
  return store
}

/** A URL through a proxy that tells its clients a number of their session which is none of the server's. */
async function renumbering(url: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  const proxy = createServer((near) => {
    const far = connectTcp(Number(port || 3306), hostname)
    for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined))
    near.on('close', () => far.destroy()).pipe(far)
    far.on('close', () => near.destroy())
    // A greeting: four bytes of its frame, the protocol's number, the version as text up to a zero, the session's number.
    far.once('data', (greeting) => {
      greeting.writeUInt32LE(4_000_000_000, greeting.indexOf(0, 5) + 1)
      near.write(greeting)
      far.pipe(near)
    })
  })
  await new Promise<void>((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })
  const through = new URL(url)
  // A server that listens has a port.
  through.port = String((proxy.address() as AddressInfo).port)
  through.hostname = '127.0.0.1'
  return through.href
}
