import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigError } from '../errors.ts'
import { JOB_STATES } from '../job/state.ts'
import { type FilterKey, isNamed, isRanged, KEYS } from './keys.ts'
import { type FilterTerm, parseFilter } from './parse.ts'
import { printFilter } from './print.ts'

describe('parseFilter', () => {
  test.each<readonly [string, readonly FilterTerm[]]>([
    ['', []],
    ['  ', []],
    ['state:failed', [{ kind: 'is', key: 'state', not: false, values: ['failed'] }]],
    ['STATE:failed', [{ kind: 'is', key: 'state', not: false, values: ['failed'] }]],
    ['state:failed,retrying', [{ kind: 'is', key: 'state', not: false, values: ['failed', 'retrying'] }]],
    ['-queue:bulk', [{ kind: 'is', key: 'queue', not: true, values: ['bulk'] }]],
    ['name:"two words","a,b"', [{ kind: 'is', key: 'name', not: false, values: ['two words', 'a,b'] }]],
    ['tag:tenant:acme', [{ kind: 'is', key: 'tag', not: false, values: ['tenant:acme'] }]],
    ['tag:"say \\"hi\\" \\\\"', [{ kind: 'is', key: 'tag', not: false, values: ['say "hi" \\'] }]],
    ['age>10m', [{ kind: 'above', key: 'age', not: false, value: '10m' }]],
    ['-took<1h30m', [{ kind: 'below', key: 'took', not: true, value: '1h30m' }]],
    ['priority:high,3', [{ kind: 'is', key: 'priority', not: false, values: ['high', '3'] }]],
    ['created>2026-01-31T14:00:00Z', [{ kind: 'above', key: 'created', not: false, value: '2026-01-31T14:00:00Z' }]],
    ['since:1h', [{ kind: 'above', key: 'created', not: false, value: '1h' }]],
    ['-since:1h', [{ kind: 'above', key: 'created', not: true, value: '1h' }]],
    ['Until:"2026-01-31 14:00"', [{ kind: 'below', key: 'created', not: false, value: '2026-01-31 14:00' }]],
    ['since', [{ kind: 'word', text: 'since' }]],
    ['resize', [{ kind: 'word', text: 'resize' }]],
    ['"a:b"', [{ kind: 'word', text: 'a:b' }]],
    [
      'state:failed  "card declined" age<2d',
      [
        { kind: 'is', key: 'state', not: false, values: ['failed'] },
        { kind: 'word', text: 'card declined' },
        { kind: 'below', key: 'age', not: false, value: '2d' },
      ],
    ],
  ])('reads %j', (text, terms) => {
    expect(parseFilter(text)).toEqual(terms)
  })

  test.each([
    ['stat:failed', 1, 'no key is called stat', 'Did you mean state?'],
    ['a state:faild', 9, '"faild" is no state', 'Did you mean failed?'],
    ['state:failed,', 14, 'state has no value', 'The states are'],
    ['queue:', 7, 'queue has no value', 'Write for example queue:word'],
    ['queue:a"b"', 8, '"\\"" follows a value', 'Separate terms by spaces'],
    ['queue:"a', 7, 'the quotation mark has no second one', 'Inside quotation marks'],
    ['queue>5', 6, 'queue is not compared', 'Write queue:… instead.'],
    ['age:5m', 4, 'age is compared', 'Write for example age>10m'],
    ['age>5', 5, '"5" is no time', 'age>10m'],
    ['attempt>x', 9, '"x" is no whole number', 'attempt>2'],
    ['priority:hgh', 10, '"hgh" is no priority', 'priority:high'],
    ['created>yesterday', 9, '"yesterday" is neither a date nor a time', 'created>1h'],
    ['created>2026-02-30', 9, '"2026-02-30" is neither a date nor a time', ''],
    ['-word', 1, 'only a key can be excluded', 'quote the word'],
    ['a,b', 2, '"," stands where a word or a key was expected', 'by spaces'],
    ['10:30', 3, '":" stands where a word or a key was expected', 'Quote text'],
    ['""', 1, 'the quoted text is empty', ''],
    ['x data.user.id:42', 3, 'jobs cannot be found by data.user.id: payloads and results may be', ''],
    ['workflow:nightly', 1, 'jobs cannot be found by workflow: no job of this version belongs to a workflow', ''],
    ['fingerprint:a91c', 1, 'jobs cannot be found by fingerprint: errors are sealed', ''],
    ['since>1h', 6, 'since is not compared', 'Write since:… instead.'],
    ['since:', 7, 'created has no value', 'created>1h'],
    ['since:noon', 7, '"noon" is neither a date nor a time', 'created>1h'],
    ['sinc:1h', 1, 'no key is called sinc', 'Did you mean since?'],
    ['x '.repeat(33), 65, 'there are more than 32 terms', ''],
    [`tag:${'x,'.repeat(100)}x`, 205, 'there are more than 100 values', ''],
    ['x'.repeat(4_001), 1, 'it has 4001 characters, more than 4000', ''],
  ])('refuses %j at column %d: %s', (text, column, reason, hint) => {
    const refusal = expect.objectContaining({
      code: 'FILTER_INVALID',
      message: expect.stringContaining(`the filter is wrong at column ${column}: ${reason}`),
      fields: expect.objectContaining({ column }),
      hint: expect.stringContaining(hint),
    })

    expect(() => parseFilter(text)).toThrow(refusal)
  })

  test('reads back whatever was printed', () => {
    fc.assert(
      fc.property(fc.array(terms(), { maxLength: 32 }), (filter) => {
        fc.pre(printFilter(filter).length <= 4_000)

        expect(parseFilter(printFilter(filter))).toEqual(filter)
      }),
    )
  })

  test('either reads a text, and then means the same when printed, or points into it', () => {
    const pieces = fc.constantFrom(
      'state',
      'age',
      ':',
      '>',
      '<',
      ',',
      '-',
      '"',
      '\\',
      ' ',
      'failed',
      '10m',
      'x',
      'data.a',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((parts) => parts.join('')),
        ),
        (text) => {
          try {
            const filter = parseFilter(text)
            expect(parseFilter(printFilter(filter))).toEqual(filter)
          } catch (error) {
            if (!(error instanceof ConfigError)) throw error
            expect(error.fields.column).toBeGreaterThan(0)
            expect(error.fields.column).toBeLessThanOrEqual(text.length + 1)
          }
        },
      ),
    )
  })
})

