/** On PostgreSQL leases are noted once a claim: whatever becomes of its jobs, none that runs is ever without such a row. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { newId } from '../../src/base/id.ts'
import type { ClaimRequest, Lease, NewJob, Settlement } from '../../src/store/contract/index.ts'
import { postgresStore } from '../support/postgres-store.ts'
import { describeOn } from '../support/servers.ts'

const LEASE_MS = 30_000
/** A claim of so many leaves its jobs in line. */
const LARGE = 256

const claimOf = (limit: number, workerId = 'w'): ClaimRequest => ({
  ...{ workerId, queues: 'all', names: ['job'], limit, leaseMs: LEASE_MS },
})

function someJob(bytes = 2): NewJob {
  return { id: newId(), name: 'job', version: 1, queue: 'q', priority: 5, payload: Buffer.alloc(bytes, 120) }
}

function completed({ id, epoch }: Lease): Settlement {
  return { id, epoch, runMs: 1, to: 'completed', result: null }
}

await describeOn('postgres', (server) => {
  async function storeWith(jobs: readonly NewJob[]) {
    const clock = new ManualClock()
    const { store, client, schema } = await postgresStore(server, clock)
    await store.jobs.insert(jobs)
    const idsOf = async (sql: string): Promise<string[]> => (await client.query(sql)).rows.map((row) => String(row.id))
    const claim = async (limit: number, workerId = 'w') =>
      (await store.jobs.exchange({ workerId, settle: [], claim: claimOf(limit, workerId) })).claimed
    const settle = async (settle: readonly Settlement[], workerId = 'w') =>
      (await store.jobs.exchange({ workerId, settle })).settled
    return {
      ...{ store, clock, client, schema, claim, settle },
      /** Running jobs that no row will have looked at when their lease ends. */
      unnoted: () =>
        idsOf(
          `SELECT j.id FROM ${schema}.job j WHERE j.state = 3 AND NOT EXISTS (SELECT 1 FROM ${schema}.lease l ` +
            'WHERE j.id = ANY (l.job_ids) AND l.until_at <= j.lease_until)',
        ),
      leases: () => idsOf(`SELECT id FROM ${schema}.lease`),
      inLine: () => idsOf(`SELECT id FROM ${schema}.job WHERE line = 2 AND state = 3`),
    }
  }

  test('what runs is noted: claims of every kind, leases made longer and shorter, outcomes of every kind', async () => {
    const jobs = [...Array.from({ length: LARGE + 8 }, () => someJob()), someJob(5_000), someJob(5_000)]
    const { store, claim, settle, unnoted, leases, inLine } = await storeWith(jobs)

    const large = await claim(LARGE)
    expect(large).toHaveLength(LARGE)
    expect(await inLine()).toHaveLength(LARGE)
    const small = await claim(8)
    const slow = await claim(8)
    expect([small.length, slow.length]).toEqual([8, 2])
    expect(await unnoted()).toEqual([])
    expect(await leases()).toHaveLength(3)

    const [longer, shorter, back, lost, cancelled] = large
    if (!longer || !shorter || !back || !lost || !cancelled) throw new Error('they are claimed')
    expect(await store.jobs.extend('w', [longer], 2 * LEASE_MS)).toEqual(['held'])
    expect(await store.jobs.extend('w', [shorter], 1_000)).toEqual(['held'])
    expect(await inLine()).toHaveLength(LARGE - 2)
    expect(await unnoted()).toEqual([])
    expect(await settle([{ ...completed(back), to: 'pending' } as Settlement])).toEqual(['settled'])
    // Of another worker: nothing is settled, and nothing dropped.
    expect(await settle([completed(lost)], 'stranger')).toEqual(['lost'])
    await store.jobs.cancel([cancelled.id])
    expect(await settle([...small, ...slow].map(completed))).toEqual(Array(10).fill('settled'))
    expect(await unnoted()).toEqual([])
  })

  test('a job that is given back and claimed again at once is noted by its new claim', async () => {
    const { store, claim, settle, unnoted, leases } = await storeWith([someJob()])
    const [job] = await claim(1)
    if (job === undefined) throw new Error('it is claimed')
    const back = { ...completed(job), to: 'pending' } as Settlement
    const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [back], claim: claimOf(1) })
    expect(claimed.map(({ id, epoch }) => [id, epoch])).toEqual([[job.id, 2]])

    await store.jobs.insert([someJob(), someJob()])
    for (const other of await claim(2)) await settle([completed(other)])

    // Of both claims of the job, and of the last one, whose row goes with the next that is settled.
    expect(await leases()).toHaveLength(3)
    expect(await unnoted()).toEqual([])
  })

  test('the row of a claim goes with its last job', async () => {
    const { claim, settle, leases } = await storeWith(Array.from({ length: 4 }, () => someJob()))
    const [one, other] = await claim(2)
    const last = await claim(2)
    if (one === undefined || other === undefined) throw new Error('two are claimed')

    await settle([completed(one)])
    await settle(last.map(completed))
    expect(await leases()).toHaveLength(2)
    await settle([completed(other)])
    // Dropped with the next that is settled.
    expect(await leases()).toHaveLength(1)
  })

  test('leases end when they say: the shorter one first, the longer one last, each job once', async () => {
    const { store, clock, claim, unnoted, leases } = await storeWith(Array.from({ length: 6 }, () => someJob()))
    const [longer, shorter, ...others] = await claim(6)
    if (longer === undefined || shorter === undefined) throw new Error('they are claimed')
    await store.jobs.extend('w', [longer], 2 * LEASE_MS)
    await store.jobs.extend('w', [shorter], 1_000)
    const reclaim = async () => (await store.jobs.reclaim(100)).map(({ id }) => id).sort()

    expect(await reclaim()).toEqual([])
    clock.advance(1_000)
    expect(await reclaim()).toEqual([shorter.id])
    expect(await unnoted()).toEqual([])
    clock.advance(LEASE_MS)
    expect(await reclaim()).toEqual(others.map(({ id }) => id).sort())
    expect(await unnoted()).toEqual([])
    clock.advance(LEASE_MS)
    expect(await reclaim()).toEqual([longer.id])
    expect(await leases()).toEqual([])
    const again = await claim(6, 'other')
    expect(again).toHaveLength(6)
    expect(await unnoted()).toEqual([])
  })

  test('of more ended leases than are asked for none is forgotten', async () => {
    const { store, clock, claim, unnoted } = await storeWith(Array.from({ length: 25 }, () => someJob()))
    for (let i = 0; i < 5; i++) await claim(5)
    clock.advance(LEASE_MS)

    const sizes: number[] = []
    for (let size = 7; size === 7; ) {
      size = (await store.jobs.reclaim(7)).length
      sizes.push(size)
      expect(await unnoted()).toEqual([])
    }

    expect(sizes).toEqual([7, 7, 7, 4])
  })

  test('a completion that a transaction takes back leaves the lease noted', async () => {
    const { store, clock, client, claim, unnoted } = await storeWith([someJob()])
    const [job] = await claim(1)
    if (job === undefined) throw new Error('it is claimed')
    await client.query('BEGIN')
    expect(await store.jobs.settleWithin(client, 'w', completed(job) as never)).toBe('settled')
    await client.query('ROLLBACK')
    // Another job that is settled would take the row along.
    await store.jobs.insert([someJob()])
    const next = await claim(1)
    await store.jobs.exchange({ workerId: 'w', settle: next.map(completed) })

    expect(await unnoted()).toEqual([])
    clock.advance(LEASE_MS)
    expect((await store.jobs.reclaim(10)).map(({ id }) => id)).toEqual([job.id])
  })

  test('a job that was copied while it ran is taken back when its lease ends', async () => {
    const { store: source, claim } = await storeWith([someJob(), someJob()])
    const held = await claim(2)
    const { store: target, clock, unnoted } = await storeWith([])
    const page = await source.copy.read('live', null, 10)
    await target.copy.write('live', page.items)

    expect(await unnoted()).toEqual([])
    clock.advance(LEASE_MS)
    expect((await target.jobs.reclaim(10)).map(({ id }) => id).sort()).toEqual(held.map(({ id }) => id).sort())
  })
})
