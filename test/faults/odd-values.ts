/** F-33: what somebody may hand over as a payload or a result, and what comes of it: the same on every store. */

/** One value. */
export interface OddValue {
  readonly what: string
  /** Makes it anew, or gives it again where that takes long. */
  readonly make: () => unknown
  /** What a handler is given, and what is read of it afterwards; or the code of the error with which it is refused. */
  readonly comes: Outcome
  /** The same where a handler returns it, if that differs. */
  readonly returned?: Outcome
}

/** What becomes of a value. */
export type Outcome = { readonly value: unknown } | { readonly refused: string }

const NOT_JSON: Outcome = { refused: 'PAYLOAD_NOT_JSON' }
const TOO_LARGE: Outcome = { refused: 'PAYLOAD_TOO_LARGE' }
const INVALID: Outcome = { refused: 'PAYLOAD_INVALID' }
const DEEP = 100_000
const WIDE = 1_000_000
const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
/** A million keys take seconds to make, to write and to read, each time. */
const MOST_KEYS = LONG ? 1_000_000 : 100_000

/** Values within the limits that nobody has raised, and over them. */
export const ODD_VALUES: readonly OddValue[] = [
  same('nothing', undefined),
  same('null', null),
  same('no', false),
  same('an empty text', ''),
  same('an empty list', []),
  same('an empty object', {}),
  same('zero', 0),
  becomes('-0', () => -0, 0),
  becomes('-0 within', () => ({ n: [-0] }), { n: [0] }),
  same('the largest number', Number.MAX_VALUE),
  same('the smallest number', Number.MIN_VALUE),
  same('numbers that decimals would round', [0.1 + 0.2, 2 ** 53, -(2 ** 53) + 1, 1e21, 1.7976931348623155e308]),
  refused('NaN', () => Number.NaN, NOT_JSON),
  refused('infinity', () => ({ n: Number.POSITIVE_INFINITY }), NOT_JSON),
  refused('a BigInt', () => [1n], NOT_JSON),
  refused('a symbol', () => Symbol('x'), NOT_JSON),
  refused('a function', () => ({ f: () => 1 }), NOT_JSON),
  becomes('a Date', () => ({ at: new Date(0) }), { at: '1970-01-01T00:00:00.000Z' }),
  refused('an invalid Date', () => new Date(Number.NaN), NOT_JSON),
  refused('a Map', () => new Map([[1, 2]]), NOT_JSON),
  refused('a Set', () => ({ set: new Set([1]) }), NOT_JSON),
  refused('bytes', () => Buffer.from([0, 255]), NOT_JSON),
  refused('an error', () => new Error('x'), NOT_JSON),
  refused('a boxed text', () => new String('x'), NOT_JSON),
  refused('a cycle', cycle, NOT_JSON),
  refused('a hole in a list', () => new Array(1), NOT_JSON),
  becomes('a property that is undefined', () => ({ a: undefined, b: 1 }), { b: 1 }),
  becomes('an instance of a class', () => new Point(), { x: 1 }),
  becomes('an object without a prototype', () => Object.assign(Object.create(null), { a: 1 }), { a: 1 }),
  becomes('a toJSON', () => ({ a: { toJSON: () => 'said' } }), { a: 'said' }),
  refused('a toJSON that throws', () => ({ toJSON: throwing }), NOT_JSON),
  refused('a getter that throws', () => Object.defineProperty({}, 'a', { enumerable: true, get: throwing }), NOT_JSON),
  { ...refused('a promise', () => Promise.resolve(1), NOT_JSON), returned: { value: 1 } },
  same('the first half of a surrogate pair', 'a\ud800b'),
  same('the second half', '\udfff'),
  same('both in the wrong order', '\udc00\ud800'),
  same('half a pair in a key', { '\ud83d': 1 }),
  same('characters of four bytes', '\u{1f9ed}\u{10ffff}'),
  same('the character U+0000', 'a\0b'),
  same('U+0000 in a key', { 'a\0b': ['\0'] }),
  same('every control character', String.fromCharCode(...Array.from({ length: 160 }, (_, i) => i))),
  same('what is no character, and marks', '\ufffe\uffff\ufeff\u2028\u2029\ufffd'),
  same('what databases escape', `\\x00 \\0 \\' '' "; DROP TABLE millrace_job; -- $1 ? :a %s \\u0000 {}`),
  refused('the key __proto__', () => JSON.parse('{"__proto__":{"polluted":1}}'), INVALID),
  refused('the key __proto__ within', () => JSON.parse('[{"a":{"__proto__":null}}]'), INVALID),
  refused('constructor.prototype', () => JSON.parse('{"constructor":{"prototype":{"polluted":1}}}'), INVALID),
  same('a constructor that is text', { constructor: 'Ferrari', prototype: { a: 1 } }),
  becomes('a key that stands twice', () => JSON.parse('{"a":1,"b":2,"a":3}'), { a: 3, b: 2 }),
  same('keys that are numbers, empty, or differ in case and accents', {
    2: 1,
    1: 2,
    '': 3,
    a: 4,
    A: 5,
    ä: 6,
    'a\u0308': 7,
  }),
  same('64 levels', nested(64)),
  refused('65 levels', () => nested(65), TOO_LARGE),
  refused(
    '100,000 levels',
    once(() => nested(DEEP)),
    TOO_LARGE,
  ),
  same('10,000 keys', keyed(10_000)),
  refused('10,001 keys', () => keyed(10_001), TOO_LARGE),
  refused(
    '1,000,000 keys',
    once(() => keyed(WIDE)),
    TOO_LARGE,
  ),
  same(
    '100,000 numbers',
    Array.from({ length: 100_000 }, (_, i) => i),
  ),
]

/** Values at the limits that somebody has raised as far as they go. */
export const RAISED_VALUES: readonly OddValue[] = [
  same('512 levels', nested(512)),
  refused('513 levels', () => nested(513), TOO_LARGE),
  refused(
    '100,000 levels',
    once(() => nested(DEEP)),
    TOO_LARGE,
  ),
  same(`${MOST_KEYS} keys`, keyed(MOST_KEYS)),
  refused(
    'a key more',
    once(() => keyed(MOST_KEYS + 1)),
    TOO_LARGE,
  ),
]

/** The limits that these are at. */
export const RAISED = { maxBytes: 2 ** 24, maxString: 2 ** 24, maxDepth: 512, maxKeys: MOST_KEYS } as const

class Point {
  readonly x = 1
}

function same(what: string, value: unknown): OddValue {
  return { what, make: () => value, comes: { value } }
}

function becomes(what: string, make: () => unknown, value: unknown): OddValue {
  return { what, make, comes: { value } }
}

function refused(what: string, make: () => unknown, comes: Outcome): OddValue {
  return { what, make, comes }
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

function throwing(): never {
  throw new Error('no')
}

function cycle(): unknown {
  const one: Record<string, unknown> = {}
  one.next = [one]
  return one
}

function nested(levels: number): unknown {
  let value: unknown = {}
  for (let i = 1; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value }
  return value
}

function keyed(count: number): unknown {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 1]))
}
