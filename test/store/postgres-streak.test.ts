/** Claims on PostgreSQL that go on where the last one ended meet what stands before that place all the same. */
import { expect, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { NewJob } from '../../src/store/contract/index.ts'
import { postgresStore } from '../support/postgres-store.ts'
import { describeOn } from '../support/servers.ts'

const ROWS = 64
const CLAIM = { workerId: 'w', queues: 'all', names: ['job'], limit: ROWS, leaseMs: 30_000 } as const

function someJob(priority: number): NewJob {
  return { id: newId(), name: 'job', version: 1, queue: 'q', priority, payload: Buffer.from('{}') }
}

await describeOn('postgres', (server) => {
  async function storeAfterOneClaim() {
    const { store, client, schema } = await postgresStore(server)
    await store.jobs.insert(Array.from({ length: ROWS }, () => someJob(5)))
    const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim: CLAIM })
    expect(claimed).toHaveLength(ROWS)
    return { store, client, schema }
  }

  test('a job of a higher priority that came meanwhile is given, when nothing stands behind', async () => {
    const { store } = await storeAfterOneClaim()
    const job = someJob(50)
    await store.jobs.insert([job])

    const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim: CLAIM })

    expect(claimed.map(({ id }) => id)).toEqual([job.id])
  })

  test('a suspect that came meanwhile is given, or there is said to be more', async () => {
    const { store, client, schema } = await storeAfterOneClaim()
    const job = someJob(50)
    await store.jobs.insert([job])
    await client.query(`UPDATE ${schema}.job SET losses = 2 WHERE id = $1`, [job.id])

    const first = await store.jobs.exchange({ workerId: 'w', settle: [], claim: CLAIM })
    const second = first.more ? await store.jobs.exchange({ workerId: 'w', settle: [], claim: CLAIM }) : first

    expect([...first.claimed, ...second.claimed].map(({ id }) => id)).toContain(job.id)
  })
})
