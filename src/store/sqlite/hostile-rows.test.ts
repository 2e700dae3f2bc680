/**
 * Rows that no Millrace wrote: with the file's checks turned off, or damaged. One that cannot be read ends as failed, reason
 * `unreadable`, when its turn comes; it never stops a claim, a duty or a list that other jobs are in.
 */
import { describe, expect, onTestFinished, test } from 'vitest'
import { damage } from '../../../test/support/damaged-file.ts'
import { tally } from '../../../test/support/tally.ts'
import { tempStorePath } from '../../../test/support/temp-store.ts'
import { ManualClock } from '../../base/clock.ts'
import { claimRequest, newJob, settlement } from '../conformance/fixture.ts'
import type { JobRow, NewJob, Store } from '../contract/index.ts'
import { createSqliteStore } from './store.ts'

const HOUR_MS = 3_600_000
const UNIQUE = { scope: 's', key: 'k', onConflict: 'existing' } as const

/** What a hostile hand sets, on a job that waits at the head of its queue. Each makes the row one that cannot be claimed. */
const UNREADABLE = [
  'version = 9223372036854775807',
  'version = -9223372036854775807',
  'attempts = 9007199254740993',
  'losses = 4611686018427387904',
  'crashes = 9007199254740992',
  'epoch = 9223372036854775807',
  'created_at = 9223372036854775807',
  'run_at = -9223372036854775807',
  'timeout_ms = 9223372036854775807',
  "tags = '{'",
  "tags = ''",
  `tags = '{"a":1}'`,
  "tags = '[1]'",
  "version = 'two'",
  'version = NULL',
  'attempts = NULL',
  "losses = x'01ff'",
  "run_at = ''",
  'created_at = 1.5',
  "timeout_ms = 'soon'",
  "retry = x'00'",
  "progress = 'half'",
  "dependents = 'none'",
  'id = CAST(id AS BLOB)',
  "id = id || CAST(x'ff' AS TEXT)",
]

/** On rows that still can be claimed, or never come to it. */
const ODD = [
  'state = 99',
  'state = 7',
  "state = 'pending'",
  'state = NULL',
  'name = NULL',
  "name = x'ff'",
  "queue = x'ff'",
  'priority = 9223372036854775807',
  "retry = 'no json'",
  "payload = 'text'",
  'payload = NULL',
  'expires_at = 9223372036854775807',
  "expires_at = 'never'",
  "claimed_at = 'then'",
  'waiting_on = 9223372036854775807',
  "unique_key = 'k'",
  "cancelling = 'yes'",
  "id = id || CAST(x'0041' AS TEXT)",
]

describe('a pending row', () => {
  test.each(UNREADABLE)('with %s is failed as unreadable, and the others are claimed', async (set) => {
    const { store, ids, bad } = await damaged(set, { priority: 100 })

    const claimed = await claimAll(store)

    expect(claimed).toEqual(ids)
    const [row] = (await rows(store)).filter(({ id }) => !ids.includes(id))
    expect(row).toMatchObject({ state: 'failed', reason: 'unreadable', attempts: expect.any(Number) })
    if (!set.startsWith('id =')) expect(row?.id).toBe(bad)
    await everyCall(store)
    expect(await claimAll(store)).toEqual([])
    tally({ jobs: ids.length + 1, 'rows damaged': 1 })
  })

  test.each(ODD)('with %s stops nobody', async (set) => {
    const { store, ids } = await damaged(set, { priority: 100 })

    expect(await claimAll(store)).toEqual(expect.arrayContaining([...ids]))

    await everyCall(store)
    tally({ jobs: ids.length + 1, 'rows damaged': 1 })
  })

  test('of many unreadable ones does not hide the readable behind them', async () => {
    const { store, ids } = await damaged("version = 'two'", { priority: 100 }, 250)

    expect(await claimAll(store)).toEqual(ids)

    expect(await store.jobs.count({ states: ['failed'] }, 1_000)).toMatchObject({ count: 250 })
  })

  test('ends with its children released or ended as its edges say', async () => {
    const { store, bad } = await damaged("version = 'two'", { priority: 100 }, 1, (parentId) => [
      newJob({ dependsOn: [{ parentId, policy: 'proceed' }], priority: 1 }),
      newJob({ dependsOn: [{ parentId, policy: 'cancel' }], priority: 2 }),
    ])

    await claimAll(store)

    const children = (await rows(store)).filter(({ priority }) => priority === 1 || priority === 2)
    expect(children.map(({ state }) => state).sort()).toEqual(['cancelled', 'processing'])
    expect(await store.jobs.get(bad)).toMatchObject({ state: 'failed', reason: 'unreadable' })
  })
})

