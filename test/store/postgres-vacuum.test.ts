/** The vacuum that a busy store asks for (src/store/postgres/vacuum.ts) takes as long as it takes, and ends with its store. */
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { PostgresDatabase } from '../../src/store/postgres/database.ts'
import { postgresSettings } from '../../src/store/postgres/options.ts'
import { Vacuum } from '../../src/store/postgres/vacuum.ts'
import { Wake } from '../../src/store/postgres/wake.ts'
import { postgresStore } from '../support/postgres-store.ts'
import { describeOn, type TestServer, withDeadline } from '../support/servers.ts'

const DEADLINE_MS = 2_000
/** Fewer than autovacuum comes for. */
const DEAD_ROWS = 900
/** So many settled jobs ask for a vacuum. */
const ENOUGH = 200_000
/** Rests that make seconds of a vacuum of few pages, and many. */
const SLOW = '-c vacuum_cost_delay=100ms -c vacuum_cost_limit=5'
const SLOWER = '-c vacuum_cost_delay=100ms -c vacuum_cost_limit=1'
const WAIT = { timeout: 25_000, interval: 50 }

await describeOn('postgres', (server) => {
  test('goes on beyond the deadline of calls, to its end, and costs no connection of theirs', async () => {
    const { database, vacuum, underWay, vacuums } = await ground(server, SLOW)
    const backend = () =>
      database.read(async (session) => (await session.query('SELECT pg_backend_pid()')).rows[0]?.[0])
    const before = await backend()

    vacuum.settled(ENOUGH)
    await expect.poll(underWay, WAIT).toHaveLength(1)
    const begun = performance.now()
    await expect.poll(vacuums, WAIT).toBe(1)

    expect(performance.now() - begun, 'it has to take longer than a call may').toBeGreaterThan(DEADLINE_MS)
    expect(await backend()).toBe(before)
  })

  test('ends with its store, on the server too', async (context) => {
    const { client, database, vacuum, underWay, vacuums } = await ground(server, SLOWER)
    const version = (await client.query('SHOW server_version_num')).rows[0]?.server_version_num
    context.skip(Number(version) < 140_000, 'before PostgreSQL 14 a server does not look whether its client is there')
    vacuum.settled(ENOUGH)
    await expect.poll(underWay, WAIT).toHaveLength(1)

    const closing = database.pool.close()
    vacuum.close()
    await closing

    await expect.poll(underWay, { timeout: 10_000, interval: 50 }).toEqual([])
    expect(await vacuums()).toBe(0)
  })
})

/** A table with dead rows, and what vacuums it so slowly. */
async function ground(server: TestServer, slowness: string) {
  const { url, store, client, schema, schemaName } = await postgresStore(server)
  const jobs = Array.from({ length: DEAD_ROWS }, () => ({
    ...{ id: newId(), name: 'job', version: 1, queue: 'q', priority: 5 },
    payload: Buffer.alloc(100, 120),
  }))
  await store.jobs.insert(jobs)
  await client.query(`DELETE FROM ${schema}.job`)
  const options = process.env.PGOPTIONS
  process.env.PGOPTIONS = slowness
  onTestFinished(() => {
    if (options === undefined) delete process.env.PGOPTIONS
    else process.env.PGOPTIONS = options
  })
  const settings = postgresSettings(withDeadline(url, DEADLINE_MS))
  const database = new PostgresDatabase(settings, undefined, new Wake(settings))
  database.pool.open()
  const vacuum = new Vacuum(database)
  onTestFinished(async () => {
    vacuum.close()
    await database.pool.close()
  })
  const underWay = async () =>
    (await client.query('SELECT pid FROM pg_stat_progress_vacuum WHERE relid = $1::regclass', [`${schema}.job`])).rows
  const vacuums = async () => {
    const counted = 'SELECT vacuum_count FROM pg_stat_all_tables WHERE schemaname = $1 AND relname = $2'
    return Number((await client.query(counted, [schemaName, 'job'])).rows[0]?.vacuum_count)
  }
  return { client, database, vacuum, underWay, vacuums }
}