function terms(): fc.Arbitrary<FilterTerm> {
  const keys = Object.keys(KEYS) as FilterKey[]
  const named = fc.constantFrom(...keys.filter(isNamed)).chain((key) =>
    fc.record({
      kind: fc.constant('is' as const),
      key: fc.constant(key),
      not: fc.boolean(),
      values: fc.array(valuesOf(key), { minLength: 1, maxLength: 4 }),
    }),
  )
  const ranged = fc.constantFrom(...keys.filter(isRanged)).chain((key) =>
    fc.record({
      kind: fc.constantFrom('above' as const, 'below' as const),
      key: fc.constant(key),
      not: fc.boolean(),
      value: valuesOf(key),
    }),
  )
  const word = fc.record({ kind: fc.constant('word' as const), text: fc.string({ minLength: 1, maxLength: 20 }) })
  return fc.oneof(named, ranged, word)
}

function valuesOf(key: FilterKey): fc.Arbitrary<string> {
  switch (KEYS[key]) {
    case 'text':
      return fc.string({ minLength: 1, maxLength: 20 })
    case 'state':
      return fc.constantFrom(...JOB_STATES)
    case 'count':
      return fc.nat(999_999_999).map(String)
    case 'priority':
      return fc.oneof(fc.constantFrom('low', 'normal', 'high', 'urgent'), fc.nat(100).map(String))
    case 'span':
      return fc.constantFrom('10m', '1h30m', '500ms', '"1h 30m"'.slice(1, -1))
    case 'instant':
      return fc.constantFrom('1h', '2026-01-31', '2026-01-31T14:00', '2026-01-31 14:00:00.5+02:00')
    default:
      throw new Error('a kind without values')
  }
}
