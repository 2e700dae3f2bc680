/** Tests that stand for a fault prove nothing when they do not run. */
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { tally } from '../../support/tally.ts'
import { ELSEWHERE } from './elsewhere.ts'
import { batchesOf, counted, passed, type Report, uncounted, unrun } from './run-elsewhere.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const FILE = 'test/faults/rows.test.ts'

function report(tests: Readonly<Record<string, string>>, file = FILE): Report {
  const assertionResults = Object.entries(tests).map(([fullName, status]) => ({ fullName, status }))
  return { testResults: [{ name: `/somewhere/${file}`, assertionResults }] }
}

test('nothing is amiss when all that was meant has passed; what another store’s name keeps out was not meant', () => {
  const tests = { 'sqlite damaged rows': 'passed', 'postgres damaged rows': 'skipped' }

  expect(unrun(report(tests), { files: [FILE], pattern: 'sqlite' })).toEqual([])
})

test.each<[string, Report]>([
  ['is not in the report', { testResults: [] }],
  ['has no test of such a name', report({ 'a pending row': 'skipped' })],
  ['has only tests that were skipped', report({ 'sqlite damaged rows': 'skipped' })],
  ['is another of the same name', report({ 'sqlite damaged rows': 'passed' }, 'src/rows.test.ts')],
])('a file that %s is told', (_, given) => {
  expect(unrun(given, { files: [FILE], pattern: 'sqlite' })).toEqual([`none of its tests passed in ${FILE}`])
})

test('a test that was skipped is told, though another one of its file has passed', () => {
  const tests = { 'a small disk': 'passed', 'a real disk': 'pending' }

  expect(unrun(report(tests), { files: [FILE] })).toEqual(['pending: a real disk'])
})

test('what ran is told by name: tests that passed, of those that were meant', () => {
  const tests = { 'sqlite damaged rows': 'passed', 'sqlite rings': 'failed', 'postgres damaged rows': 'passed' }

  expect(passed(report(tests), { files: [FILE, 'test/other.test.ts'], pattern: 'sqlite' })).toEqual({
    [FILE]: ['sqlite damaged rows'],
    'test/other.test.ts': [],
  })
})

const counts = (...all: readonly (Readonly<Record<string, number>> | undefined)[]): Report => ({
  testResults: [
    {
      name: `/somewhere/${FILE}`,
      assertionResults: all.map((each, i) => ({
        fullName: `${i === 0 ? 'postgres' : 'sqlite'} rows ${i}`,
        status: 'passed',
        meta: each === undefined ? {} : { tally: each },
      })),
    },
  ],
})

test('what tests have counted is summed up, of those that were meant', () => {
  const report = counts({ jobs: 100 }, { jobs: 3, kills: 2 }, { kills: 1 }, undefined)

  expect(counted(report, { files: [FILE], pattern: 'sqlite' })).toEqual({ jobs: 3, kills: 3 })
  expect(uncounted(report, { files: [FILE], pattern: 'sqlite' })).toEqual([])
})

test('a file whose tests count nothing is told, and a count that is none', () => {
  expect(uncounted(counts({ jobs: 100 }, undefined), { files: [FILE], pattern: 'sqlite' })).toEqual([
    `nothing was counted in ${FILE}`,
  ])
  expect(uncounted(counts({ jobs: 1 }, { jobs: 3, kills: 0 }), { files: [FILE] })).toEqual([
    `its tests came upon no kills in ${FILE}`,
  ])
})

test('counts of a test are in its report', ({ task }) => {
  tally({ jobs: 2 })
  tally({ jobs: 1, kills: 0 })

  expect(task.meta.tally).toEqual({ jobs: 3, kills: 0 })
})

test('files of one store run whole, and only on that', () => {
  const rows = ELSEWHERE.find(({ name }) => name === 'rows')
  if (rows === undefined) throw new Error('there are no rows')
  const files = [FILE, 'test/faults/rows-doctor.test.ts']

  expect(batchesOf(rows, 'sqlite')).toEqual([
    { files, pattern: 'sqlite' },
    { files: ['src/store/sqlite/hostile-rows.test.ts'] },
  ])
  expect(batchesOf(rows, 'postgres')).toEqual([{ files, pattern: 'postgres' }])
  expect(batchesOf(rows, 'mysql')).toEqual([
    { files, pattern: 'mysql' },
    { files: ['test/store/mysql-damaged.test.ts'] },
  ])
})

test.each(
  ELSEWHERE.flatMap(({ name, files, filesOf = {} }) =>
    [...files, ...Object.values(filesOf).flat()].map((file) => [name, file] as const),
  ),
)('%s: %s counts what it brings about, or what it is made of does', (_, file) => {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const parts = [...text.matchAll(/from '(\.\/[^']+)'/g)].map(([, part = '']) => join(ROOT, dirname(file), part))

  expect([text, ...parts.map((part) => readFileSync(part, 'utf8'))].join('')).toContain(' tally({')
})
