import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatDuration, parseDuration } from './duration.ts'
import { ConfigError } from './errors.ts'

const LONGEST_MS = 3_155_760_000_000

describe('parseDuration', () => {
  test.each([
    [0, 0],
    [1500, 1500],
    [1.4, 1],
    ['0s', 0],
    ['1500ms', 1500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1w', 604_800_000],
    ['1h30m', 5_400_000],
    ['1w2d3h4m5s6ms', 604_800_000 + 2 * 86_400_000 + 3 * 3_600_000 + 4 * 60_000 + 5_006],
    ['1.5h', 5_400_000],
    ['0.1s', 100],
    ['1.005s', 1005],
    [' 1h 30 m ', 5_400_000],
  ])('reads %j as %d ms', (value, ms) => {
    expect(parseDuration(value)).toBe(ms)
  })

  test.each([
    ['', 'it is empty'],
    ['  ', 'it is empty'],
    ['500', 'it has no unit'],
    ['-5s', 'it is negative'],
    [-1, 'it is negative'],
    [Number.NaN, 'it is not a number'],
    [Number.POSITIVE_INFINITY, 'it is longer than 100 years'],
    ['101000w', 'it is longer than 100 years'],
    ['5x', '"5x" is not an amount with a unit'],
    ['5 minutes', '"5 minutes" is not an amount with a unit'],
    ['5M', '"5M" is not an amount with a unit'],
    ['5mss', '"5mss" is not an amount with a unit'],
    ['1h ago', '"ago" is not an amount with a unit'],
    ['1h,30m', '",30m" is not an amount with a unit'],
    ['.5s', '".5s" is not an amount with a unit'],
    ['1e3s', '"1e3s" is not an amount with a unit'],
    ['30m1h', 'its units do not go from large to small'],
    ['5m5m', 'its units do not go from large to small'],
    [`${'1'.repeat(70)}s`, 'it is longer than 64 characters'],
  ])('refuses %j: %s', (value, reason) => {
    expect(() => parseDuration(value, 'timeout')).toThrow(
      expect.objectContaining({
        code: 'DURATION_INVALID',
        message: expect.stringContaining('timeout is '),
        fields: { label: 'timeout', value, reason },
        hint: expect.stringContaining('"30s"'),
      }),
    )
  })

  test.each([null, undefined, {}, [], true, 5n])('refuses %s from a caller without types', (value) => {
    // What plain JavaScript may pass.
    expect(() => parseDuration(value as never)).toThrow(ConfigError)
  })

  test('gives a whole number in range or a ConfigError for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d. a-z]{0,20}$/)), (text) => {
        try {
          const ms = parseDuration(text)
          return Number.isInteger(ms) && ms >= 0 && ms <= LONGEST_MS
        } catch (error) {
          return error instanceof ConfigError && error.code === 'DURATION_INVALID'
        }
      }),
    )
  })
})

describe('formatDuration', () => {
  test.each([
    [0, '0ms'],
    [999, '999ms'],
    [1500, '1s500ms'],
    [60_000, '1m'],
    [604_800_000, '7d'],
    [5_400_000, '1h30m'],
    [-5, '0ms'],
    [Number.NaN, '0ms'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  test('keeps only the largest units when asked to', () => {
    expect(formatDuration(273_845_678, 2)).toBe('3d4h')
  })

  test('is read back to the same value', () => {
    fc.assert(
      fc.property(fc.oneof(fc.nat(100_000), fc.integer({ min: 0, max: LONGEST_MS })), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms)
      }),
    )
  })

  test('never says more than the value when it is cut', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LONGEST_MS }), fc.integer({ min: 1, max: 5 }), (ms, parts) => {
        expect(parseDuration(formatDuration(ms, parts))).toBeLessThanOrEqual(ms)
      }),
    )
  })
})
