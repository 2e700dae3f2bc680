/** What only a server can do to a store: refuse, fall silent, end connections, hold locks; and what a store does then. */
import { createServer, Socket } from 'node:net'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { NewJob, Store } from '../../src/store/contract/index.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import { describeOn, type TestServer } from '../support/servers.ts'

const LEASE_MS = 30_000

await describeOn('postgres', (server) => {
  it('migrates an empty database from 24 stores at once', async () => {
    const url = freshUrl(server)
    const stores = await Promise.all(Array.from({ length: 24 }, () => opened(url)))

    const applied = await Promise.all(stores.map((store) => store.migrate()))

    expect(applied.flat()).toEqual([1])
    expect(await stores[7]?.schemaVersion()).toEqual({ current: 1, latest: 1 })
  })

  it('says what to do about tables that are not there', async () => {
    const store = await opened(freshUrl(server))

    await expect(store.jobs.insert([job()])).rejects.toMatchObject({ kind: 'schema', code: 'STORE_OLDER' })
  })

  it('goes on by itself after its connections were ended', async () => {
    const url = freshUrl(server)
    const store = await migrated(url)
    await store.jobs.insert([job()])
    const admin = await client(server)
    const theirs = 'FROM pg_stat_activity WHERE query LIKE $1 AND pid <> pg_backend_pid()'
    const ours = [`%${schemaOf(url)}%`]
    await admin.query(`SELECT pg_terminate_backend(pid) ${theirs}`, ours)
    while ((await admin.query(`SELECT 1 ${theirs}`, ours)).rows.length > 0) await new Promise(setImmediate)

    // The first call may still meet the ended connection; none after it does.
    await store.ping().catch(() => undefined)

    await store.jobs.insert([job()])
    expect(await store.jobs.count({}, 10)).toEqual({ count: 2, capped: false })
  })

  it('fails within its deadline when another transaction holds what it needs', async () => {
    const url = freshUrl(server, { deadline: '500' })
    const store = await migrated(url)
    const waiting = job()
    await store.jobs.insert([waiting])
    const other = await client(server)
    await other.query('BEGIN')
    await other.query(`SELECT 1 FROM ${schemaOf(url)}.job WHERE id = $1 FOR UPDATE`, [waiting.id])

    await expect(store.jobs.cancel([waiting.id])).rejects.toMatchObject({ kind: 'transient' })

    await other.query('ROLLBACK')
    expect(await store.jobs.cancel([waiting.id])).toEqual(['cancelled'])
  })

  it('fails within its deadline when the server falls silent, and goes on when it speaks again', async () => {
    const proxy = await startProxy(server)
    const url = new URL(freshUrl(server, { deadline: '1000' }))
    url.port = String(proxy.port)
    const store = await migrated(url.href)
    proxy.setSilent(true)

    await expect(store.jobs.insert([job()])).rejects.toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })

    proxy.setSilent(false)
    await store.jobs.insert([job()])
  })

  it('a call that waits for a connection does not hold up a heartbeat', async () => {
    const url = freshUrl(server, { pool: '2' })
    const store = await migrated(url)
    const held = job()
    await store.jobs.insert([held])
    const claim = { workerId: 'w', queues: [{ queue: 'q', max: 1 }], names: ['n'], limit: 1, leaseMs: LEASE_MS }
    const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
    const stuck = job()
    await store.jobs.insert([stuck])
    const other = await client(server)
    await other.query('BEGIN')
    await other.query(`SELECT 1 FROM ${schemaOf(url)}.job WHERE id = $1 FOR UPDATE`, [stuck.id])
    const cancels = Array.from({ length: 5 }, () => store.jobs.cancel([stuck.id]))

    expect(await store.jobs.extend('w', claimed, LEASE_MS)).toEqual(['held'])

    await other.query('ROLLBACK')
    await Promise.all(cancels)
  })

  it('refuses at once, transient, when nothing listens', async () => {
    const url = new URL(freshUrl(server))
    url.port = '1'
    url.password = 'se%40cret'
    const store = createPostgresStore({ url: url.href })

    const error = await store.open().then(
      () => null,
      (reason: unknown) => reason,
    )

    expect(error).toMatchObject({ kind: 'transient', code: 'STORE_UNREACHABLE' })
    expect(`${String(error)} ${JSON.stringify(error)} ${store.description}`).not.toMatch(/se(@|%40)cret/)
  })

  it('works without session state behind a pooler in transaction mode', async () => {
    const store = await migrated(freshUrl(server, { pooler: 'transaction' }))
    const id = newId()
    await store.jobs.insert([job({ id })])
    const claim = { workerId: 'w', queues: 'all', names: ['n'], limit: 5, leaseMs: LEASE_MS } as const

    const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })

    expect(claimed.map((one) => one.id)).toEqual([id])
    expect(store.capabilities.push).toBe(false)
  })
})

