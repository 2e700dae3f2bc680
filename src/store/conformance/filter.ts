/** Filters beyond states, queues and names: what each condition means, whatever a database makes of it. */
import { describe, expect } from 'vitest'
import { JOB_STATES } from '../../core/job/state.ts'
import type { JobCondition, JobFilter } from '../contract/index.ts'
import { bytes, type Case, newJob, settlement } from './fixture.ts'
import { countAll, mixed, walk } from './list.ts'

/** More jobs than any driver looks at in one call. */
const MANY = 6_000

/** The cases of filters. */
export function filterCases(test: Case): void {
  describe('filters', () => {
    test('find by id and by the beginning of an id', async (f) => {
      const ids = await mixed(f, 8)
      const [first = '', second = ''] = ids

      expect(await walk(f, { ids: [second, 'none', first] }, 1, true)).toEqual([first, second])
      expect(await walk(f, { ids: [] }, 5)).toEqual([])
      expect(await walk(f, { idPrefix: first.slice(0, 35) }, 5)).toContain(first)
      expect(await walk(f, { idPrefix: first }, 5)).toEqual([first])
      expect(await walk(f, { idPrefix: 'g' }, 5)).toEqual([])
      expect(await walk(f, { idPrefix: '', states: ['failed'] }, 2)).toEqual(await walk(f, { states: ['failed'] }, 2))
    })

    test('compare texts as they are written, whole, from the beginning, or in part', async (f) => {
      const a = await f.add({ name: 'send-mail', queue: 'Mail', tags: ['x', '50%_off'] })
      const b = await f.add({ name: 'Send-Mail ', queue: 'mail', tags: ['X'], unique: { key: "o'k" } })
      const c = await f.hold(await f.add({ name: 'job', queue: 'third', tags: [] }), { workerId: 'worker-7' })
      const found = (field: 'name' | 'queue' | 'tag' | 'worker' | 'unique' | 'id', match: Match, ...values: string[]) =>
        walk(f, { where: [{ field, match, values }] }, 10, true)

      expect(await found('name', 'equals', 'send-mail')).toEqual([a])
      expect(await found('name', 'equals', 'Send-Mail', 'job')).toEqual([c.id])
      expect(await found('name', 'contains', 'end-', 'zzz')).toEqual([a, b])
      expect(await found('name', 'contains', 'mail')).toEqual([a])
      expect(await found('name', 'starts', 'end')).toEqual([])
      expect(await found('queue', 'starts', 'M', 't')).toEqual([a, c.id])
      expect(await found('tag', 'equals', 'x')).toEqual([a])
      expect(await found('tag', 'contains', '%_')).toEqual([a])
      expect(await found('tag', 'contains', '.*')).toEqual([])
      expect(await found('worker', 'equals', 'worker-7')).toEqual([c.id])
      expect(await found('unique', 'equals', "o'k")).toEqual([b])
      expect(await found('unique', 'equals', "O'K", "o'k ")).toEqual([])
      expect(await found('id', 'starts', b, c.id)).toEqual([b, c.id])
      expect(await found('name', 'equals')).toEqual([])
    })

    test('compare numbers and instants strictly', async (f) => {
      const start = await f.store.time()
      const a = await f.add({ priority: 1 })
      f.clock.advance(100)
      const b = await f.add({ priority: 10 })
      const lease = await f.hold(b)
      f.clock.advance(50)
      await f.fail(lease)
      const found = (condition: JobCondition) => walk(f, { where: [condition] }, 10, true)

      expect(await found({ field: 'priority', above: 1 })).toEqual([b])
      expect(await found({ field: 'priority', below: 10 })).toEqual([a])
      expect(await found({ field: 'priority', above: 0, below: 11, oneOf: [1, 3, 10] })).toEqual([a, b])
      expect(await found({ field: 'priority', oneOf: [] })).toEqual([])
      expect(await found({ field: 'attempt', above: 0 })).toEqual([b])
      expect(await found({ field: 'attempt', oneOf: [0] })).toEqual([a])
      expect(await found({ field: 'created', above: start })).toEqual([b])
      expect(await found({ field: 'created', below: start + 100 })).toEqual([a])
      expect(await found({ field: 'finished', above: start + 149 })).toEqual([b])
      expect(await found({ field: 'finished', below: start + 150 })).toEqual([])
      expect(await found({ not: { field: 'finished', above: start } })).toEqual([a])
    })

    test('measure how long jobs waited and took, up to now while they do', async (f) => {
      const pending = await f.add({ queue: 'waits' })
      const done = await f.add()
      f.clock.advance(1_000)
      const doneLease = await f.hold(done)
      f.clock.advance(300)
      await f.settle(doneLease, { to: 'completed', result: null, runMs: 300 })
      const running = await f.running({ queue: 'runs' })
      f.clock.advance(5_000)
      const cancelled = await f.add({ queue: 'waits', delayMs: 60_000 })
      await f.cancel(cancelled)
      const now = await f.store.time()
      const found = (field: 'wait' | 'took', above: number, below: number) =>
        walk(f, { where: [{ field, above, below, now }] }, 10, true)

      expect(await found('wait', 999, 1_001)).toEqual([done])
      expect(await found('wait', 6_299, 6_301)).toEqual([pending])
      expect(await found('wait', -1, 1)).toEqual([running.id])
      expect(await found('took', 299, 301)).toEqual([done])
      expect(await found('took', 4_999, 5_001)).toEqual([running.id])
      expect(await found('took', -1, 100_000)).toEqual([done, running.id])
    })

    test('tell jobs that have an error, small or large', async (f) => {
      const none = await f.add({ queue: 'none' })
      const small = await f.running({ queue: 'small' })
      await f.settle(small, { to: 'retrying', delayMs: 1_000, error: bytes('e') })
      const large = await f.running({ queue: 'large' })
      await f.settle(large, { to: 'failed', reason: 'exhausted', error: new Uint8Array(5_000) })
      const silent = await f.running({ queue: 'silent' })
      await f.settle(silent, { to: 'failed', reason: 'discarded', error: null })

      expect(await walk(f, { where: [{ field: 'error' }] }, 1, true)).toEqual([small.id, large.id])
      expect(await walk(f, { where: [{ not: { field: 'error' } }] }, 1, true)).toEqual([none, silent.id])
    })

    test('turn a condition round for jobs that lack what it asks for too', async (f) => {
      const waiting = await f.add({ queue: 'a' })
      const held = await f.running({ queue: 'b' })
      const found = (condition: JobCondition) => walk(f, { where: [{ not: condition }] }, 10, true)

      expect(await found({ field: 'worker', match: 'equals', values: ['w1'] })).toEqual([waiting])
      expect(await found({ field: 'worker', match: 'equals', values: ['other'] })).toEqual([waiting, held.id])
      expect(await found({ field: 'unique', match: 'contains', values: ['x'] })).toEqual([waiting, held.id])
      expect(await found({ not: { field: 'worker', match: 'equals', values: ['w1'] } })).toEqual([held.id])
      expect(await found({ field: 'state', states: ['processing'] })).toEqual([waiting])
      expect(await found({ anyOf: [] })).toEqual([waiting, held.id])
      expect(await walk(f, { where: [{ anyOf: [] }] }, 10)).toEqual([])
    })

    test('hold together, with everything else that a filter has', async (f) => {
      const ids = await mixed(f, 24)
      const parts: readonly JobFilter[] = JOB_STATES.flatMap((state) => [
        { states: [state], where: [{ field: 'priority', above: 4 }] },
        { where: [{ field: 'state', states: [state] }, { field: 'error' }] },
        {
          where: [
            {
              anyOf: [
                { field: 'state', states: [state] },
                { field: 'name', match: 'equals', values: ['x'] },
              ],
            },
          ],
        },
      ])
      for (const filter of parts) {
        const states = filter.states ?? []
        const rows = (await f.jobs.list({ filter, limit: 200 })).rows
        if (states.length > 0) expect(rows.map((row) => row.state)).toEqual(rows.map(() => states[0]))
        expect(await walk(f, filter, 2, true)).toEqual(rows.map((row) => row.id).toReversed())
        expect(await countAll(f, filter)).toBe(rows.length)
      }
      expect(await walk(f, { ids, states: ['failed'], createdAfter: 0 }, 3)).toEqual(
        await walk(f, { states: ['failed'] }, 3),
      )
    })

    test('find the only match among many more jobs than one call looks at', async (f) => {
      const only = await f.add({ queue: 'rare' })
      for (let i = 0; i < MANY; i += 1_000)
        await f.jobs.insert(Array.from({ length: 1_000 }, () => newJob({ queue: 'common' })))
      const { claimed } = await f.jobs.exchange({
        workerId: 'w1',
        settle: [],
        claim: {
          workerId: 'w1',
          queues: [{ queue: 'common', max: 1_000 }],
          names: ['job'],
          limit: 1_000,
          leaseMs: 60_000,
        },
      })
      await f.jobs.exchange({
        workerId: 'w1',
        settle: claimed.map((lease) => settlement(lease, { to: 'completed', result: null })),
      })

      for (const up of [true, false]) {
        expect(await walk(f, { queues: ['rare'] }, 10, up)).toEqual([only])
        expect(await walk(f, { queues: ['none'] }, 10, up)).toEqual([])
      }
      expect(await countAll(f, { queues: ['rare'] })).toBe(1)
      expect(await countAll(f, { queues: ['common'] })).toBe(MANY)
      expect(await countAll(f, { queues: ['common'] }, 5_500)).toBe(5_500)
      expect((await walk(f, { queues: ['common'] }, 999)).length).toBe(MANY)
    }, 60_000)
  })
}

type Match = 'equals' | 'starts' | 'contains'
