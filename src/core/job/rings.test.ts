import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Bond, ringsOf } from './rings.ts'

const ids = fc.constantFrom(...'abcdefghij')
const graphs = fc.array(fc.tuple(ids, ids), { maxLength: 25 })

describe('ringsOf', () => {
  test.each<[string, readonly Bond[], readonly (readonly string[])[]]>([
    ['nothing', [], []],
    [
      'a chain',
      [
        ['a', 'b'],
        ['b', 'c'],
      ],
      [],
    ],
    [
      'a diamond',
      [
        ['a', 'b'],
        ['a', 'c'],
        ['b', 'd'],
        ['c', 'd'],
      ],
      [],
    ],
    ['one that waits for itself', [['a', 'a']], [['a']]],
    [
      'two that wait for each other',
      [
        ['a', 'b'],
        ['b', 'a'],
      ],
      [['a', 'b']],
    ],
    [
      'a ring with a way in and a way out',
      [
        ['z', 'b'],
        ['b', 'a'],
        ['c', 'b'],
        ['a', 'c'],
        ['c', 'd'],
      ],
      [['a', 'b', 'c']],
    ],
    [
      'two rings',
      [
        ['a', 'b'],
        ['b', 'a'],
        ['a', 'c'],
        ['c', 'd'],
        ['d', 'c'],
      ],
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'a ring behind a ring of a higher id',
      [
        ['b', 'c'],
        ['c', 'b'],
        ['b', 'a'],
        ['a', 'x'],
        ['x', 'a'],
      ],
      [
        ['b', 'c'],
        ['a', 'x'],
      ],
    ],
  ])('of %s', (_, edges, rings) => {
    expect(ringsOf(edges).toSorted()).toEqual(rings.toSorted())
  })

  test('a chain of 100,000 is no ring, and one of which the ends meet is', () => {
    const id = (i: number) => String(i).padStart(6, '0')
    const chain = Array.from({ length: 100_000 }, (_, i): Bond => [id(i), id(i + 1)])

    expect(ringsOf(chain)).toEqual([])
    expect(ringsOf([...chain, [id(100_000), id(0)]]).map(({ length }) => length)).toEqual([100_001])
  })

  test('in a ring each waits for the next, nobody is in two, and each begins with its lowest id', () => {
    fc.assert(
      fc.property(graphs, (edges) => {
        const known = new Set(edges.map(([parent, child]) => `${parent}${child}`))
        const rings = ringsOf(edges)
        for (const ring of rings) {
          for (const [i, id] of ring.entries()) expect(known).toContain(`${ring[(i + 1) % ring.length]}${id}`)
          expect(ring[0]).toBe(ring.toSorted()[0])
        }
        expect(new Set(rings.flat()).size).toBe(rings.flat().length)
      }),
    )
  })

  test('without the jobs of the rings that are told, nothing waits for itself any more', () => {
    fc.assert(
      fc.property(graphs, (edges) => {
        const told = new Set(ringsOf(edges).flat())
        const rest = edges.filter(([parent, child]) => !told.has(parent) && !told.has(child))
        expect(isReleased(rest)).toBe(true)
      }),
    )
  })
})

/** Lets every job end that waits for nobody, until none does; whether none is left then. */
function isReleased(edges: readonly Bond[]): boolean {
  let left = edges
  for (;;) {
    const waiting = new Set(left.map(([, child]) => child))
    const next = left.filter(([parent]) => waiting.has(parent))
    if (next.length === left.length) return left.length === 0
    left = next
  }
}
