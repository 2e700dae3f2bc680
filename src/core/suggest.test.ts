import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nearest } from './suggest.ts'

const OPTIONS = ['delay', 'runAt', 'priority', 'queue', 'unique', 'dependsOn', 'expiresIn', 'tags', 'retry', 'tx']

describe('nearest', () => {
  test.each([
    ['prioritty', 'priority'],
    ['Priority', 'priority'],
    ['dealy', 'delay'],
    ['deley', 'delay'],
    ['retyr', 'retry'],
    ['x', 'tx'],
    ['quue', 'queue'],
    ['runat', 'runAt'],
    ['tag', 'tags'],
    ['depends', 'dependsOn'],
    ['prio', 'priority'],
  ])('takes %s for %s', (word, wanted) => {
    expect(nearest(word, OPTIONS)).toBe(wanted)
  })

  test.each([['colour'], ['z'], ['concurrency'], ['']])('has no suggestion for %j', (word) => {
    expect(nearest(word, OPTIONS)).toBeUndefined()
  })

  test('gives the first of two that are equally near', () => {
    expect(nearest('cat', ['bat', 'hat'])).toBe('bat')
  })

  const words = fc.stringMatching(/^[a-z]{4,20}$/)

  test('finds a word in which two neighbours changed places', () => {
    fc.assert(
      fc.property(words, fc.nat(18), (word, place) => {
        const i = place % (word.length - 1)
        const slip = word.slice(0, i) + word.charAt(i + 1) + word.charAt(i) + word.slice(i + 2)

        expect(nearest(slip, [word])).toBe(word)
      }),
    )
  })

  test('finds a word with a letter too few or too many', () => {
    fc.assert(
      fc.property(words, fc.nat(19), (word, place) => {
        const i = place % word.length

        expect(nearest(word.slice(0, i) + word.slice(i + 1), [word])).toBe(word)
        expect(nearest(`${word.slice(0, i)}z${word.slice(i)}`, [word])).toBe(word)
      }),
    )
  })

  test('gives one of the candidates or nothing, whatever the word', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.array(fc.string()), (word, candidates) => {
        const found = nearest(word, candidates)

        expect(found === undefined || candidates.includes(found)).toBe(true)
      }),
    )
  })

  test('always finds the word itself when it is a candidate', () => {
    fc.assert(
      fc.property(words, fc.array(words), (word, others) => {
        expect(nearest(word, [...others, word])).toBe(word)
      }),
    )
  })
})
