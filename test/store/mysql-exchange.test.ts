/** One job by itself is claimed and settled by other statements than several, and looks are mostly brief: neither makes a difference. */
import type { RowDataPacket } from 'mysql2/promise'
import { expect, onTestFinished, test, vi } from 'vitest'
import { claimRequest, newJob, nth } from '../../src/store/conformance/fixture.ts'
import type { ClaimedJob, ClaimRequest, SettleResult, Store } from '../../src/store/contract/index.ts'
import { CLAIM_STATEMENTS } from '../../src/store/mysql/claim.ts'
import { MysqlDialect } from '../../src/store/mysql/dialect.ts'
import { SETTLE_STATEMENTS } from '../../src/store/mysql/settle.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { borrowedStoreUrl, describeOn, migratedStore } from '../support/servers.ts'

const { LEAVE, LEAVE_SIDE_BY_SIDE, TAKE } = CLAIM_STATEMENTS
const { ARCHIVE, ARCHIVE_ONE, REMOVE, FORGET, REMEMBER, REMEMBER_ONE } = SETTLE_STATEMENTS
// Those of six priorities do not stand side by side.
const LISTS = [LEAVE, ARCHIVE]
const SINGLES = [LEAVE_SIDE_BY_SIDE, ARCHIVE_ONE]
const BOTH = [TAKE, REMOVE, FORGET, REMEMBER_ONE]
const RESULTS = [null, new Uint8Array(0), Uint8Array.of(0, 39, 92, 255)]
/** As long as a hash that stands for a long name. */
const LIKE_A_HASH = `#${'0a'.repeat(32)}`
const LONG = 'l'.repeat(300)
const QUEUES = [
  ['of all queues', 'all'],
  ['of named queues', ['q', 'r'].map((queue) => ({ queue, max: 9 }))],
] as const

