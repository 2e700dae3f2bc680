import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { projectRoot } from '../../scripts/report.ts'
import { BLOCKED_REASONS, JOB_STATES, REASONS, TRANSITIONS } from '../../src/core/job/state.ts'

const page = readFileSync(join(projectRoot, 'docs', 'glossary.md'), 'utf8')
const words = [...page.matchAll(/^\| ([^|]+) \| /gm)].map(([, word]) => word).filter((word) => word !== 'word')

describe('the glossary', () => {
  test('explains each word once', () => {
    const twice = words.filter((word, i) => words.indexOf(word) !== i)

    expect(twice).toEqual([])
  })

  test.each([
    ['states', JOB_STATES],
    ['reasons', REASONS],
    ['reasons of blocked jobs', BLOCKED_REASONS],
    ['verbs', [...new Set(TRANSITIONS.map((transition) => transition.verb))]],
  ])('explains all the %s', (_, used) => {
    expect(words).toEqual(expect.arrayContaining(used.map((word) => `\`${word}\``)))
  })
})
