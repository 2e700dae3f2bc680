import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigError } from '../errors.ts'
import { PRIORITIES, parsePriority, priorityName } from './priority.ts'

describe('parsePriority', () => {
  test.each([
    ['low', 1],
    ['normal', 5],
    ['high', 10],
    ['urgent', 15],
    ['HIGH ', 10],
    ['0', 0],
    ['100', 100],
    [0, 0],
    [-0, 0],
    [100, 100],
  ])('reads %j as %d', (value, priority) => {
    expect(parsePriority(value)).toBe(priority)
  })

  test.each([[-1], [101], [1.5], [Number.NaN], ['101'], ['1.5'], ['-1'], [''], ['toString'], ['__proto__']])(
    'refuses %j',
    (value) => {
      expect(() => parsePriority(value)).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', hint: expect.stringContaining('0 to 100') }),
      )
    },
  )

  test('names the nearest priority', () => {
    expect(() => parsePriority('hihg')).toThrow('the priority "hihg" is not one; did you mean `high`?')
  })

  test('gives a whole number from 0 to 100 or a ConfigError for anything', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double(), fc.integer()), (value) => {
        try {
          const priority = parsePriority(value)
          return Number.isInteger(priority) && priority >= 0 && priority <= 100
        } catch (error) {
          return error instanceof ConfigError
        }
      }),
    )
  })
})

describe('priorityName', () => {
  test.each(Object.entries(PRIORITIES))('knows %s', (name, priority) => {
    expect(priorityName(priority)).toBe(name)
  })

  test('is read back to the same number', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), (priority) => {
        expect(parsePriority(priorityName(priority))).toBe(priority)
      }),
    )
  })
})
