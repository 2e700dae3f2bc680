/** Changes by filter: the same as by ids, in chunks that go on where the last one ended. */
import { describe, expect } from 'vitest'
import type { ChangeRequest, JobRow } from '../contract/index.ts'
import { type Case, type Fixture, nth } from './fixture.ts'
import { mixed } from './list.ts'

/** The cases of changes by filter. */
export function changeWhereCases(test: Case): void {
  describe('changes by filter', () => {
    test('do what the operations by ids do, oldest first, in chunks of any size', async (f) => {
      const changes: readonly ChangeRequest['change'][] = [
        { kind: 'retry' },
        { kind: 'update', change: { priority: 50, queue: 'moved' } },
        { kind: 'cancel' },
        { kind: 'remove' },
      ]
      for (const change of changes) {
        for (const limit of [1, 5, 100]) {
          const [byFilter, byIds] = [await mixed(f, 12), await mixed(f, 12)]
          const results = await changeAll(f, { filter: { ids: byFilter }, change, limit })

          const expected = await byIdsOf(f, byIds, change)
          expect(results.map(({ id }) => id)).toEqual(byFilter)
          expect(results.map(({ outcome }) => outcome)).toEqual(expected)
          expect(await outlines(f, byFilter)).toEqual(await outlines(f, byIds))
        }
      }
    })

    test('leave alone what does not match', async (f) => {
      const ids = await mixed(f, 12)
      const before = await rows(f, ids)

      const results = await changeAll(f, { filter: { states: ['failed'] }, change: { kind: 'retry' }, limit: 500 })

      const failed = before.filter((row) => row?.state === 'failed').map((row) => row?.id)
      expect(results).toEqual(failed.map((id) => ({ id, outcome: 'retried' })))
      const others = ids.filter((id) => !failed.includes(id))
      expect(await rows(f, others)).toEqual(before.filter((row) => row !== null && others.includes(row.id)))
    })

    test('go on after the last chunk, and meet each job once though it matches again', async (f) => {
      const ids = [await f.add(), await f.add(), await f.add()]
      const filter = { states: ['pending'] } as const
      const change = { kind: 'update', change: { priority: 7 } } as const

      const first = await f.jobs.changeWhere({ filter, change, limit: 2 })
      const late = await f.add()
      const cursor = first.next ?? ''
      const bound = (await f.row(late)).createdAt
      const rest = await f.jobs.changeWhere({
        filter: { ...filter, createdBefore: bound + 1 },
        change,
        limit: 2,
        cursor,
      })

      expect(first.results.map(({ id }) => id)).toEqual(ids.slice(0, 2))
      expect(rest.results.map(({ id }) => id)).toEqual([nth(ids, 2), late])
      expect(rest).not.toHaveProperty('next')
    })

    test('pass over jobs that are made after the bound', async (f) => {
      const early = await f.add()
      const bound = (await f.row(early)).createdAt + 1
      f.clock.advance(10)
      await f.add()

      const { results } = await f.jobs.changeWhere({
        filter: { createdBefore: bound },
        change: { kind: 'cancel' },
        limit: 10,
      })

      expect(results).toEqual([{ id: early, outcome: 'cancelled' }])
    })

    test('end the dependents of a job that they cancel', async (f) => {
      const parent = await f.add({ tags: ['old'] })
      const child = await f.child(parent)

      await f.jobs.changeWhere({ filter: { tag: 'old' }, change: { kind: 'remove' }, limit: 10 })

      expect(await f.row(child)).toMatchObject({ state: 'cancelled', reason: 'parent' })
    })

    test('refuse a cursor that none of them has given', async (f) => {
      await f.add()
      const request = { filter: {}, change: { kind: 'cancel' }, limit: 1, cursor: 'garbage' } as const

      await expect(f.jobs.changeWhere(request)).rejects.toEqual(expect.objectContaining({ code: 'CURSOR_INVALID' }))
    })

    test('have nothing to do where nothing matches', async (f) => {
      await f.add()

      const none = { filter: { states: [] }, change: { kind: 'remove' }, limit: 10 } as const
      expect(await f.jobs.changeWhere(none)).toEqual({ results: [] })
      expect(await f.jobs.changeWhere({ ...none, filter: { queues: ['none'] } })).toEqual({ results: [] })
    })

    test('over two connections at once retry each job once', async (f) => {
      const ids = await mixed(f, 60)
      const other = await f.connect()
      const request = { filter: { states: ['failed', 'cancelled'] }, change: { kind: 'retry' }, limit: 7 } as const

      const both = await Promise.all([changeAll(f, request), changeAll(f, request, other)])

      const retried = both.flat().filter(({ outcome }) => outcome === 'retried')
      expect(retried.length).toBe(new Set(retried.map(({ id }) => id)).size)
      expect(retried.length).toBe(20)
      expect((await rows(f, ids)).some((row) => row?.state === 'failed')).toBe(false)
    })
  })
}

async function changeAll(f: Fixture, request: ChangeRequest, store = f.store) {
  const results: { readonly id: string; readonly outcome: string }[] = []
  for (let cursor: string | undefined; ; ) {
    const part = await store.jobs.changeWhere({ ...request, ...(cursor === undefined ? {} : { cursor }) })
    expect(part.results.length).toBeLessThanOrEqual(request.limit)
    results.push(...part.results)
    cursor = part.next
    if (cursor === undefined) return results
  }
}

function byIdsOf(f: Fixture, ids: readonly string[], change: ChangeRequest['change']): Promise<readonly string[]> {
  switch (change.kind) {
    case 'cancel':
      return f.jobs.cancel(ids)
    case 'retry':
      return f.jobs.retry(ids)
    case 'remove':
      return f.jobs.remove(ids)
    case 'update':
      return f.jobs.update(ids, change.change)
    default:
      return change satisfies never
  }
}

function rows(f: Fixture, ids: readonly string[]): Promise<readonly (JobRow | null)[]> {
  return Promise.all(ids.map((id) => f.jobs.get(id)))
}

/** What two jobs have alike that were treated alike. */
async function outlines(f: Fixture, ids: readonly string[]): Promise<readonly unknown[]> {
  return (await rows(f, ids)).map((row) =>
    row === null
      ? null
      : [row.state, row.reason, row.queue, row.priority, row.attempts, row.attemptOffset, row.cancelling],
  )
}
