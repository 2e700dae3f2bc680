/** What `npm run faults` is told, and what it answers. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { asked } from './arguments.ts'
import { ELSEWHERE } from './elsewhere.ts'
import { SCENARIOS } from './scenarios.ts'

const run = promisify(execFile)
const MAIN = join(import.meta.dirname, 'main.ts')

test('a store and scenarios make an order; the rest has defaults', () => {
  expect(asked(['--store', 'sqlite', '--scenario', 'kill,aba'], 7)).toEqual({
    kind: 'run',
    order: { store: 'sqlite', scenarios: ['kill', 'aba'], minutes: 1, seed: 7, size: 'long', out: 'tmp/faults.jsonl' },
  })
  const all = ['--store', 'mysql', '--scenario', 'all', '--minutes', '0.5', '--seed', '9', '--short', '--out', 'x']
  expect(asked(all, 7)).toEqual({
    kind: 'run',
    order: { store: 'mysql', scenarios: 'all', minutes: 0.5, seed: 9, size: 'short', out: 'x' },
  })
  expect(asked(['--list'], 7)).toEqual({ kind: 'list' })
})

test.each([
  [[], '--store and --scenario'],
  [['--store', 'sqlite', '--scenario', 'kil'], 'no scenario kil'],
  [['--store', 'sqlite', '--scenario', 'kill', '--minutes', 'long'], '--minutes long'],
  [['--store', 'sqlite', '--scenario', 'kill', '--seed', '1.5'], '--seed 1.5'],
  [['--stoer', 'sqlite'], '--stoer'],
])('%j is refused with what is wrong', (args, said) => {
  const answer = asked(args, 7)

  expect(answer).toMatchObject({ kind: 'wrong', said: expect.stringContaining(said) })
  expect(answer).toMatchObject({ said: expect.stringContaining('npm run faults') })
})

test('no two scenarios have one name, and every test that stands for a fault is there', () => {
  const names = [...SCENARIOS, ...ELSEWHERE].map(({ name }) => name)

  expect(new Set(names).size).toBe(names.length)
  for (const file of ELSEWHERE.flatMap(({ files, filesOf = {} }) => [...files, ...Object.values(filesOf).flat()])) {
    expect(readFileSync(join(import.meta.dirname, '../../..', file), 'utf8')).toMatch(/\b(test|it)\b/)
  }
})

test('every scenario stands in the table of proofs, and no other', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/guarantees.md'), 'utf8')
  const [, table = ''] = page.split('\n| fault | proven by | command |\n')
  const told = [...table.matchAll(/`--scenario ([^`]+)` \|$/gm)].flatMap(([, names = '']) => names.split(','))

  expect(told.toSorted()).toEqual([...SCENARIOS, ...ELSEWHERE].map(({ name }) => name).toSorted())
})

test('a run prints its seed first, appends its result to the file that it names, and ends with 0', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-faults-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const out = join(folder, 'results.jsonl')
  const args = ['--store', 'sqlite', '--scenario', 'aba', '--short', '--minutes', '0', '--seed', '3', '--out', out]

  const { stdout } = await run(process.execPath, [MAIN, ...args])

  expect(stdout.split('\n')[0]).toBe('seed 3')
  expect(stdout).toContain(`results: ${out}`)
  const [line = '', ...rest] = readFileSync(out, 'utf8').trim().split('\n')
  expect(rest).toEqual([])
  expect(JSON.parse(line)).toMatchObject({
    scenario: 'aba',
    store: 'sqlite',
    seed: 3,
    runs: 1,
    staleAccepted: 0,
    // Fifty attempts, six kinds of writes.
    staleRefused: 300,
  })
}, 60_000)
