/** Batches of jobs on MariaDB: each row is found once, however many they are, and none is missed where a list is cut. */
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { expect, it } from 'vitest'
import { claimRequest, LEASE_MS, newJob, nth, settlement } from '../../src/store/conformance/fixture.ts'
import type { Lease, NewJob, Settlement, Store } from '../../src/store/contract/index.ts'
import { CLAIM_STATEMENTS } from '../../src/store/mysql/claim.ts'
import { filled, MysqlDialect } from '../../src/store/mysql/dialect.ts'
import { SETTLE_STATEMENTS } from '../../src/store/mysql/settle.ts'
import type { SqlValue } from '../../src/store/sql/session.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { untilSomebodyWaits } from '../support/mysql-waits.ts'
import { borrowedStoreUrl, describeOn, freshStoreUrl, migratedStore } from '../support/servers.ts'

/** More than two lists hold. */
const MANY = 1_700
const LOG = "INSERT INTO millrace_log (job_id, seq, at, attempt, level, message) VALUES (?, 1, 1, 1, 'info', 'x')"

await describeOn('mysql', (server) => {
  /** A store of its own, and two jobs of it that run. */
  async function claimedTwo() {
    const url = await freshStoreUrl(server)
    const store = await migratedStore(url)
    await store.jobs.insert([newJob(), newJob()])
    return { url, store, client: await mysqlClient(url), leases: await claimAll(store, 2) }
  }

  it('finds each job of a batch by its key once, and notes none to look for it again', async () => {
    const url = await borrowedStoreUrl(server)
    const store = await migratedStore(url)
    const jobs = Array.from({ length: 100 }, () => newJob())
    await store.jobs.insert(jobs)
    const ids = jobs.map(({ id }) => id).sort()
    const client = await mysqlClient(url)
    // A table that is opened has its statistics looked up.
    await client.query('SELECT * FROM millrace_log, millrace_job, millrace_ready LIMIT 0')
    const [[row]] = await client.query<RowDataPacket[]>('SELECT place, run_at FROM millrace_ready LIMIT 1')
    const [place, runAt] = [row?.place, row?.run_at]

    const steps: readonly (readonly [string, string, readonly SqlValue[]])[] = [
      ['leave', CLAIM_STATEMENTS.LEAVE_SIDE_BY_SIDE, ['q', place, runAt, ids]],
      ['take', CLAIM_STATEMENTS.TAKE, [ids, 'w', 1, 2]],
      ['forget', SETTLE_STATEMENTS.FORGET, [ids.slice(0, 50), 'w']],
      ['remove', SETTLE_STATEMENTS.REMOVE, [ids.slice(50)]],
    ]
    for (const [name, statement, params] of steps) {
      const { changes, found, again } = await walked(client, statement, params)

      const count = name === 'forget' || name === 'remove' ? 50 : 100
      expect([name, changes, again]).toEqual([name, count, 0])
      // Each that is forgotten is asked for a log, too. A few are of statistics, where a table is opened anew.
      const asked = name === 'forget' ? 3 * count : count
      expect(found, name).toBeGreaterThanOrEqual(asked)
      expect(found, name).toBeLessThan(asked + 20)
    }
  })

  it('claims and settles more jobs than a list holds, of many run times and of few, each once', async () => {
    const url = await borrowedStoreUrl(server)
    const store = await migratedStore(url)
    const client = await mysqlClient(url)
    for (const forget of [false, true]) {
      const jobs = [
        ...Array.from({ length: MANY }, () => newJob()),
        ...Array.from({ length: 40 }, (_, i) => newJob({ priority: i })),
      ]
      await store.jobs.insert(jobs)

      const leases = await claimAll(store, jobs.length)

      expect(leases.map(({ id }) => id).sort()).toEqual(jobs.map(({ id }) => id).sort())
      expect(await countOf(client, 'ready')).toBe(0)
      await settleAll(store, leases, forget)
      expect(await countOf(client, 'job')).toBe(0)
      expect(await countOf(client, 'archive')).toBe(MANY + 40)
    }
  })

  it('forgets none of a batch in the middle of which one has written a log', async () => {
    const url = await borrowedStoreUrl(server)
    const store = await migratedStore(url)
    const client = await mysqlClient(url)
    const jobs: readonly NewJob[] = Array.from({ length: 600 }, () => newJob())
    await store.jobs.insert(jobs)
    const leases = await claimAll(store, jobs.length)
    const { id } = nth(leases, 300)
    await client.execute(LOG, [id])

    await settleAll(store, leases, true)

    expect(await countOf(client, 'job')).toBe(0)
    expect(await countOf(client, 'archive')).toBe(600)
    expect(await countOf(client, 'log')).toBe(1)
  })

  it('forgets none of a batch that waits for one whose log somebody is writing', async () => {
    const { url, store, client, leases } = await claimedTwo()
    const writer = await mysqlClient(url)
    const { id } = nth(leases, 1)
    await writer.beginTransaction()
    await writer.execute('SELECT 1 FROM millrace_job WHERE id = ? FOR UPDATE', [id])
    const settled = settleAll(store, leases, true)
    await untilSomebodyWaits(client)

    await writer.execute(LOG, [id])
    await writer.commit()

    await settled
    expect(await countOf(client, 'archive')).toBe(2)
    expect(await countOf(client, 'log')).toBe(1)
  })

  it('forgets jobs beside the log of another, which somebody is writing', async () => {
    const { url, store, client, leases } = await claimedTwo()
    const writer = await mysqlClient(url)
    await writer.beginTransaction()
    for (const id of [newJob().id, '00000000-0000-7000-8000-000000000000']) await writer.execute(LOG, [id])

    await settleAll(store, leases, true)

    expect(await countOf(client, 'job')).toBe(0)
    expect(await countOf(client, 'archive')).toBe(0)
    await writer.rollback()
  })
})

async function claimAll(store: Store, limit: number): Promise<readonly Lease[]> {
  const claim = claimRequest({ limit })
  const { claimed } = await store.jobs.exchange({ workerId: 'w1', settle: [], claim: { ...claim, leaseMs: LEASE_MS } })
  return claimed
}

async function settleAll(store: Store, leases: readonly Lease[], forget: boolean): Promise<void> {
  const settle: readonly Settlement[] = leases.map((lease) =>
    settlement(lease, { to: 'completed', result: null, ...(forget && { forget }) }),
  )
  const { settled } = await store.jobs.exchange({ workerId: 'w1', settle })
  expect(new Set(settled)).toEqual(new Set(['settled']))
}

/** What a statement changed, how many rows it found by a key, and how many it looked for again. */
async function walked(client: Connection, statement: string, params: readonly SqlValue[]) {
  const { text, values } = filled(new MysqlDialect().template(statement), params)
  const before = await reads(client)
  const [result] = await client.execute(text, values as (string | number)[])
  const after = await reads(client)
  return {
    changes: 'affectedRows' in result ? result.affectedRows : -1,
    found: after.key - before.key,
    again: after.again - before.again,
  }
}

async function reads(client: Connection) {
  const [rows] = await client.query<RowDataPacket[]>("SHOW SESSION STATUS LIKE 'Handler_read%'")
  const of = (name: string) => Number(rows.find((row) => row.Variable_name === name)?.Value)
  return { key: of('Handler_read_key'), again: of('Handler_read_rnd') }
}

async function countOf(client: Connection, table: string): Promise<number> {
  // allow sql: the tables of this file
  const [rows] = await client.query<RowDataPacket[]>(`SELECT COUNT(*) AS n FROM millrace_${table}`)
  return Number(rows[0]?.n)
}