await describeOn('mysql', (server) => {
  test('one by one and all at once, jobs leave the same rows behind when they are claimed and when they end', async () => {
    const [one, many] = [await rowsOf(1), await rowsOf(100)]

    expect(one.rows).toEqual(many.rows)
    expect(one.rows.running).toHaveLength(6)
    expect(one.rows.archived.map(({ result }) => result)).toEqual(
      RESULTS.toReversed().map((result) => result && Buffer.from(result)),
    )
    expect(one.rows.left).toEqual([{ jobs: 0, places: 0, remembered: 3 }])
    expect(LISTS.map((sql) => [one.said.has(sql), many.said.has(sql)])).toEqual(LISTS.map(() => [false, true]))
    expect(SINGLES.map((sql) => [one.said.has(sql), many.said.has(sql)])).toEqual(SINGLES.map(() => [true, false]))
    expect(BOTH.map((sql) => [one.said.has(sql), many.said.has(sql)])).toEqual(BOTH.map(() => [true, true]))
  })

  test('several ids that do not begin alike are remembered one each', async () => {
    const { store, said } = await ground()
    const ids = ['a-0000000000', 'b-0000000000']
    await store.jobs.insert(ids.map((id) => newJob({ id })))
    const held = await claimed(store, 2)
    await settle(store, 2, held, () => true)

    expect([said().has(REMEMBER), said().has(REMEMBER_ONE)]).toEqual([true, false])
    expect(await store.jobs.insert(ids.map((id) => newJob({ id })))).toMatchObject(
      ids.map(() => ({ status: 'existing' })),
    )
  })

  test('what is lost, and what somebody came to wait for, is no plain settlement by itself either', async () => {
    const { store } = await ground()
    for (const forget of [false, true]) {
      await store.jobs.insert([newJob()])
      const lease = nth(await claimed(store, 1), 0)
      const { id, epoch } = lease
      const late = { id, epoch: epoch + 1, runMs: 1, to: 'completed' as const, result: null, forget }
      expect(await store.jobs.exchange({ workerId: 'w1', settle: [late] })).toMatchObject({ settled: ['lost'] })
      const others = { workerId: 'w2', settle: [{ ...late, epoch }] }
      expect(await store.jobs.exchange(others)).toMatchObject({ settled: ['lost'] })
      expect(await store.jobs.get(id)).toMatchObject({ state: 'processing' })

      const child = newJob({ dependsOn: [{ parentId: id, policy: 'cancel' }] })
      await store.jobs.insert([child])
      expect(await settle(store, 1, [lease], () => forget)).toEqual(['settled'])
      expect(await store.jobs.get(child.id)).toMatchObject({ state: 'pending' })
      await store.jobs.cancel([child.id])
    }
  })

  test('a queue of a long name, and one whose name is like the hash of such, have the same share as any other', async () => {
    // In the order of their keys each comes first and last.
    for (const queues of [
      ['!', LONG],
      [LONG, 'z'],
      ['!', LIKE_A_HASH],
      [LIKE_A_HASH, LONG, 'z'],
    ]) {
      const { store } = await ground()
      await store.jobs.insert(queues.flatMap((queue) => Array.from({ length: 6 }, () => newJob({ queue }))))

      const { claimed } = await store.jobs.exchange({ workerId: 'w1', settle: [], claim: forAll(6) })
      const shares = queues.map((queue) => claimed.filter((job) => job.queue === queue).length)
      expect([queues, shares]).toEqual([queues, queues.map(() => 6 / queues.length)])
    }
  })

  test.each(QUEUES)(
    'a job that is to stop is told of by the next exchange, to its worker alone: %s',
    async (_, queues) => {
      const { store } = await ground()
      const claim = claimRequest({ queues, limit: 1 })
      await store.jobs.insert([newJob(), newJob(), newJob()])
      const { claimed, cancelling } = await store.jobs.exchange({ workerId: 'w1', settle: [], claim })
      expect([claimed.length, cancelling]).toEqual([1, []])
      const { id, epoch } = nth(claimed, 0)
      await store.jobs.cancel([id])

      const next = await store.jobs.exchange({ workerId: 'w1', settle: [], claim })
      expect([next.claimed.length, next.cancelling]).toEqual([1, [{ id, epoch }]])
      const other = await store.jobs.exchange({ workerId: 'w2', settle: [], claim: { ...claim, workerId: 'w2' } })
      expect([other.claimed.length, other.cancelling]).toEqual([1, []])
    },
  )

  test.each(QUEUES)('a queue that is paused gives nothing to the next exchange: %s', async (_, queues) => {
    const { store } = await ground()
    const claim = claimRequest({ queues, limit: 9 })
    await store.jobs.insert([newJob(), newJob(), newJob({ queue: 'r' })])
    await store.jobs.exchange({
      workerId: 'w1',
      settle: [],
      claim: { ...claim, limit: 1, queues: [{ queue: 'q', max: 1 }] },
    })
    await store.queues.pause('q', 'test', 'test')

    const { claimed } = await store.jobs.exchange({ workerId: 'w1', settle: [], claim })
    expect(claimed.map(({ queue }) => queue)).toEqual(['r'])
  })

  /** What six jobs leave behind, of which three are forgotten, claimed and settled so many at a time. */
  async function rowsOf(limit: number) {
    const { store, said, query } = await ground()
    const ids = Array.from({ length: 6 }, (_, i) => `0192aaaa-b${i}`)
    await store.jobs.insert(ids.map((id, i) => newJob({ id, priority: i, tags: [`t${i}`] })))
    const held = await claimed(store, limit)
    const running = await query(
      'SELECT id, state, epoch, worker_id, lease_until - claimed_at AS lease, claimed_at >= created_at AS later, room, phase ' +
        'FROM millrace_job ORDER BY id',
    )
    await settle(store, limit, held, (i) => i % 2 === 1)
    const archived = await query(
      'SELECT id, name, queue, state, priority, attempts, epoch, worker_id, finished_at - started_at AS took, tags, payload, ' +
        'result FROM millrace_archive ORDER BY id',
    )
    const left = await query(
      'SELECT (SELECT COUNT(*) FROM millrace_job) AS jobs, (SELECT COUNT(*) FROM millrace_ready) AS places, ' +
        "(SELECT CAST(SUM(COALESCE(LENGTH(ids) - LENGTH(REPLACE(ids, ',', '')) - 1, 1)) AS SIGNED) FROM millrace_done) AS remembered",
    )
    return { said: said(), rows: { running, archived, left } }
  }

  /** A store, which statements of its own it said, and a look into its tables. */
  async function ground() {
    const url = await borrowedStoreUrl(server)
    const store = await migratedStore(url)
    const client = await mysqlClient(url)
    const template = vi.spyOn(MysqlDialect.prototype, 'template').mockClear()
    onTestFinished(() => template.mockRestore())
    const said = () => new Set(template.mock.calls.map(([statement]) => statement))
    const query = async (sql: string) => (await client.query<RowDataPacket[]>(sql))[0]
    return { store, said, query }
  }
})

/** Claims until nothing is left. */
async function claimed(store: Store, limit: number): Promise<readonly ClaimedJob[]> {
  const all: ClaimedJob[] = []
  for (let more = true; more; ) {
    const answer = await store.jobs.exchange({ workerId: 'w1', settle: [], claim: forAll(limit) })
    all.push(...answer.claimed)
    more = answer.claimed.length > 0
  }
  return all
}

/** Completes jobs, so many at a time; each third has one of the results. */
async function settle(store: Store, limit: number, held: readonly ClaimedJob[], isForgotten: (i: number) => boolean) {
  const all = held.map(({ id, epoch }, i) => {
    const result = RESULTS[Math.floor(i / 2) % RESULTS.length] ?? null
    return { id, epoch, runMs: 10 + i, to: 'completed' as const, result, forget: isForgotten(i) }
  })
  const results: SettleResult[] = []
  for (let i = 0; i < all.length; i += limit) {
    const { settled } = await store.jobs.exchange({ workerId: 'w1', settle: all.slice(i, i + limit) })
    results.push(...settled)
  }
  return results
}

function forAll(limit = 9): ClaimRequest {
  return claimRequest({ queues: 'all', limit })
}
