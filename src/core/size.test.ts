import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigError } from './errors.ts'
import { formatSize, parseSize } from './size.ts'

describe('parseSize', () => {
  test.each([
    [0, 0],
    [512, 512],
    ['7b', 7],
    ['512kb', 512_000],
    ['50mb', 50_000_000],
    ['1gb', 1_000_000_000],
    ['2tb', 2_000_000_000_000],
    ['1kib', 1024],
    ['64MiB', 67_108_864],
    ['1gib', 1_073_741_824],
    ['1tib', 1_099_511_627_776],
    ['1.5 KiB', 1536],
    [' 1 KB ', 1000],
  ])('reads %j as %d bytes', (value, bytes) => {
    expect(parseSize(value)).toBe(bytes)
  })

  test.each([
    ['', 'it is empty'],
    ['512', 'it has no unit'],
    ['5 apples', '"apples" is not a unit'],
    ['5k', '"k" is not a unit'],
    ['-5mb', 'it is not an amount with a unit'],
    ['mb', 'it is not an amount with a unit'],
    ['1mb2kb', 'it is not an amount with a unit'],
    [-1, 'it is negative'],
    [Number.NaN, 'it is not a number'],
    ['9999999tb', 'it is too large'],
    [`${'9'.repeat(70)}kb`, 'it is longer than 64 characters'],
  ])('refuses %j: %s', (value, reason) => {
    expect(() => parseSize(value, 'maxMemory')).toThrow(
      expect.objectContaining({
        code: 'SIZE_INVALID',
        message: expect.stringContaining('maxMemory is '),
        fields: { label: 'maxMemory', value, reason },
        hint: expect.stringContaining('"50mb"'),
      }),
    )
  })

  test('gives a whole safe number or a ConfigError for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{1,9}(\.\d{1,3})? ?[kmgt]?i?b?$/)), (text) => {
        try {
          const bytes = parseSize(text)
          return Number.isSafeInteger(bytes) && bytes >= 0
        } catch (error) {
          return error instanceof ConfigError && error.code === 'SIZE_INVALID'
        }
      }),
    )
  })
})

describe('formatSize', () => {
  test.each([
    [0, '0 B'],
    [-1, '0 B'],
    [Number.NaN, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [1_048_575, '1 MiB'],
    [67_108_864, '64 MiB'],
    [2 ** 50, '1024 TiB'],
  ])('writes %d bytes as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text)
  })

  test('is read back to within a twentieth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
        expect(Math.abs(parseSize(formatSize(bytes)) - bytes)).toBeLessThanOrEqual(bytes / 20)
      }),
    )
  })

  test('is read back exactly when it is a whole number of units', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1023 }), fc.integer({ min: 0, max: 4 }), (amount, power) => {
        const bytes = amount * 1024 ** power

        expect(parseSize(formatSize(bytes))).toBe(bytes)
      }),
    )
  })
})
