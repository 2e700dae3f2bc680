import { expect, test } from 'vitest'
import { Hearing } from './waiting.ts'

test.each([
  ['news at every look', [3, 1, 1, 1, 1, 7, 1], false],
  ['news at a first look right after other news', [1, 1, 1, 1, 1], false],
  ['news between two statements, once in a while', [undefined, 1, undefined, 5, undefined, 1, undefined, 2], false],
  ['silence', [undefined, undefined, undefined, undefined], false],
  ['only ever news at the first look after silence', [undefined, 1, undefined, undefined, 1, 1, undefined, 1], true],
])('%s', (_, looks, isDeaf) => {
  const hearing = new Hearing()
  for (const look of looks) hearing.heard(look)

  expect(hearing.isDeaf).toBe(isDeaf)
})

test('a notice at the first look after silence, which did not look for any', () => {
  const hearing = new Hearing()
  for (let round = 0; round < 5; round++) {
    hearing.heard(undefined)
    hearing.heard(1, true)
  }

  expect(hearing.isDeaf).toBe(false)
})
