import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigError } from '../errors.ts'
import { parseUnique, type UniqueOptions } from './unique.ts'

describe('parseUnique', () => {
  test.each<[UniqueOptions | string, ReturnType<typeof parseUnique>]>([
    ['a.png', { key: 'a.png', withinMs: undefined, onConflict: 'existing' }],
    [{ key: 'a.png' }, { key: 'a.png', withinMs: undefined, onConflict: 'existing' }],
    [
      { key: 'k'.repeat(512), within: '1h', onConflict: 'replace' },
      { key: 'k'.repeat(512), withinMs: 3_600_000, onConflict: 'replace' },
    ],
    [
      { key: 'a', within: 0, onConflict: 'reject' },
      { key: 'a', withinMs: 0, onConflict: 'reject' },
    ],
  ])('reads %j', (options, unique) => {
    expect(parseUnique(options)).toEqual(unique)
  })

  test.each([
    ['', 'CONFIG_INVALID', 'it is empty'],
    ['k'.repeat(513), 'CONFIG_INVALID', 'it has 513 characters, more than 512'],
    ['a\0', 'CONFIG_INVALID', 'no store can keep'],
    ['\udc00', 'CONFIG_INVALID', 'no store can keep'],
    [{}, 'CONFIG_INVALID', 'it is not text'],
    [{ key: 7 }, 'CONFIG_INVALID', 'it is not text'],
    [{ key: 'a', within: 'soon' }, 'DURATION_INVALID', 'unique.within is "soon"'],
    [{ key: 'a', onConflict: 'replaced' }, 'CONFIG_INVALID', 'did you mean `replace`?'],
    [{ key: 'a', windw: 1 }, 'OPTION_UNKNOWN', 'unknown option `windw` for unique'],
  ])('refuses %j with %s', (options, code, message) => {
    // What plain JavaScript may pass.
    expect(() => parseUnique(options as never)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    )
  })

  test('never shows the key in an error', () => {
    try {
      parseUnique({ key: `iban-${'7'.repeat(600)}` })
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError)
      expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain('iban')
    }
  })

  test('keeps every key it accepts as it is, whether alone or with options', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 512, unit: 'grapheme' }), (key) => {
        fc.pre(key.length <= 512 && !key.includes('\0'))

        expect(parseUnique(key).key).toBe(key)
        expect(parseUnique({ key })).toEqual(parseUnique(key))
      }),
    )
  })
})
