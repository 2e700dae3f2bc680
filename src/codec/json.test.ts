import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { tally } from '../../test/support/tally.ts'
import { MillraceError } from '../core/errors.ts'
import { fromJson, type JsonLimits, toJson } from './json.ts'

const LIMITS: JsonLimits = { maxBytes: 1_048_576, maxDepth: 64, maxKeys: 10_000, maxString: 1_048_576 }
const json = (value: unknown, limits: Partial<JsonLimits> = {}) => toJson(value, { ...LIMITS, ...limits }, 'payload')
const codeOf = (act: () => unknown): string => {
  try {
    act()
    return 'accepted'
  } catch (error) {
    return error instanceof MillraceError ? error.code : `not typed: ${String(error)}`
  }
}
const nested = (levels: number): unknown => {
  let value: unknown = []
  for (let i = 1; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value }
  return value
}

afterAll(() => {
  expect(({} as { x?: unknown }).x).toBeUndefined()
})

describe('what is stored', () => {
  it('gives back every JSON value as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' }), (value) => {
        fc.pre(!/__proto__|"prototype"/.test(JSON.stringify(value)))
        expect(fromJson(json(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['undefined', undefined, undefined],
    ['null', null, null],
    ['an empty text', '', ''],
    ['a Date, as its ISO text', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['a URL, as its toJSON says', new URL('https://example.com/a'), 'https://example.com/a'],
    ['a property that is undefined: left out', { a: undefined, b: 1 }, { b: 1 }],
    ['-0, which becomes 0', { n: -0 }, { n: 0 }],
    ['half a surrogate pair', '\ud800', '\ud800'],
    ['the character U+0000', 'a\0b', 'a\0b'],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    [
      'an instance of a class, as its fields',
      new (class Point {
        x = 1
      })(),
      { x: 1 },
    ],
    ['a property named constructor that holds text', { constructor: 'Ferrari' }, { constructor: 'Ferrari' }],
    ['a property named prototype', { prototype: { a: 1 } }, { prototype: { a: 1 } }],
    ['text that speaks of __proto__', { a: '__proto__' }, { a: '__proto__' }],
  ])('takes %s', (_, value, expected) => {
    expect(fromJson(json(value))).toEqual(expected)
  })

  it('takes the same object twice, written out twice', () => {
    const shared = { a: 1 }

    expect(json([shared, shared])).toBe('[{"a":1},{"a":1}]')
  })
})

describe('D1: what JSON cannot carry', () => {
  const cycle: Record<string, unknown> = {}
  cycle.next = { list: [cycle] }
  const throwing = Object.defineProperty({}, 'a', {
    enumerable: true,
    get() {
      throw new Error('no')
    },
  })

  it.each([
    ['a BigInt', { a: [1n] }, 'payload.a[0] is a BigInt'],
    ['a function', { f() {} }, 'payload.f is a function'],
    ['a symbol', { a: Symbol('x') }, 'payload.a is a symbol'],
    ['NaN', { a: Number.NaN }, 'payload.a is NaN'],
    ['Infinity', [-Infinity], 'payload[0] is -Infinity'],
    ['undefined in a list', [1, undefined], 'payload[1] is undefined in a list'],
    ['a hole in a list', new Array(2), 'payload[0] is undefined in a list'],
    ['an invalid Date', { at: new Date('x') }, 'payload.at is an invalid Date'],
    ['a Buffer', { b: Buffer.from('x') }, 'payload.b is a Buffer'],
    ['a Uint8Array', new Uint8Array(2), 'payload is a Uint8Array'],
    ['an ArrayBuffer', new ArrayBuffer(2), 'payload is a ArrayBuffer'],
    ['a Map', { 'e-mail': new Map() }, 'payload["e-mail"] is a Map'],
    ['a Set', new Set([1]), 'payload is a Set'],
    ['an Error', Object.assign(new Error('x'), { code: 'A' }), 'payload is an Error'],
    ['a promise', Promise.resolve(1), 'payload is a Promise'],
    ['a regular expression', /x/, 'payload is a RegExp'],
    ['a boxed text', new String('x'), 'payload is a String object'],
    ['a cycle', cycle, 'payload.next.list[0] leads back to itself'],
    ['a toJSON that returns a BigInt', { a: { toJSON: () => 1n } }, 'payload.a is a BigInt'],
    ['a toJSON that returns a Map', { a: { toJSON: () => new Map() } }, 'payload.a is a Map'],
    ['a getter that throws', throwing, 'payload could not be read'],
  ])('refuses %s and says where it is', (_, value, message) => {
    expect(codeOf(() => json(value))).toBe('PAYLOAD_NOT_JSON')
    expect(() => json(value)).toThrow(message)
  })
})

describe('D3: limits', () => {
  it.each([
    ['64 levels', nested(64), 'accepted'],
    ['65 levels', nested(65), 'PAYLOAD_TOO_LARGE'],
    ['100,000 levels', nested(100_000), 'PAYLOAD_TOO_LARGE'],
    ['10,000 keys', Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [i, 1])), 'accepted'],
    ['10,001 keys', Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [i, 1])), 'PAYLOAD_TOO_LARGE'],
    ['1 MiB of JSON', 'x'.repeat(1_048_574), 'accepted'],
    ['a byte more', 'x'.repeat(1_048_575), 'PAYLOAD_TOO_LARGE'],
    ['1 MiB in two-byte characters', 'ä'.repeat(524_287), 'accepted'],
    ['a character more of those', 'ä'.repeat(524_288), 'PAYLOAD_TOO_LARGE'],
  ])('%s', (_, value, expected) => {
    expect(codeOf(() => json(value))).toBe(expected)
  })

  it('refuses a string that is too long for its own limit', () => {
    expect(() => json({ a: 'xxxx' }, { maxString: 3 })).toThrow('payload.a is text of 4 characters')
  })

  it('stops early at a small value that would be written out without end', () => {
    let bomb: unknown = 'x'.repeat(100)
    for (let i = 0; i < 60; i++) bomb = [bomb, bomb]

    expect(codeOf(() => json(bomb))).toBe('PAYLOAD_TOO_LARGE')
  })
})

