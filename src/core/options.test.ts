import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigError } from './errors.ts'
import { checkOptions } from './options.ts'

const KNOWN = ['priority', 'queue', 'delay']

describe('checkOptions', () => {
  test.each([[{}], [{ queue: 'a' }], [{ queue: undefined, delay: 1, priority: 2 }], [Object.create(null)]])(
    'accepts %j',
    (given) => {
      expect(() => checkOptions(given, KNOWN, 'enqueue')).not.toThrow()
    },
  )

  test('names the nearest known option', () => {
    expect(() => checkOptions({ prioritty: 1 }, KNOWN, 'enqueue')).toThrow(
      expect.objectContaining({
        code: 'OPTION_UNKNOWN',
        message: 'unknown option `prioritty` for enqueue; did you mean `priority`?',
        fields: { option: 'prioritty', where: 'enqueue', suggestion: 'priority' },
      }),
    )
  })

  test('lists the known options when none is near', () => {
    expect(() => checkOptions({ colour: 1 }, KNOWN, 'enqueue')).toThrow(
      expect.objectContaining({
        message: 'unknown option `colour` for enqueue',
        hint: 'Known options: priority, queue, delay.',
      }),
    )
  })

  test.each([
    ['parsed from JSON', JSON.parse('{"__proto__": {"queue": "a"}}')],
    ['of a literal', { __proto__: { colour: 'a' } }],
    ['inherited', Object.create({ tx: 1 })],
  ])('refuses a key by way of the prototype, %s', (_, given) => {
    expect(() => checkOptions(given, [...KNOWN, '__proto__'], 'enqueue')).toThrow(
      expect.objectContaining({ code: 'OPTION_UNKNOWN' }),
    )
  })

  test.each([
    [null, 'null'],
    [['queue'], 'an array'],
    ['queue', 'of type string'],
    [undefined, 'of type undefined'],
  ])('refuses %j, which is no object', (given, kind) => {
    // What plain JavaScript may pass.
    expect(() => checkOptions(given as never, KNOWN, 'enqueue')).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(kind) }),
    )
  })

  test('passes exactly when every key is known', () => {
    const keys = fc.uniqueArray(fc.oneof(fc.constantFrom(...KNOWN), fc.string()))
    fc.assert(
      fc.property(keys, (names) => {
        const given = JSON.parse(`{${names.map((name) => `${JSON.stringify(name)}: 1`).join(', ')}}`)
        const isKnown = names.every((name) => KNOWN.includes(name))

        if (isKnown) expect(() => checkOptions(given, KNOWN, 'enqueue')).not.toThrow()
        else expect(() => checkOptions(given, KNOWN, 'enqueue')).toThrow(ConfigError)
      }),
    )
  })
})
