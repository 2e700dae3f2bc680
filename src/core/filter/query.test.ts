import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readCursor, writeCursor } from './cursor.ts'
import { instantFromText } from './instant.ts'
import { parseFilter } from './parse.ts'
import { passesErrors, queryOf } from './query.ts'

const NOW = Date.parse('2026-03-01T12:00:00Z')

describe('queryOf', () => {
  test.each([
    ['', {}],
    ['state:failed,retrying state:failed', { states: ['failed'] }],
    ['queue:a,b name:x', { queues: ['a', 'b'], names: ['x'] }],
    ['id:0199', { idPrefix: '0199' }],
    ['age>10m', { where: [{ field: 'created', below: NOW - 600_000 }] }],
    ['age<10m', { where: [{ field: 'created', above: NOW - 600_000 }] }],
    ['created>1h', { where: [{ field: 'created', above: NOW - 3_600_000 }] }],
    ['finished<2026-03-01', { where: [{ field: 'finished', below: NOW - 43_200_000 }] }],
    ['took>5s', { where: [{ field: 'took', now: NOW, above: 5_000 }] }],
    ['-tag:a,b', { where: [{ not: { field: 'tag', match: 'equals', values: ['a', 'b'] } }] }],
    ['priority:high', { where: [{ field: 'priority', oneOf: [10] }] }],
    ['-attempt>2', { where: [{ not: { field: 'attempt', above: 2 } }] }],
    ['error:Timeout', { where: [{ field: 'error' }] }],
    ['-error:Timeout', {}],
  ])('asks a store for %j', (text, filter) => {
    expect(queryOf(parseFilter(text), NOW).filter).toEqual(filter)
  })

  test('looks for a word in ids and names, and from four letters on in errors', () => {
    const nameOrId = (text: string) => [
      { field: 'id', match: 'starts', values: [text] },
      { field: 'name', match: 'contains', values: [text] },
    ]

    expect(queryOf(parseFilter('abc'), NOW)).toEqual({ filter: { where: [{ anyOf: nameOrId('abc') }] }, errors: [] })
    expect(queryOf(parseFilter('abcd'), NOW)).toEqual({
      filter: { where: [{ anyOf: [...nameOrId('abcd'), { field: 'error' }] }] },
      errors: [{ texts: ['abcd'], orWord: 'abcd', not: false }],
    })
  })
})

test.each([
  ['error:timeout', 'TimeoutError: 5000 ms', true],
  ['error:card,timeout', 'TimeoutError: 5000 ms', true],
  ['error:card', 'TimeoutError: 5000 ms', false],
  ['error:card', null, false],
  ['-error:card', null, true],
  ['-error:timeout', 'TimeoutError', false],
  ['size', null, true],
  ['resize', 'no', true],
  ['0199a', null, true],
  ['other', 'an other', true],
  ['other', null, false],
])('the error test of %j on %j: %j', (text, error, passes) => {
  const job = { id: '0199a2', name: 'resize' }

  expect(passesErrors(job, error, queryOf(parseFilter(text), NOW).errors)).toBe(passes)
})

describe('instantFromText', () => {
  test.each([
    ['2026-03-01', '2026-03-01T00:00:00Z'],
    ['2026-03-01T12:30', '2026-03-01T12:30:00Z'],
    ['2024-02-29 23:59:59.25', '2024-02-29T23:59:59.250Z'],
    ['2026-03-01T12:30:00+02:00', '2026-03-01T10:30:00Z'],
    ['2026-03-01T12:30:00-0130', '2026-03-01T14:00:00Z'],
    ['1h', '2026-03-01T11:00:00Z'],
  ])('reads %j', (text, iso) => {
    expect(instantFromText(text, NOW)).toBe(Date.parse(iso))
  })

  test.each([
    '2026-02-29',
    '2026-13-01',
    '2026-01-32',
    '2026-01-00',
    '2026-03-01T24:00',
    '2026-3-1',
    'now',
    '2026-03-01T12:00+25:00',
  ])('reads no instant in %j', (text) => {
    expect(instantFromText(text, NOW)).toBeUndefined()
  })

  test('reads every date that is written as ISO 8601', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (date) => {
          expect(instantFromText(date.toISOString(), NOW)).toBe(date.getTime())
        },
      ),
    )
  })
})

describe('cursors', () => {
  test('give back what they were made of, in their own order only', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), fc.constantFrom('newest', 'oldest'), (id, order) => {
        const cursor = writeCursor(order, id)

        expect(readCursor(order, cursor)).toBe(id)
        expect(() => readCursor(order === 'newest' ? 'oldest' : 'newest', cursor)).toThrow(
          'it is of a list that begins',
        )
      }),
    )
  })

  test.each(['', 'garbage', 'n0000000.abc', 'MDE5OWY', '%', `${writeCursor('newest', 'abc')}d`])(
    'refuse %j',
    (cursor) => {
      expect(() => readCursor('newest', cursor)).toThrow(
        expect.objectContaining({ code: 'CURSOR_INVALID', message: expect.stringContaining('no list gave it') }),
      )
    },
  )
})