describe('D2: keys that could change every object', () => {
  const own = (text: string): unknown => JSON.parse(text)
  const forms = [
    '{"__proto__":{"x":1}}',
    '{"__proto__":null}',
    '{"__proto__":"x"}',
    '{"__proto__":0}',
    '{"__proto__":[]}',
    '{"__proto__":{"__proto__":{"x":1}}}',
    '{"__proto__":{"constructor":{"prototype":{"x":1}}}}',
    '{"constructor":{"prototype":{"x":1}}}',
    '{"constructor":{"prototype":null}}',
    '{"constructor":{"prototype":[]}}',
    '{"constructor":{"a":1,"prototype":{"x":1}}}',
    '{"constructor":{"prototype":{"__proto__":{"x":1}}}}',
    '{"a":1,"__proto__":{"toString":1}}',
    '{"constructor":{"constructor":{"prototype":{"x":1}}}}',
  ]
  const wrappers: readonly [string, (text: string) => string][] = [
    ['at the top', (text) => text],
    ['in a property', (text) => `{"a":${text}}`],
    ['in a list', (text) => `[1,${text}]`],
    ['deep inside', (text) => `{"a":[{"b":{"c":[${text}]}}]}`],
    ['behind others', (text) => `{"z":{},"y":[],"x":${text}}`],
    ['below a harmless constructor', (text) => `{"constructor":{"a":${text}}}`],
    ['below a prototype', (text) => `{"prototype":${text}}`],
  ]
  const texts = forms.flatMap((form) => wrappers.map(([where, wrap]) => [`${form} ${where}`, wrap(form)] as const))
  const escapes: readonly ((text: string) => string)[] = [
    (text) => text,
    (text) => text.replaceAll('__proto__', '\\u005f\\u005fproto__').replaceAll('constructor', '\\u0063onstructor'),
    (text) => text.replaceAll('proto', '\\u0070roto').replaceAll('constructor', 'construct\\u006Fr'),
  ]

  it.each(texts)('refuses %s', (_, text) => {
    expect(codeOf(() => json(own(text)))).toBe('PAYLOAD_INVALID')
    tally({ 'texts refused': 1 })
  })

  it.each(texts)('does not read %s, however it is spelt', (_, text) => {
    for (const spell of escapes) expect(() => fromJson(spell(text))).toThrow(SyntaxError)
  })

  it('refuses them in what a class or a toJSON brings', () => {
    const bad = own('{"__proto__":{"x":1}}')

    expect(
      codeOf(() =>
        json(
          new (class Box {
            inner = bad
          })(),
        ),
      ),
    ).toBe('PAYLOAD_INVALID')
    expect(codeOf(() => json({ toJSON: () => bad }))).toBe('PAYLOAD_INVALID')
    expect(codeOf(() => json(Object.assign(Object.create(null), { a: bad })))).toBe('PAYLOAD_INVALID')
  })

  it('reads text that is nested deeper than calls can be', () => {
    const text = `${'['.repeat(50_000)}"\\u0000"${']'.repeat(50_000)}`

    expect(() => fromJson(text)).not.toThrow()
  })
})