describe('other rows', () => {
  test.each([...UNREADABLE, ...ODD])('a scheduled one with %s stops no promotion', async (set) => {
    const { store, clock, ids } = await damaged(set, { delayMs: 1_000 })
    clock.advance(HOUR_MS)

    expect(await store.jobs.promote(100)).toBeGreaterThanOrEqual(ids.length)

    expect(await claimAll(store)).toEqual(expect.arrayContaining([...ids]))
    await everyCall(store)
  })

  test.each([...UNREADABLE, ...ODD])(
    'a running one with %s stops no heartbeat, outcome, recovery or reclaim',
    async (set) => {
      const other = await damagedRunning(set)
      const recovered = await other.store.jobs.recover('w1', other.claimed, 100)
      expect(recovered.map(({ id }) => id)).toContain(other.claimed[2]?.id)
      expect(await claimAll(other.store)).toContain(other.claimed[2]?.id)
      const { store, clock, claimed } = await damagedRunning(set)

      const held = await store.jobs.extend('w1', claimed, 30_000)
      expect(held.slice(1)).toEqual(['held', 'held'])
      await store.jobs.report(
        'w1',
        claimed.map(({ id, epoch }) => ({ id, epoch, progress: 0.5 })),
      )
      await store.jobs.start('w1', claimed[0] ?? { id: '', epoch: 0 })
      for (const lease of claimed.slice(0, 2)) await store.jobs.saveCheckpoint('w1', lease, Buffer.from('c'))
      const settle = claimed.slice(0, 2).map((lease) => settlement(lease, { to: 'completed', result: null }))
      expect((await store.jobs.exchange({ workerId: 'w1', settle })).settled[1]).toBe('settled')
      clock.advance(HOUR_MS)
      expect((await store.jobs.reclaim(100)).map(({ id }) => id)).toContain(claimed[2]?.id)
      expect(await claimAll(store)).toContain(claimed[2]?.id)
      await everyCall(store)
    },
  )

  test.each(['finished_at = 9223372036854775807', 'state = 99', "started_at = 'x'", "tags = '{'", 'attempts = NULL'])(
    'an archived one with %s stops no list',
    async (set) => {
      const clock = new ManualClock()
      const path = tempStorePath()
      let store = await openAt(path, clock)
      const jobs = [newJob(), newJob()]
      await store.jobs.insert(jobs)
      const { claimed } = await store.jobs.exchange({ workerId: 'w1', settle: [], claim: claimRequest() })
      const settle = claimed.map((lease) => settlement(lease, { to: 'completed', result: null }))
      await store.jobs.exchange({ workerId: 'w1', settle })
      await store.close()
      damage(path, set, [jobs[0]?.id ?? ''], 'millrace_archive')
      store = await openAt(path, clock)

      expect(await rows(store)).toHaveLength(2)

      await everyCall(store)
      clock.advance(HOUR_MS)
      expect(await store.jobs.prune({ completedMs: 0, failedMs: 0, cancelledMs: 0 }, 10)).toBeGreaterThan(0)
    },
  )

  test('a live one of a state that nobody knows can be removed', async () => {
    for (const state of ['99', '7', "'x'", 'NULL']) {
      const { store, bad } = await damaged(`state = ${state}`, {})

      expect(await store.jobs.get(bad)).toMatchObject({ state: 'blocked' })
      expect(await store.jobs.remove([bad])).toEqual(['removed'])
      expect(await store.jobs.get(bad)).toBeNull()
    }
  })

  test('a child that a damaged parent refuses leaves nothing behind', async () => {
    const { store, bad } = await damaged('dependents = 9223372036854775807', {})
    const child = newJob({ dependsOn: [{ parentId: bad, policy: 'cancel' }], unique: UNIQUE })

    const [refused] = await store.jobs.insert([child])
    const [free] = await store.jobs.insert([newJob({ unique: UNIQUE })])

    expect(refused).toMatchObject({ status: 'refused', code: 'STORE_CONSTRAINT' })
    expect(await store.jobs.get(child.id)).toBeNull()
    expect(free).toMatchObject({ status: 'created' })
  })

  test('numbers that are too large read as the nearest that an instant can be', async () => {
    const { store, bad } = await damaged('run_at = 9223372036854775807', {})

    const row = await store.jobs.get(bad)

    expect(new Date(row?.runAt ?? 0).toISOString()).toBe('+275760-09-13T00:00:00.000Z')
  })
})

