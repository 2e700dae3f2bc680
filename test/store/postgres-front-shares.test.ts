/** Claims that go on for each other on PostgreSQL over several queues, behind a pooler, and by a role that may not write where. */
import { describe, expect, test } from 'vitest'
import type { NewJob } from '../../src/store/contract/index.ts'
import { CLAIM, claimed, goOn, jobs, ROWS, someJob, twoStores } from '../support/fronts.ts'
import { lacks } from '../support/needs.ts'
import { pgbouncerProgram, startPgbouncer } from '../support/pgbouncer.ts'
import { describeOn, freshStoreUrl, migratedStore } from '../support/servers.ts'

await describeOn('postgres', (server) => {
  test('each of several named queues is gone through in its order, each job once, also when one of them ends before', async () => {
    const { store, other, fronts } = await twoStores(server)
    const [long, short] = [jobs(12 * ROWS), jobs(2 * ROWS, { queue: 'short' })]
    await store.jobs.insert([...long, ...short])
    const queues = ['q', 'short'].map((queue) => ({ queue, max: ROWS / 2 }))
    await goOn({ store, fronts }, { queues })

    const given: string[] = []
    for (let empty = 0, turn = 0; empty < 2; turn++) {
      const ids = await claimed(turn % 2 === 0 ? other : store, { queues, workerId: `w${turn % 2}` })
      empty = ids.length === 0 ? empty + 1 : 0
      given.push(...ids)
    }

    const of = (all: readonly NewJob[]) => all.map(({ id }) => id)
    const rest = new Set(given)
    expect(given).toHaveLength(rest.size)
    expect(given.filter((id) => of(long).includes(id))).toEqual(of(long).filter((id) => rest.has(id)))
    expect(rest.size).toBe(long.length + short.length - 2 * ROWS)
  })

  test('more queues than a claim has room for are all served, each job once', async () => {
    const { clock, store, other, fronts } = await twoStores(server)
    const all = Array.from({ length: 2 * ROWS }, (_, i) => jobs(6, { queue: `q${i}` })).flat()
    await store.jobs.insert(all)
    await goOn({ store, fronts })

    const given: string[] = []
    for (let more = true, turn = 0; more; turn++) {
      const exchange = { workerId: `w${turn % 2}`, settle: [] }
      const answer = await [store, other][turn % 2]?.jobs.exchange({
        ...exchange,
        claim: { ...CLAIM, workerId: exchange.workerId },
      })
      given.push(...(answer?.claimed.map(({ id }) => id) ?? []))
      more = answer?.more ?? false
      clock.advance(30)
    }

    expect(new Set(given).size).toBe(given.length)
    expect(given).toHaveLength(all.length - 2 * ROWS)
  })

  test('a role that may not write places claims all the same', async () => {
    const url = await freshStoreUrl(server)
    const { migrator, worker } = await server.rolesOf(url)
    const maker = await migratedStore(migrator)
    await maker.close()
    const schema = new URL(url).searchParams.get('schema') ?? ''
    await server.run(`REVOKE ALL ON "${schema}".front FROM PUBLIC, "${new URL(worker).username}"`)
    const store = await migratedStore(worker)
    const waiting = jobs(4 * ROWS)
    await store.jobs.insert(waiting)

    const given: string[] = []
    for (let i = 0; i < 4; i++) given.push(...(await claimed(store)))

    expect(given).toEqual(waiting.map(({ id }) => id))
  })
})

const program = pgbouncerProgram()
describe.skipIf(lacks('pgbouncer', program !== null))('through PgBouncer', async () => {
  if (program === null) return
  await describeOn('postgres', async (server) => {
    const through = await startPgbouncer(program, server.url)

    test('two stores go on for each other, and begin at the head when it is time', async () => {
      const { clock, store, other, fronts } = await twoStores(server, through)
      const waiting = jobs(8 * ROWS)
      await store.jobs.insert(waiting)
      await goOn({ store, fronts })
      await goOn({ store: other, fronts }, { workerId: 'other' })
      const urgent = someJob({ priority: 50 })
      await store.jobs.insert([urgent])

      const given = [await claimed(store), await claimed(other, { workerId: 'other' })].flat()
      expect(given).toEqual(waiting.slice(4 * ROWS, 6 * ROWS).map(({ id }) => id))
      clock.advance(60_000)
      expect((await claimed(store))[0]).toBe(urgent.id)
    })
  })
})