await describeOn('postgres', (server) => {
  it("an insert in the caller's transaction is seen after its commit, and never after a rollback", async () => {
    const url = freshUrl(server)
    const store = await migrated(url)
    const user = await client(server)
    const [kept, lost] = [job({ unique: { scope: 's', key: 'k', onConflict: 'existing' } }), job()]
    await user.query('BEGIN')
    const results = await store.jobs.insertWithin(user, [kept, job({ priority: 101 })])
    expect(await store.jobs.get(kept.id)).toBeNull()
    await user.query('COMMIT')
    await user.query('BEGIN')
    await store.jobs.insertWithin(user, [lost])
    await user.query('ROLLBACK')

    expect(results.map((result) => result.status)).toEqual(['created', 'refused'])
    expect((await store.jobs.get(kept.id))?.state).toBe('pending')
    expect(await store.jobs.get(lost.id)).toBeNull()
  })

  it('an insert within refuses a client without a transaction, a pool, and another database', async () => {
    const store = await migrated(freshUrl(server))
    const user = await client(server)
    const pool = new pg.Pool({ connectionString: server.url })
    onTestFinished(() => pool.end())
    const elsewhere = await migrated(freshUrl(server))
    await elsewhere.close()

    await expect(store.jobs.insertWithin(user, [job()])).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(store.jobs.insertWithin(pool, [job()])).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

function freshUrl(server: TestServer, parameters: Readonly<Record<string, string>> = {}): string {
  const url = server.freshUrl(parameters)
  onTestFinished(() => server.drop(url))
  return url
}

async function opened(url: string): Promise<Store> {
  const store = createPostgresStore({ url })
  await store.open()
  onTestFinished(() => store.close())
  return store
}

async function migrated(url: string): Promise<Store> {
  const store = await opened(url)
  await store.migrate()
  return store
}

async function client(server: TestServer): Promise<pg.Client> {
  const made = new pg.Client({ connectionString: server.url })
  made.on('error', () => undefined)
  await made.connect()
  onTestFinished(() => made.end())
  return made
}

function schemaOf(url: string): string {
  return pg.escapeIdentifier(new URL(url).searchParams.get('schema') ?? '')
}

function job(parts: Partial<NewJob> = {}): NewJob {
  return { id: newId(), name: 'n', version: 1, queue: 'q', priority: 5, payload: new Uint8Array(3), ...parts }
}

/** A TCP proxy before the server that can stop to forward, its sockets open. */
async function startProxy(server: TestServer) {
  const target = new URL(server.url)
  let isSilent = false
  const sockets = new Set<Socket>()
  const listener = createServer((near) => {
    const far = new Socket()
    far.connect(Number(target.port || 5432), target.hostname)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk) => {
        if (!isSilent) to.write(chunk)
      })
      from.on('error', () => undefined)
      from.on('close', () => to.destroy())
    }
  })
  await new Promise<void>((resolve) => {
    listener.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  const address = listener.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    setSilent(silent: boolean) {
      isSilent = silent
    },
  }
}
