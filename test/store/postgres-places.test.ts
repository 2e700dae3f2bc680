/** On PostgreSQL a job is settled at the place where its claim left it: whoever moves the row meanwhile, it is that job or none. */
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { Lease, NewJob, Settlement } from '../../src/store/contract/index.ts'
import { createPostgresStore } from '../../src/store/postgres/store.ts'
import { postgresStore } from '../support/postgres-store.ts'
import { describeOn } from '../support/servers.ts'

const CLAIM = { workerId: 'w', queues: 'all', names: ['job'], limit: 10, leaseMs: 30_000 } as const
const WAYS = [{}, { forget: true }]

function someJob(): NewJob {
  return { id: newId(), name: 'job', version: 1, queue: 'q', priority: 5, payload: Buffer.from('{}') }
}

function completed(lease: Lease, how: { readonly forget?: boolean }): Settlement {
  return { id: lease.id, epoch: lease.epoch, runMs: 1, to: 'completed', result: null, ...how }
}

await describeOn('postgres', (server) => {
  async function storeWith(jobs: readonly NewJob[]) {
    const { url, store, client, schema } = await postgresStore(server)
    await store.jobs.insert(jobs)
    const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim: CLAIM })
    return { url, store, claimed, client, table: `${schema}.job` }
  }

  test.each(WAYS)('a row that another hand has moved is found again: %o', async (how) => {
    const { store, claimed, client, table } = await storeWith([someJob(), someJob()])
    await client.query(`UPDATE ${table} SET progress = 0.5 WHERE id = $1`, [claimed[0]?.id])

    const { settled } = await store.jobs.exchange({ workerId: 'w', settle: claimed.map((job) => completed(job, how)) })

    expect(settled).toEqual(['settled', 'settled'])
    expect((await client.query(`SELECT 1 FROM ${table}`)).rowCount).toBe(0)
  })

  test.each(WAYS)('a job that lies now where another lay is left alone: %o', async (how) => {
    const { store, claimed, client, table } = await storeWith([someJob()])
    const [job] = claimed
    if (job === undefined) throw new Error('one is claimed')
    const place = (await client.query(`SELECT ctid FROM ${table}`)).rows[0]?.ctid
    await client.query(`TRUNCATE ${table}`)
    // Held by the same worker in the same epoch: nothing tells it apart but its id.
    await client.query(
      `INSERT INTO ${table} (id, name, version, queue, run_at, created_at, priority, state, epoch, worker_id, claimed_at, ` +
        "lease_until, payload) SELECT gen_random_uuid()::text, 'job', 1, 'q', 1, 1, 5, 3, 1, 'w', 1, 1, '' " +
        'FROM generate_series(1, 20)',
    )
    const { rows } = await client.query(`SELECT ctid FROM ${table}`)

    const { settled } = await store.jobs.exchange({ workerId: 'w', settle: [completed(job, how)] })

    expect(rows.map((row) => row.ctid)).toContain(place)
    expect(settled).toEqual(['lost'])
    expect((await client.query(`SELECT 1 FROM ${table}`)).rowCount).toBe(20)
  })

  test('a log line that came over another connection is kept with its job', async () => {
    const { url, store, claimed } = await storeWith([someJob(), someJob()])
    const [logged, other] = claimed
    if (logged === undefined || other === undefined) throw new Error('two are claimed')
    const elsewhere = createPostgresStore({ url })
    await elsewhere.open()
    onTestFinished(() => elsewhere.close())
    const logs = [{ seq: 1, level: 'info', message: Buffer.from('line') }] as const
    expect(await elsewhere.jobs.report('w', [{ id: logged.id, epoch: 1, logs }])).toEqual(['written'])

    const settle = [completed(logged, { forget: true }), completed(other, { forget: true })]
    const { settled } = await store.jobs.exchange({ workerId: 'w', settle })

    expect(settled).toEqual(['settled', 'settled'])
    expect((await store.jobs.get(logged.id))?.state).toBe('completed')
    expect(await store.jobs.logs(logged.id, 0, 10)).toHaveLength(1)
    expect(await store.jobs.get(other.id)).toBeNull()
  })

  test('jobs whose lease was extended, beside others, are settled too', async () => {
    const { store, claimed } = await storeWith([someJob(), someJob(), someJob()])
    const [extended] = claimed
    if (extended === undefined) throw new Error('three are claimed')
    expect(await store.jobs.extend('w', [extended], 60_000)).toEqual(['held'])

    const { settled } = await store.jobs.exchange({ workerId: 'w', settle: claimed.map((job) => completed(job, {})) })

    expect(settled).toEqual(Array(3).fill('settled'))
  })
})
