/** Pages, filters, counts, finished. */
import { describe, expect } from 'vitest'
import type { JobState } from '../../core/job/state.ts'
import type { JobFilter, JobsFacet } from '../contract/index.ts'
import { type Case, type Fixture, newJob } from './fixture.ts'

/** The cases of listing and counting. */
export function listCases(test: Case): void {
  describe('list', () => {
    test('walks all jobs newest first, each once, by pages of every size', async (f) => {
      const ids = await mixed(f, 23)
      for (const limit of [1, 2, 7, 22, 23, 24, 200]) {
        expect(await walk(f, {}, limit)).toEqual(ids.toReversed())
        expect(await walk(f, {}, limit, true)).toEqual(ids)
      }
    })

    test('has no next page after the last row', async (f) => {
      await mixed(f, 4)

      expect(await f.jobs.list({ filter: {}, limit: 4 })).not.toHaveProperty('next')
      expect(await f.jobs.list({ filter: {}, limit: 3 })).toHaveProperty('next')
    })

    test('walks on while jobs are added and end meanwhile', async (f) => {
      const ids = await mixed(f, 10)
      const first = await f.jobs.list({ filter: {}, limit: 4 })
      await f.add()
      await f.jobs.cancel(ids)

      const rest = await f.jobs.list({
        filter: {},
        limit: 100,
        ...(first.next === undefined ? {} : { cursor: first.next }),
      })

      expect([...first.rows, ...rest.rows].map((row) => row.id)).toEqual(ids.toReversed())
    })

    test('refuses a cursor that no list in this order has given', async (f) => {
      await mixed(f, 4)
      const { next = '' } = await f.jobs.list({ filter: {}, limit: 2 })
      const refused = expect.objectContaining({ code: 'CURSOR_INVALID' })
      const cursors = [
        '',
        'garbage',
        next.slice(0, -1),
        `${next}0`,
        next.slice(1),
        Buffer.from(next).toString('base64url'),
      ]

      for (const cursor of cursors) {
        await expect(f.jobs.list({ filter: {}, limit: 2, cursor })).rejects.toEqual(refused)
        await expect(f.jobs.count({}, 10, cursor)).rejects.toEqual(refused)
      }
      await expect(f.jobs.list({ filter: {}, limit: 2, cursor: next, oldestFirst: true })).rejects.toEqual(refused)
    })

    test('gives whole rows, live and ended', async (f) => {
      await mixed(f, 6)
      const { rows } = await f.jobs.list({ filter: {}, limit: 50 })

      for (const row of rows) expect(row).toEqual(await f.row(row.id))
    })

    test('filters by state', async (f) => {
      await mixed(f, 24)
      const all = (await f.jobs.list({ filter: {}, limit: 200 })).rows
      const groups: JobState[][] = [
        ['pending'],
        ['failed'],
        ['completed', 'cancelled'],
        ['failed', 'cancelled'],
        ['processing', 'scheduled', 'failed'],
        [],
      ]
      for (const states of groups) {
        const expected = all.filter((row) => states.includes(row.state)).map((row) => row.id)
        expect(await walk(f, { states }, 2)).toEqual(expected)
        expect(await walk(f, { states }, 2, true)).toEqual(expected.toReversed())
        expect((await f.jobs.count({ states }, 100)).count).toBe(expected.length)
      }
    })

    test('filters by queue, name, tag and time, alone and together', async (f) => {
      const now = await f.store.time()
      const make = (queue: string, name: string, tags: readonly string[]) => f.add({ queue, name, tags })
      const a = await make('a', 'x', ['red', 'blue'])
      f.clock.advance(10)
      const b = await make('a', 'y', ['red'])
      f.clock.advance(10)
      const c = await make('b', 'x', [])
      const found = (filter: JobFilter) => walk(f, filter, 10, true)

      expect(await found({ queues: ['a'] })).toEqual([a, b])
      expect(await found({ queues: ['a', 'b'] })).toEqual([a, b, c])
      expect(await found({ names: ['x'] })).toEqual([a, c])
      expect(await found({ tag: 'red' })).toEqual([a, b])
      expect(await found({ tag: 'blue' })).toEqual([a])
      expect(await found({ tag: 're' })).toEqual([])
      expect(await found({ createdAfter: now + 5 })).toEqual([b, c])
      expect(await found({ createdBefore: now + 15 })).toEqual([a, b])
      expect(await found({ createdAfter: now + 5, createdBefore: now + 15 })).toEqual([b])
      expect(await found({ queues: ['a'], names: ['x'], tag: 'red', states: ['pending'] })).toEqual([a])
      expect(await found({ queues: ['a'], names: ['x'], tag: 'red', states: ['failed'] })).toEqual([])
      expect(await found({ queues: [] })).toEqual([])
    })

    test('counts no further than asked', async (f) => {
      await mixed(f, 12)

      expect(await f.jobs.count({}, 100)).toEqual({ count: 12, capped: false })
      expect(await f.jobs.count({}, 12)).toEqual({ count: 12, capped: false })
      expect(await f.jobs.count({}, 11)).toEqual({ count: 11, capped: true })
      expect(await f.jobs.count({}, 1)).toEqual({ count: 1, capped: true })
    })

    test('gives the finished among some ids', async (f) => {
      const done = await f.running({ queue: 'x' })
      await f.complete(done)
      const cancelled = await f.add()
      await f.cancel(cancelled)
      const live = await f.add()

      const rows = await f.jobs.finished([live, done.id, 'none', cancelled])

      expect(rows.map((row) => row.id).sort()).toEqual([done.id, cancelled].sort())
      expect(rows.find((row) => row.id === done.id)).toEqual(await f.row(done.id))
      expect(await f.jobs.finished([])).toEqual([])
    })
  })
}

/** Jobs in many states, oldest first. */
export async function mixed(f: Fixture, count: number): Promise<readonly string[]> {
  const ids: string[] = []
  for (let i = 0; i < count; i++) {
    const job = newJob({ queue: `q${i}`, ...(i % 6 === 1 ? { delayMs: 5_000 } : {}) })
    await f.jobs.insert([job])
    ids.push(job.id)
    if (i % 6 === 2) await f.cancel(job.id)
    if (i % 6 === 3) await f.complete(await f.hold(job.id))
    if (i % 6 === 4) await f.fail(await f.hold(job.id))
    if (i % 6 === 5) await f.hold(job.id)
  }
  return ids
}

/** Every id that a filter finds, by pages. */
export async function walk(
  f: Fixture,
  filter: JobFilter,
  limit: number,
  oldestFirst = false,
): Promise<readonly string[]> {
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const page = await f.jobs.list({ filter, limit, oldestFirst, ...(cursor === undefined ? {} : { cursor }) })
    expect(page.rows.length).toBeLessThanOrEqual(limit)
    ids.push(...page.rows.map((row) => row.id))
    cursor = page.next
  } while (cursor !== undefined)
  return ids
}

/** How many a filter finds, looked at to the end or to the cap. */
export async function countAll(
  { jobs }: { readonly jobs: Pick<JobsFacet, 'count'> },
  filter: JobFilter,
  cap = 100_000,
): Promise<number> {
  let count = 0
  for (let cursor: string | undefined; ; ) {
    const part = await jobs.count(filter, cap - count, cursor)
    count += part.count
    cursor = part.next
    expect(part.capped && cursor !== undefined).toBe(false)
    if (cursor === undefined) return count
  }
}
