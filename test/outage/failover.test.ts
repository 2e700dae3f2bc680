/**
 * F-21 with a real replica: the server dies, the address leads to one that followed it and takes no writes yet, and then that is
 * made the new one. Its commits had to wait for the replica, as docs/guarantees.md says for whoever may lose nothing.
 */
import mysql, { type RowDataPacket } from 'mysql2/promise'
import pg from 'pg'
import { expect, test, vi } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { defineJob, type Millrace } from '../../src/index.ts'
import { LIVE } from '../support/live.ts'
import { openMill } from '../support/mill.ts'
import { replicationSettings, startMysqlReplica } from '../support/mysql-server.ts'
import { outsiderOn } from '../support/outsider.ts'
import { startPostgresReplica } from '../support/postgres-server.ts'
import type { PrivateServer } from '../support/private-server.ts'
import { describeOnPrivate, SERVER_KINDS, type TestServer } from '../support/servers.ts'
import { tally } from '../support/tally.ts'
import { startProxyTo } from '../support/tcp-proxy.ts'
import { asOrdinaryUser } from './read-only.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const BEFORE = LONG ? 2_000 : 100
/** Acknowledged by the new one before it is judged. */
const AFTER = 100
const IN_FLIGHT = 10
const WAIT = { timeout: 30_000, interval: 10 }
const WORK = { lease: '2s', heartbeat: '200ms', poll: '20ms', restart: true } as const
const job = defineJob({ name: 'job', retry: false, run: (input: number) => input })

/** How each kind follows, and is made the one that is followed. */
const HOW = {
  postgres: {
    settings: [],
    start: startPostgresReplica,
    waitForIt: ["ALTER SYSTEM SET synchronous_standby_names = '*'", 'SELECT pg_reload_conf()'],
    followers: "SELECT count(*) AS count FROM pg_stat_replication WHERE sync_state = 'sync'",
    promote: ['SELECT pg_promote()'],
  },
  mysql: {
    settings: replicationSettings(1),
    start: startMysqlReplica,
    waitForIt: [
      'SET GLOBAL rpl_semi_sync_master_timeout = 60000',
      'SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC',
      'SET GLOBAL rpl_semi_sync_master_enabled = 1',
    ],
    followers:
      "SELECT variable_value AS count FROM information_schema.global_status WHERE variable_name = 'Rpl_semi_sync_master_clients'",
    promote: ['STOP SLAVE', 'SET GLOBAL read_only = 0'],
  },
} as const

for (const kind of SERVER_KINDS) {
  const how = HOW[kind]
  await describeOnPrivate(
    kind,
    (server, machine) => {
      test(
        'a replica that takes over is said to be read-only until it is made the primary, and has all that was acknowledged',
        async () => {
          const url = await preparedUrl(server)
          const { proxy, url: through } = await startProxyTo(url)
          const replica = await how.start(machine)
          if (typeof replica === 'string') throw new Error(replica)
          try {
            await server.run(...how.waitForIt)
            await expect.poll(() => countAt(machine.url, how.followers), WAIT).toBe(1)
            const mill = await openMill({ store: through })
            mill.work([job], WORK)
            const acknowledged = new Set<string>()
            const isOver = new AbortController()
            const producer = enqueueOn(mill, acknowledged, isOver.signal)
            await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(BEFORE), { ...WAIT, timeout: 120_000 })

            await machine.stop('kill')
            const before = acknowledged.size
            proxy.leadTo(replica.url)
            const refused = { kind: 'transient', code: 'STORE_READ_ONLY' }
            await vi.waitFor(() => expect(mill.enqueue(job, 0)).rejects.toMatchObject(refused), WAIT)
            await runAt(replica, how.promote)
            await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(before + AFTER), {
              ...WAIT,
              timeout: 60_000,
            })
            isOver.abort()
            await producer

            await expect.poll(async () => (await mill.count({ state: LIVE })).count, WAIT).toBe(0)
            const wrong: string[] = []
            for (const id of acknowledged) {
              const one = await mill.get(id)
              if (one?.state !== 'completed' || one.history.filter(isCompleted).length !== 1) wrong.push(id)
            }
            if (LONG) console.log(JSON.stringify({ kind, acknowledged: acknowledged.size, before }))
            tally({ jobs: acknowledged.size, failovers: 1 })
            expect(wrong).toEqual([])
            await mill.close()
          } finally {
            await replica.remove()
          }
        },
        LONG ? 600_000 : 120_000,
      )
    },
    how.settings,
  )
}

function isCompleted({ outcome }: { readonly outcome: string }): boolean {
  return outcome === 'completed'
}

/** A store that nobody drops: its server is gone when the test is over. On MySQL its user is not an administrator. */
async function preparedUrl(server: TestServer): Promise<string> {
  const url = server.freshUrl()
  if (server.kind === 'postgres') return url
  await server.run(`CREATE DATABASE ${mysql.escapeId(new URL(url).pathname.slice(1))}`)
  return asOrdinaryUser(url, (await outsiderOn(url)).run)
}

/** Enqueues jobs one after the other on several roads, each under one id until it is acknowledged. */
async function enqueueOn(mill: Millrace, acknowledged: Set<string>, signal: AbortSignal): Promise<void> {
  const road = async () => {
    while (!signal.aborted) {
      const id = newId()
      const tries = { timeout: 60_000, interval: 20 }
      await vi.waitFor(() => mill.enqueue(job, 1, { id }), tries)
      acknowledged.add(id)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, road))
}

async function countAt(url: string, statement: string): Promise<number> {
  if (url.startsWith('postgres')) {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query(statement)
    await client.end()
    return Number(rows[0]?.count)
  }
  const client = await mysql.createConnection(url)
  const [rows] = await client.query<RowDataPacket[]>(statement)
  await client.end()
  return Number(rows[0]?.count)
}

async function runAt({ url }: PrivateServer, statements: readonly string[]): Promise<void> {
  const outsider = await outsiderOn(url)
  await outsider.run(...statements)
  await outsider.close()
}
