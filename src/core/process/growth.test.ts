import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { growthByKind, type HeapSample } from './growth.ts'

const MB = 1_000_000

/** A heap of 20 MB that grows with what the kinds hold, seen while they ran so often. */
function heap(
  holds: Readonly<Record<string, number>>,
  rounds: readonly Readonly<Record<string, number>>[],
): HeapSample[] {
  const ran = new Map<string, number>()
  let bytes = 20 * MB
  return rounds.map((round) => {
    for (const [name, count] of Object.entries(round)) {
      ran.set(name, (ran.get(name) ?? 0) + count)
      bytes += count * (holds[name] ?? 0)
    }
    return { bytes, ran: new Map(ran) }
  })
}

describe('growthByKind', () => {
  test('names the kind that holds memory, and not the ones beside it', () => {
    const rounds = [5, 1, 8, 2, 9, 3, 7].map((n, i) => ({ leaks: n, clean: 50 - 5 * i, rare: i % 2 }))

    const grown = growthByKind(heap({ leaks: 2 * MB }, rounds))

    expect(grown[0]?.[0]).toBe('leaks')
    // Grown since the first sample by 30 of its 35 jobs: told for all that it ran.
    expect(grown[0]?.[1]).toBeGreaterThan(55 * MB)
    expect(grown.slice(1).every(([, bytes]) => bytes < 8 * MB)).toBe(true)
  })

  test('divides what two kinds may have done that always ran side by side', () => {
    const grown = growthByKind(
      heap(
        { a: MB },
        Array.from({ length: 20 }, () => ({ a: 2, b: 1 })),
      ),
    )

    expect(grown.map(([name]) => name).sort()).toEqual(['a', 'b'])
  })

  test('tells nothing of a heap that does not grow, and of too few samples', () => {
    expect(
      growthByKind(
        heap(
          {},
          Array.from({ length: 20 }, () => ({ a: 2, b: 1 })),
        ),
      ),
    ).toEqual([])
    expect(growthByKind(heap({ a: MB }, [{ a: 1 }, { a: 50 }, { a: 9 }]))).toEqual([])
    expect(growthByKind([])).toEqual([])
  })

  test('never tells of more than the heap has grown, give or take a tenth, whatever ran', () => {
    const round = fc.record({ a: fc.nat(50), b: fc.nat(50), c: fc.nat(50) })
    fc.assert(
      fc.property(fc.array(round, { minLength: 4, maxLength: 40 }), fc.nat(3), fc.nat(3), (rounds, a, b) => {
        const samples = heap({ a: a * MB, b: b * MB }, rounds)
        const most = 51 * 4 * MB + ((samples.at(-1)?.bytes ?? 0) - 20 * MB) * 1.1
        return growthByKind(samples).every(([name, bytes]) => name !== '' && bytes <= most)
      }),
    )
  })
})
