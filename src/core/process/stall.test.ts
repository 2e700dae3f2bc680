import { expect, test } from 'vitest'
import { stallOf } from './stall.ts'

test('a worker is stalled after two and a half pulses, and lost at the limit', () => {
  const limits = { pulseMs: 1_000, stallLimitMs: 60_000 }

  expect([0, 2_500, 2_501, 59_999, 60_000, 1e9].map((silentMs) => stallOf(silentMs, limits))).toEqual([
    'well',
    'well',
    'stalled',
    'stalled',
    'lost',
    'lost',
  ])
})

test('a limit below that kills without keeping, but nobody between two pulses', () => {
  expect([500, 2_500, 2_501].map((silentMs) => stallOf(silentMs, { pulseMs: 1_000, stallLimitMs: 800 }))).toEqual([
    'well',
    'well',
    'lost',
  ])
})

test('silence that nobody could have heard counts for keeping leases, and not for giving up', () => {
  const limits = { pulseMs: 1_000, stallLimitMs: 10_000, excusedMs: 9_000 }

  expect([2_501, 10_000, 18_999, 19_000].map((silentMs) => stallOf(silentMs, limits))).toEqual([
    'stalled',
    'stalled',
    'stalled',
    'lost',
  ])
})