/** A store with three good jobs and damaged ones that were inserted with `parts`. Returns the good ones' ids in claim order. */
async function damaged(
  set: string,
  parts: Parameters<typeof newJob>[0],
  count = 1,
  more: (id: string) => readonly NewJob[] = () => [],
) {
  const path = tempStorePath()
  const clock = new ManualClock()
  const before = await openAt(path, clock)
  const bad = Array.from({ length: count }, () => newJob({ tags: ['t'], ...parts }))
  const good = Array.from({ length: 3 }, () => newJob({ tags: ['t'], ...parts, priority: 5 }))
  await before.jobs.insert([...bad, ...good])
  await before.jobs.insert(more(bad[0]?.id ?? ''))
  await before.close()
  damage(
    path,
    set,
    bad.map(({ id }) => id),
  )
  return { store: await openAt(path, clock), clock, bad: bad[0]?.id ?? '', ids: good.map(({ id }) => id) }
}

async function damagedRunning(set: string) {
  const [clock, path] = [new ManualClock(), tempStorePath()]
  const before = await openAt(path, clock)
  const jobs = [newJob({ priority: 100 }), newJob(), newJob()]
  await before.jobs.insert(jobs)
  const { claimed } = await before.jobs.exchange({ workerId: 'w1', settle: [], claim: claimRequest() })
  await before.close()
  damage(path, set, [jobs[0]?.id ?? ''])
  return { store: await openAt(path, clock), clock, claimed }
}

async function openAt(path: string, clock: ManualClock): Promise<Store> {
  const store = createSqliteStore({ path, durability: 'normal', clock })
  await store.open()
  await store.migrate()
  onTestFinished(() => store.close())
  return store
}

async function claimAll(store: Store): Promise<readonly string[]> {
  const ids: string[] = []
  for (let more = true; more; ) {
    const answer = await store.jobs.exchange({ workerId: 'w1', settle: [], claim: claimRequest() })
    ids.push(...answer.claimed.map(({ id }) => id))
    more = answer.more
  }
  return ids
}

async function rows(store: Store): Promise<readonly JobRow[]> {
  return (await store.jobs.list({ filter: {}, limit: 200, oldestFirst: true })).rows
}

/** Everything that looks at many jobs at once. */
async function everyCall(store: Store): Promise<void> {
  const { jobs, queues } = store
  for (const row of await rows(store)) {
    expect(Number.isFinite(row.createdAt + row.runAt + row.attempts + row.epoch)).toBe(true)
    expect(() => new Date(row.runAt).toISOString()).not.toThrow()
    await jobs.get(row.id)
  }
  await jobs.list({ filter: { tag: 't' }, limit: 200 })
  await jobs.count({ tag: 't' }, 1_000)
  await queues.list()
  await queues.stats('q')
  await Promise.all([jobs.nextDue(), store.diagnose({ rows: Number.POSITIVE_INFINITY })])
  await jobs.promote(100)
  await jobs.expire(100)
  await jobs.recover('nobody', [], 100)
  await jobs.reclaim(100)
  await jobs.unblock(['k'], 100)
  await jobs.reseal(null, 100, () => [])
}
