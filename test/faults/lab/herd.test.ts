/** A fleet that comes back as a herd is found. */
import { expect, test } from 'vitest'
import { herdFaults, herdOf } from './herd.ts'

const USUAL = { from: 5_000, to: 7_000 }
const WOKEN_AT = 20_000

/** So many at each whole `everyMs` from an instant on, for a second. */
function startsFrom(from: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => from + (i * 1_000) / count)
}

test('what begins in the first second after waking is held against what usually begins in one', () => {
  const before = [...startsFrom(4_000, 900), ...startsFrom(5_000, 100), ...startsFrom(6_000, 140)]
  const after = [...startsFrom(WOKEN_AT, 150), ...startsFrom(WOKEN_AT + 1_000, 900)]

  expect(herdOf([...before, ...after], { usual: USUAL, wokenAt: WOKEN_AT })).toEqual({ usualPerS: 120, wokenPerS: 150 })
})

test('twice as many as usual are none too many; one more is', () => {
  expect(herdFaults({ usualPerS: 120, wokenPerS: 240 }, 2)).toEqual([])
  expect(herdFaults({ usualPerS: 120, wokenPerS: 241 }, 2)).toEqual([
    '241 handlers began in the second after waking, usually 120',
  ])
})

test.each([
  [0, 100],
  [100, 0],
])('%i before and %i after prove nothing', (usualPerS, wokenPerS) => {
  expect(herdFaults({ usualPerS, wokenPerS }, 2)).toHaveLength(1)
})
