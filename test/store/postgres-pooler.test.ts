/** A pooler's sessions are nobody's: what the server does there for a call that takes too long ends all the same, and the call is told. */
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { NewJob, Settlement, Store } from '../../src/store/contract/index.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import { lacks } from '../support/needs.ts'
import { pgbouncerProgram, startPgbouncer } from '../support/pgbouncer.ts'
import { describeOn, freshStoreUrl, migratedStore, withDeadline } from '../support/servers.ts'

const WAIT = { timeout: 10_000, interval: 25 }
const LEASE_MS = 30_000
const WAITING =
  "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1 AND pid <> pg_backend_pid()"

/** A write, given one job that waits, one that was claimed, and one that is not there yet. */
type Write = (store: Store, jobs: Jobs) => Promise<unknown>

const program = pgbouncerProgram()

describe.skipIf(lacks('pgbouncer', program !== null))('through PgBouncer', async () => {
  if (program === null) return
  await describeOn('postgres', async (server) => {
    const through = await startPgbouncer(program, server.url)

    it.each<[string, Write]>([
      ['of several statements', (store, { waiting }) => store.jobs.cancel([waiting.id])],
      ['of one that settles', (store, { claimed }) => store.jobs.exchange({ workerId: 'w', settle: claimed })],
      ['of one that inserts', (store, { unborn }) => store.jobs.insert([unborn])],
    ])('a write %s, for a lock that somebody holds, ends on the server with its call', async (_, write) => {
      const direct = await freshStoreUrl(server)
      const beside = await migratedStore(direct)
      const store = await migratedStore(through(withDeadline(direct, 2_500)))
      const { jobs, count } = await held(direct, beside, store)

      const refused = expect(write(store, jobs)).rejects.toMatchObject({ kind: 'transient', code: 'STORE_BUSY' })
      await expect.poll(count, WAIT).toBe(1)
      await refused

      await expect.poll(count, WAIT).toBe(0)
    })

    it('a step of a migration may take longer than the limit of its role', async () => {
      const direct = await freshStoreUrl(server)
      const { migrator } = await server.rolesOf(direct)
      const name = new URL(migrator).username
      await server.run(`ALTER ROLE ${name} SET statement_timeout = 500`)
      onTestFinished(() => server.run(`ALTER ROLE ${name} RESET statement_timeout`))
      const later = [{ statements: ['SELECT pg_sleep(1)'], oldest: 1 }]
      const store = createPostgresStore({ url: through(migrator), later })
      onTestFinished(() => store.close())
      await store.open()

      expect(await store.migrate()).toContain((await store.schemaVersion()).latest)
    })
  })
})

interface Jobs {
  readonly waiting: NewJob
  readonly claimed: readonly Settlement[]
  readonly unborn: NewJob
}

/** Jobs that somebody holds in a transaction, one of them claimed through `store`; and how many of its statements wait for a lock. */
async function held(url: string, beside: Store, store: Store) {
  const [waiting, unborn] = [job('else'), job('q')]
  await store.jobs.insert([job('q'), waiting])
  const claim = { workerId: 'w', queues: [{ queue: 'q', max: 1 }], names: ['n'], limit: 1, leaseMs: LEASE_MS }
  const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
  const [holder, watcher] = [await client(url), await client(url)]
  const schema = new URL(url).searchParams.get('schema') ?? ''
  await holder.query('BEGIN')
  await beside.jobs.insertWithin(holder, [unborn])
  await holder.query(`SELECT 1 FROM ${pg.escapeIdentifier(schema)}.job FOR UPDATE`)
  const settle = claimed.map(({ id, epoch }) => ({ id, epoch, runMs: 1, to: 'completed', result: null }) as const)
  const count = async () => Number((await watcher.query(WAITING, [`%${schema}%`])).rows[0]?.count)
  return { jobs: { waiting, claimed: settle, unborn }, count }
}

async function client(url: string): Promise<pg.Client> {
  const plain = new URL(url)
  plain.search = ''
  const made = new pg.Client({ connectionString: plain.href })
  await made.connect()
  onTestFinished(() => made.end())
  return made
}

function job(queue: string): NewJob {
  return { id: newId(), name: 'n', version: 1, queue, priority: 5, payload: new Uint8Array(3) }
}
