/** When a run proves nothing, since its faults did not come about. */
import { expect, test } from 'vitest'
import { quietMs, silentFaults } from './run.ts'

test('a fault that did not fire, or a recovery that did not happen, is told', () => {
  expect(silentFaults({ kills: 3, 'ran again': 2 })).toEqual([])
  expect(silentFaults({ kills: 3, 'ran again': 0 })).toEqual(['its fault did not fire: ran again'])
})

test('so many processes have to be hit at work as a scenario says, or one', () => {
  expect(silentFaults({ 'hit at work': 1 })).toEqual([])
  expect(silentFaults({ 'hit at work': 5 }, 5)).toEqual([])
  expect(silentFaults({ 'hit at work': 4 }, 5)).toEqual(['only 4 ended processes had a handler under way, 5 were to'])
})

test('the quiet time is three leases, and half a minute more in a long run', () => {
  expect(quietMs(700, 'short')).toBe(2_100)
  expect(quietMs(2_000, 'long')).toBe(36_000)
  expect(quietMs(30_000, 'long')).toBe(120_000)
})

test('a lease that is not to end in a short run makes its quiet time no longer than nine seconds', () => {
  expect(quietMs(60_000, 'short')).toBe(9_000)
})
