import { expect, test } from 'vitest'
import { heapUse, Wear } from './wear.ts'

const MIB = 2 ** 20

/** An isolate without a limit, and what is in use there when jobs have left so many MiB. */
function fresh() {
  const wear = new Wear()
  const base = heapUse()
  wear.loaded(base, undefined)
  return { wear, with: (mib: number) => ({ ...base, externalBytes: base.externalBytes + mib * MIB }) }
}

test('a collection while a job holds much does not put off the one after it', () => {
  const { wear, with: used } = fresh()

  wear.look(used(400))

  expect(wear.leftBytes).toBeGreaterThan(390 * MIB)
  expect(wear.isCollectionDue(used(300))).toBe(true)
})

test('one that found little less than jobs may leave puts off the next', () => {
  const { wear, with: used } = fresh()

  expect(wear.isWornOut(used(240))).toBe(false)

  expect(wear.isCollectionDue(used(290))).toBe(false)
  expect(wear.isCollectionDue(used(330))).toBe(true)
  expect(wear.isWornOut(used(290))).toBe(true)
})

test('code that is loaded later is not what jobs have left', () => {
  const { wear, with: used } = fresh()

  wear.loaded(used(-300), undefined)

  expect(wear.isCollectionDue(used(300))).toBe(false)
})

test('is looked at no more often than every 5 ms', () => {
  const { wear } = fresh()

  expect([0, 4, 5, 9.9, 10].map((ms) => wear.isLookDue(ms))).toEqual([true, false, true, false, true])
})
