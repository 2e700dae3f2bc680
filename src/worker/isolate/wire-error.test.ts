import fc from 'fast-check'
import { expect, test } from 'vitest'
import { errorText } from '../../codec/redact.ts'
import { fromWire, toWire } from './wire-error.ts'

/** What is left of something thrown when it has crossed as JSON. */
const crossed = (thrown: unknown) => fromWire(JSON.parse(JSON.stringify(toWire(thrown))))
const boom = () => {
  throw new Error('trapped')
}

test('an error keeps its name, code, message, frames and causes', () => {
  const cause = new RangeError('deeper', { cause: 'deepest' })
  const error = crossed(Object.assign(new TypeError('wrong', { cause }), { code: 'EWRONG' }))

  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({ name: 'TypeError', message: 'wrong', code: 'EWRONG' })
  expect((error as Error).stack).toMatch(/^TypeError: wrong\n {4}at /)
  expect((error as Error).cause).toMatchObject({ name: 'RangeError', message: 'deeper', cause: 'deepest' })
})

test('is stored as it would have been without crossing', () => {
  const error = Object.assign(new TypeError('no\nuse', { cause: new Error('why') }), { code: 'E1' })

  expect(errorText(crossed(error))).toEqual(errorText(error))
})

test.each([
  ['undefined', undefined],
  ['null', null],
  ['a text', 'text'],
  ['a number', 7],
  ['false', false],
])('%s stays what it is', (_, thrown) => {
  expect(crossed(thrown)).toBe(thrown)
})

test.each<[string, unknown, string]>([
  ['a symbol', Symbol('s'), 'symbol'],
  ['a bigint', 7n, 'bigint'],
  ['a function', () => 7, 'function'],
  ['a plain object', { a: 1 }, 'object'],
  [
    'a proxy that refuses everything',
    new Proxy({}, { get: boom, has: boom, ownKeys: boom, getPrototypeOf: boom }),
    'object',
  ],
])('%s is told in words', (_, thrown, name) => {
  expect(crossed(thrown)).toMatchObject({ name, message: errorText(thrown).message })
})

test('causes in circles come to an end', () => {
  const error = new Error('in circles')
  error.cause = error

  expect(JSON.stringify(toWire(error)).split('in circles')).toHaveLength(5)
})

test('no message makes it larger than a few times what is stored', () => {
  expect(JSON.stringify(toWire(new Error('x'.repeat(1_000_000)))).length).toBeLessThan(70_000)
})

test('anything can be thrown', () => {
  fc.assert(
    fc.property(fc.anything({ withProxy: true, withNullPrototype: true, withSymbol: true } as never), (thrown) => {
      expect(typeof errorText(crossed(thrown)).message).toBe('string')
    }),
  )
})
