import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkId, checkName, checkQueue, checkTags } from './limits.ts'

const refused = (reason: string) =>
  expect.objectContaining({ code: 'NAME_INVALID', message: expect.stringContaining(reason) })

describe('checkName', () => {
  test.each([['resize'], ['mail.send'], ['send a letter'], ['größe/ändern'], ['✉️'], ['x'.repeat(128)]])(
    'accepts %j',
    (name) => {
      expect(() => checkName(name)).not.toThrow()
    },
  )

  test.each([
    ['', 'it is empty'],
    ['x'.repeat(129), 'it has 129 characters, more than 128'],
    [' resize', 'it has space around it'],
    ['a\nb', 'it has unprintable characters'],
    ['a\u0000', 'it has unprintable characters'],
    ['\u001b[31mred', 'it has unprintable characters'],
    ['a\u202eb', 'it has unprintable characters'],
    ['a\ud800', 'it has unprintable characters'],
  ])('refuses %j: %s', (name, reason) => {
    expect(() => checkName(name)).toThrow(refused(reason))
  })

  test('refuses what is not text', () => {
    // What plain JavaScript may pass.
    expect(() => checkName(7 as never)).toThrow(refused('it is not text'))
  })
})

describe('checkQueue', () => {
  test.each([['default'], ['media-2'], ['a.b_c:D'], ['q'.repeat(64)]])('accepts %j', (queue) => {
    expect(() => checkQueue(queue)).not.toThrow()
  })

  test.each([
    ['', 'it is empty'],
    ['q'.repeat(65), 'more than 64'],
    ['a b', 'it has other characters'],
    ['größe', 'it has other characters'],
    ['a/b', 'it has other characters'],
    ['default\n', 'it has unprintable characters'],
  ])('refuses %j: %s', (queue, reason) => {
    expect(() => checkQueue(queue)).toThrow(refused(reason))
  })

  test('accepts exactly 1 to 64 of its characters', () => {
    const texts = fc.oneof(fc.string({ maxLength: 70 }), fc.stringMatching(/^[A-Za-z0-9_.:-]{0,70}$/))
    fc.assert(
      fc.property(texts, (queue) => {
        const isQueue = /^[A-Za-z0-9_.:-]{1,64}(?!\n)$/.test(queue)

        if (isQueue) expect(() => checkQueue(queue)).not.toThrow()
        else expect(() => checkQueue(queue)).toThrow(refused('the queue'))
      }),
    )
  })
})

describe('checkTags', () => {
  test.each([[[]], [['a', 'customer 7']], [new Array(32).fill('t'.repeat(64))]])('accepts %j', (tags) => {
    expect(() => checkTags(tags)).not.toThrow()
  })

  test.each([
    [new Array(33).fill('t'), 'there are more than 32'],
    [['t'.repeat(65)], 'it has 65 characters, more than 64'],
    [[''], 'it is empty'],
    [['a', 'b\t'], 'it has unprintable characters'],
  ])('refuses %j: %s', (tags, reason) => {
    expect(() => checkTags(tags)).toThrow(refused(reason))
  })

  test('refuses one text in place of a list', () => {
    // What plain JavaScript may pass.
    expect(() => checkTags('urgent' as never)).toThrow(refused('they are not a list'))
  })
})

describe('checkId', () => {
  test('accepts every UUID in lower case', () => {
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        expect(() => checkId(id)).not.toThrow()
      }),
    )
  })

  test.each([['7'], ['0190B5C0-0000-7000-8000-000000000000'], ['0190b5c0-0000-7000-8000-000000000000\n']])(
    'refuses %j',
    (id) => {
      expect(() => checkId(id)).toThrow(refused('it is not a UUID in lower case'))
    },
  )
})
