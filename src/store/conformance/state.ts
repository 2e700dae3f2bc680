/** Shared values with compare-and-set. */
import { describe, expect } from 'vitest'
import { type Case, nth } from './fixture.ts'

/** The cases of shared values. */
export function stateCases(test: Case): void {
  describe('state', () => {
    test('writes what is not there, once', async (f) => {
      expect(await f.store.state.get('k')).toBeNull()

      const version = await f.store.state.put('k', 'one', null)

      expect(version).not.toBeNull()
      expect(await f.store.state.get('k')).toEqual({ value: 'one', version })
      expect(await f.store.state.put('k', 'two', null)).toBeNull()
    })

    test('swaps only against the version it expects', async (f) => {
      const first = await f.store.state.put('k', 'one', null)
      const second = await f.store.state.put('k', 'two', first)
      expect(second).not.toBe(first)

      expect(await f.store.state.put('k', 'three', first)).toBeNull()

      expect(await f.store.state.get('k')).toEqual({ value: 'two', version: second })
    })

    test('refuses a version of a key that is not there', async (f) => {
      expect(await f.store.state.put('k', 'v', 1)).toBeNull()
      expect(await f.store.state.get('k')).toBeNull()
    })

    test('lets one of many writers win', async (f) => {
      const stores = [f.store, await f.connect(), await f.connect()]

      const won = await Promise.all(
        Array.from({ length: 12 }, (_, i) => nth(stores, i % 3).state.put('k', `v${i}`, null)),
      )

      expect(won.filter((version) => version !== null)).toHaveLength(1)
    })

    test('counts up without losing a step over several connections', async (f) => {
      const stores = [f.store, await f.connect(), await f.connect()]
      await f.store.state.put('n', '0', null)
      const addOne = async (i: number): Promise<void> => {
        const { state } = nth(stores, i % 3)
        for (;;) {
          const known = await state.get('n')
          if ((await state.put('n', String(Number(known?.value) + 1), known?.version ?? null)) !== null) return
        }
      }

      await Promise.all(Array.from({ length: 30 }, (_, i) => addOne(i)))

      expect((await f.store.state.get('n'))?.value).toBe('30')
    })

    test('Q3: lists by prefix in order, every character meaning itself', async (f) => {
      const keys = ['a', 'a%', 'a%1', 'a_', 'a_1', 'aX1', 'A%', 'b', 'a\u{10ffff}', 'aé', 'a%\\']
      for (const key of keys) await f.store.state.put(key, `v:${key}`, null)
      const list = async (prefix: string, limit = 100) =>
        (await f.store.state.list(prefix, limit)).map((entry) => entry.key)

      expect(await list('a%')).toEqual(['a%', 'a%1', 'a%\\'])
      expect(await list('a_')).toEqual(['a_', 'a_1'])
      expect(await list('A')).toEqual(['A%'])
      expect(await list('a', 3)).toEqual(['a', 'a%', 'a%1'])
      expect((await list('')).sort()).toEqual([...keys].sort())
      expect(await list('zzz')).toEqual([])
      expect(nth(await f.store.state.list('a_1', 1), 0)).toMatchObject({ key: 'a_1', value: 'v:a_1' })
    })
  })
}
