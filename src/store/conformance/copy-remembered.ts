/** Copying ids of jobs that are gone: what is remembered in one store is so in the other. */
import { describe, expect } from 'vitest'
import { copyAll, forget, pagesOf, readAll, withMemory } from './copied.ts'
import { type Case, newJob } from './fixture.ts'

const NONE_KEPT = { completedMs: 0, failedMs: 0, cancelledMs: 0 }

/** The cases of copying remembered ids. */
export function copyRememberedCases(test: Case): void {
  describe('copy of remembered ids', () => {
    test('an id that is remembered is so in the other store, until its time is over', async (f) => {
      await withMemory(f, async (memory) => {
        const forgotten = await forget(memory, [3, 1])
        f.clock.advance(60_000)
        const later = await forget(memory, [2])
        await copyAll(memory, f.store)
        await copyAll(memory, f.store)
        const again = (ids: readonly string[]) => f.jobs.insert(ids.map((id) => newJob({ id })))

        expect(await again([...forgotten, ...later])).toEqual(
          [...forgotten, ...later].map((id) => ({ status: 'existing', id, state: 'completed' })),
        )
        f.clock.advance(60_000)
        expect(await f.jobs.prune(NONE_KEPT, 100)).toBeGreaterThan(0)
        expect((await again(later)).map(({ status }) => status)).toEqual(later.map(() => 'existing'))
        expect((await again(forgotten)).map(({ status }) => status)).toEqual(forgotten.map(() => 'created'))
      })
    })

    test('ids that are there are left, beside others of the same page that are not', async (f) => {
      const [a, b, c] = ['a', 'b', 'c'].map((end) => ({ id: `aaaaaaaa-a000-7000-8000-00000000000${end}`, doneAt: 7 }))
      if (!(a && b && c)) throw new Error('there are three')

      await f.store.copy.write('remembered', [b, c])
      await f.store.copy.write('remembered', [a, { ...b, doneAt: 8 }])
      await f.store.copy.write('remembered', [a, c])

      expect((await readAll(f.store, 'remembered', 10)).toSorted((one, other) => (one.id < other.id ? -1 : 1))).toEqual(
        [a, b, c],
      )
    })

    test('ids are let go of when their own time is over, in whatever order they were written', async (f) => {
      const [late, early] = [newJob().id, newJob().id]
      const now = f.clock.now()
      await f.store.copy.write('remembered', [
        { id: late, doneAt: now },
        { id: early, doneAt: now - 60_000 },
      ])
      f.clock.advance(60_000)

      expect(await f.jobs.prune(NONE_KEPT, 100)).toBe(1)

      expect((await readAll(f.store, 'remembered', 10)).map(({ id }) => id)).toEqual([late])
    })

    test('a page has no more ids than were asked for, however many are remembered together', async (f) => {
      const ids = await forget(f.store, [7, 1, 1, 2])

      const pages = await pagesOf(f.store, 'remembered', 3)

      expect(pages.every((page) => page.length <= 3)).toBe(true)
      expect(
        pages
          .flat()
          .map(({ id }) => id)
          .toSorted(),
      ).toEqual(ids.toSorted())
    })
  })
}
