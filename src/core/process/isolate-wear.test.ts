import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type HeapUse, isCollectionDue, isWornOut, wearOf } from './isolate-wear.ts'

const MIB = 2 ** 20
const use = (heapMib: number, externalMib = 0): HeapUse => ({
  heapBytes: heapMib * MIB,
  externalBytes: externalMib * MIB,
})
const BASE = use(8)

describe('wearOf', () => {
  test.each<[string, HeapUse, HeapUse, number | undefined, number]>([
    ['is 0 with nothing done', BASE, BASE, 48, 0],
    ['is 1 at a third of what the limit leaves', use(28), BASE, 68, 1],
    ['does not count buffers as heap', use(28, 100), BASE, 68, 1],
    ['is 1 with 256 MiB of buffers beside any limit', use(8, 256), BASE, 48, 1],
    ['is 1 with 256 MiB where there is no limit', use(8 + 156, 100), BASE, undefined, 1],
    ['leaves jobs an eighth of a limit that code fills', use(52), use(48), 48, 4 / 6],
    ['lets a large limit be used', use(1_008, 512), use(8), 6_008, 1_512 / 2_000],
  ])('%s', (_, now, base, limitMib, wear) => {
    expect(wearOf(now, base, limitMib === undefined ? undefined : limitMib * MIB)).toBeCloseTo(wear)
  })
})

test('more than half of what the limit leaves is for each job', () => {
  // What is left may be a quarter more than jobs may leave, as below.
  const left = 1.25 * (40 / 3)

  expect(wearOf(use(8 + left), BASE, 48 * MIB)).toBeCloseTo(1.25)
  expect(left).toBeLessThan(20)
})

describe('an isolate', () => {
  /** Runs jobs that hold and drop so much of its wear; what the heap is found at the end of each, and what was done. */
  function live(jobs: readonly { readonly holds: number; readonly drops: number }[]) {
    let held = 0
    let garbage = 0
    let kept = 0
    let dropped = 0
    let collections = 0
    const heldAtNext: number[] = []
    for (const { holds, drops } of jobs) {
      held += holds
      garbage += drops
      dropped += holds + drops
      if (isCollectionDue(held + garbage, kept)) {
        collections++
        garbage = 0
        kept = held
        if (isWornOut(kept)) return { isWorn: true, held, collections, dropped, heldAtNext }
      }
      heldAtNext.push(held)
    }
    return { isWorn: false, held, collections, dropped, heldAtNext }
  }
  const job = fc.record({ holds: fc.double({ min: 0, max: 0.3, noNaN: true }), drops: fc.nat(2) })
  const jobs = fc.array(job, { maxLength: 60 })

  test('is given no job when more is held in it than jobs may leave, and a quarter', () => {
    fc.assert(fc.property(jobs, (all) => live(all).heldAtNext.every((held) => held < 1.25)))
  })

  test('never ends for garbage', () => {
    fc.assert(fc.property(jobs, (all) => live(all.map(({ drops }) => ({ holds: 0, drops }))).isWorn === false))
    fc.assert(
      fc.property(jobs, (all) => {
        const { isWorn, held } = live(all)
        return !isWorn || held > 1
      }),
    )
  })

  test('collects no more often than once for each quarter that jobs have used', () => {
    fc.assert(
      fc.property(jobs, (all) => {
        const { collections, dropped } = live(all)
        return collections <= dropped / 0.25
      }),
    )
  })
})
