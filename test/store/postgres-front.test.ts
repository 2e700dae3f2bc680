/**
 * Claims of busy workers on PostgreSQL go on where the last one of any of them ended (src/store/postgres/front-sql.ts), and meet
 * what stands before that place all the same.
 */
import { expect, test } from 'vitest'
import { CLAIM, claimed, goOn, jobs, ROWS, someJob, twoStores } from '../support/fronts.ts'
import { describeOn } from '../support/servers.ts'

/** Longer than claims go on, however slow the machine is. */
const LATER_MS = 60_000

await describeOn('postgres', (server) => {
  for (const queues of ['all', [{ queue: 'q', max: ROWS }]] as const) {
    const asked = queues === 'all' ? 'all queues' : 'a queue by name'
    test(`go on for each other, then begin at the head: ${asked}`, async () => {
      const { clock, store, other, fronts } = await twoStores(server)
      const waiting = jobs(8 * ROWS)
      await store.jobs.insert(waiting)
      await goOn({ store, fronts }, { queues })
      await goOn({ store: other, fronts }, { queues, workerId: 'other' })
      const urgent = someJob({ priority: 50 })
      await store.jobs.insert([urgent])

      expect(await claimed(store, { queues })).toEqual(waiting.slice(4 * ROWS, 5 * ROWS).map(({ id }) => id))
      expect(await claimed(other, { queues, workerId: 'other' })).not.toContain(urgent.id)
      clock.advance(LATER_MS)
      expect((await claimed(other, { queues, workerId: 'other' }))[0]).toBe(urgent.id)
      expect(await claimed(store, { queues })).toHaveLength(ROWS)
    })
  }

  test('a claim that gets less than it asked for looks at what stands before its place at once', async () => {
    const { store, fronts } = await twoStores(server)
    await store.jobs.insert(jobs(2 * ROWS))
    await goOn({ store, fronts })
    const urgent = someJob({ priority: 50 })
    await store.jobs.insert([urgent])

    expect(await claimed(store)).toEqual([urgent.id])
  })

  test('a suspect that came meanwhile is given, or there is said to be more', async () => {
    const { store, client, schema, fronts } = await twoStores(server)
    await store.jobs.insert(jobs(2 * ROWS))
    await goOn({ store, fronts })
    const job = someJob({ priority: 50 })
    await store.jobs.insert([job])
    await client.query(`UPDATE ${schema}.job SET losses = 2 WHERE id = $1`, [job.id])

    const first = await store.jobs.exchange({ workerId: 'w', settle: [], claim: CLAIM })
    const second = first.more ? await store.jobs.exchange({ workerId: 'w', settle: [], claim: CLAIM }) : first

    expect([...first.claimed, ...second.claimed].map(({ id }) => id)).toContain(job.id)
  })

  test('each claim at once has a stretch of its own, and what was taken of one meanwhile is no reason to begin anew', async () => {
    const { store, other, client, schema, fronts } = await twoStores(server)
    const waiting = jobs(8 * ROWS)
    await store.jobs.insert(waiting)
    await goOn({ store, fronts })
    await goOn({ store: other, fronts }, { workerId: 'other' })
    const idsOf = (from: number, to: number) => waiting.slice(from * ROWS, to * ROWS).map(({ id }) => id)
    await client.query('BEGIN')
    await client.query(`SELECT 1 FROM ${schema}.job WHERE id = ANY ($1) FOR UPDATE`, [idsOf(4, 5)])
    const urgent = someJob({ priority: 50 })
    await store.jobs.insert([urgent])

    const { claimed: none, more } = await store.jobs.exchange({ workerId: 'w', settle: [], claim: CLAIM })
    expect([none.length, more]).toEqual([0, true])
    expect(await claimed(other, { workerId: 'other' })).toEqual(idsOf(5, 6))
    await client.query('ROLLBACK')
    const first = (await claimed(store))[0]
    expect(first).toBe(urgent.id)
  })

  test('many jobs at earlier places are all met before those behind them, once one claim from the head met some', async () => {
    const { clock, store, other, client, schema, fronts } = await twoStores(server)
    const now = await store.time()
    await store.jobs.insert(jobs(12 * ROWS))
    await goOn({ store, fronts })
    await goOn({ store: other, fronts }, { workerId: 'other' })
    const earlier = jobs(4 * ROWS, { runAt: now - 1_000 })
    await store.jobs.insert(earlier)
    clock.advance(LATER_MS)

    const met = await claimed(store)
    const place = async () => (await client.query(`SELECT after_id AS id FROM ${schema}.front WHERE queue = 'q'`)).rows
    await expect.poll(place).toEqual([{ id: met.at(-1) }])
    const then = [await claimed(other, { workerId: 'other' }), await claimed(store)].flat()
    const early = new Set(earlier.map(({ id }) => id))
    expect([...met, ...then].filter((id) => early.has(id))).toHaveLength(3 * ROWS)
  })

  test('a stretch with something that only plain code decides gives it, and the rest after it', async () => {
    const { store, client, schema, fronts } = await twoStores(server)
    const waiting = jobs(4 * ROWS)
    await store.jobs.insert(waiting)
    await goOn({ store, fronts })
    const suspect = waiting[2 * ROWS + 3]?.id ?? ''
    await client.query(`UPDATE ${schema}.job SET losses = 2 WHERE id = $1`, [suspect])

    const given: string[] = []
    for (let more = true; more; ) {
      const answer = await store.jobs.exchange({ workerId: 'w', settle: [], claim: CLAIM })
      given.push(...answer.claimed.map(({ id }) => id))
      more = answer.more
    }
    expect(given.toSorted()).toEqual(
      waiting
        .slice(2 * ROWS)
        .map(({ id }) => id)
        .toSorted(),
    )
  })

  test('a paused queue gives nothing, wherever claims go on', async () => {
    const { store, fronts } = await twoStores(server)
    await store.jobs.insert([...jobs(6 * ROWS), ...jobs(6 * ROWS, { queue: 'other' })])
    await goOn({ store, fronts })
    await store.queues.pause('q', 'test', 'why')

    for (let i = 0; i < 3; i++) {
      const { claimed: given } = await store.jobs.exchange({ workerId: 'w', settle: [], claim: CLAIM })
      expect(new Set(given.map(({ queue }) => queue))).toEqual(new Set(['other']))
    }
  })

  test('who claims other names is not led past its own', async () => {
    const { store, other, fronts } = await twoStores(server)
    const own = jobs(2 * ROWS, { name: 'other' })
    await store.jobs.insert([...own, ...jobs(4 * ROWS), ...jobs(2 * ROWS, { name: 'other' })])
    await goOn({ store, fronts })

    const ids = [await claimed(other, { names: ['other'] }), await claimed(other, { names: ['other'] })]

    expect(ids.flat()).toEqual(own.map(({ id }) => id))
  })

  test('while somebody else writes the places, claims neither wait nor miss anything', async () => {
    const { store, client, schema, fronts } = await twoStores(server)
    await store.jobs.insert(jobs(3 * ROWS))
    await goOn({ store, fronts })
    await client.query('BEGIN')
    await client.query(`SELECT 1 FROM ${schema}.front FOR UPDATE`)

    const urgent = someJob({ priority: 50 })
    await store.jobs.insert([urgent])
    expect((await claimed(store))[0]).toBe(urgent.id)
    expect(await claimed(store)).toHaveLength(1)
    await client.query('ROLLBACK')
  })

  test('who asks for all queues finds one that is new, though others keep the places of those it knows', async () => {
    const { clock, store, other, fronts } = await twoStores(server)
    await store.jobs.insert(jobs(20 * ROWS))
    await goOn({ store, fronts })
    const fresh = someJob({ queue: 'new' })
    await store.jobs.insert([fresh])

    clock.advance(LATER_MS)
    await goOn({ store: other, fronts }, { queues: [{ queue: 'q', max: ROWS }], workerId: 'other' })

    expect(await claimed(store)).toContain(fresh.id)
  })

  test('a queue without jobs, asked first, is served when it has some', async () => {
    const { store, fronts } = await twoStores(server)
    const queues = ['urgent', 'q'].map((queue) => ({ queue, max: ROWS }))
    await store.jobs.insert(jobs(6 * ROWS))
    await goOn({ store, fronts }, { queues })
    const urgent = someJob({ queue: 'urgent' })
    await store.jobs.insert([urgent])

    expect((await claimed(store, { queues }))[0]).toBe(urgent.id)
  })

  test('places where nobody claims any more are forgotten', async () => {
    const { clock, store, fronts } = await twoStores(server)
    await store.jobs.insert(jobs(3 * ROWS))
    await goOn({ store, fronts })

    clock.advance(600_000)
    expect(await fronts()).toBe(2)
    await store.jobs.prune({ completedMs: 1, failedMs: 1, cancelledMs: 1 }, 100)

    expect(await fronts()).toBe(0)
  })
})
