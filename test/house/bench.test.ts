/** The benchmarks' tables agree with each other, and a recorded run can be printed without measuring. */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { argsOf } from '../../bench/args.ts'
import { FLOORS, verdictOf } from '../../bench/floors.ts'
import type { ScenarioRecord } from '../../bench/record.ts'
import { names, scenarios } from '../../bench/scenarios.ts'
import { pairedRatios, report, spreadOf } from '../../bench/table.ts'
import { tempDir } from '../support/temp-store.ts'

const ROOT = resolve(import.meta.dirname, '../..')

const RECORD: ScenarioRecord = {
  at: '2026-01-01T00:00:00.000Z',
  machine: 'a machine',
  command: 'npm run bench -- --only d100',
  key: 'd',
  id: 'd100',
  lines: [{ id: 'd100', title: 'process 100,000, concurrency 100', figure: 'perSecond', unit: '/s' }],
  sides: [
    { name: 'Millrace', settings: {}, runs: [{ perSecond: 60_000 }, { perSecond: 80_000 }, { perSecond: 70_000 }] },
    { name: 'plainjob', settings: {}, runs: [{ perSecond: 10_000 }, { perSecond: 20_000 }, { perSecond: 10_000 }] },
    { name: 'Sidequest', settings: {}, runs: [], failed: 'it could not be installed' },
  ],
}

describe.each(['sqlite', 'postgres', 'mysql'] as const)('the benchmarks of %s', (store) => {
  const bounds = FLOORS[store]

  test('bind only lines that some scenario makes, each once', () => {
    const lines = new Set(scenarios(store, false).flatMap((scenario) => scenario.lines.map(({ id }) => id)))
    const bound = bounds.map(({ line }) => line)

    expect(bound.filter((line) => !lines.has(line))).toEqual([])
    expect(new Set(bound).size).toBe(bound.length)
  })

  test('bind a ratio only where there is a second side', () => {
    const alone = scenarios(store, false).filter(({ sides }) => sides.length < 2)
    const lines = new Set(alone.flatMap((scenario) => scenario.lines.map(({ id }) => id)))

    expect(bounds.filter(({ of, line }) => of === 'ratio' && lines.has(line))).toEqual([])
  })

  test('ask for a goal that is no easier than its floor', () => {
    const easier = bounds.filter(({ sense, floor, goal }) => (sense === 'least' ? goal < floor : goal > floor))

    expect(easier).toEqual([])
  })

  test.each([true, false])('name each scenario and each line once, quick or not (%s)', (quick) => {
    const ids = scenarios(store, quick).map(({ id }) => id)
    const lines = scenarios(store, quick).flatMap((scenario) => scenario.lines.map(({ id }) => id))

    expect(new Set(ids).size).toBe(ids.length)
    expect(new Set(lines).size).toBe(lines.length)
  })

  test('compare each line only with sides of its scenario', () => {
    const strangers = scenarios(store, false).flatMap(({ sides, lines }) =>
      lines.flatMap(({ beside = [] }) => beside.filter((name) => !sides.slice(1).some((side) => side.name === name))),
    )

    expect(strangers).toEqual([])
  })
})

describe('the command line of the benchmarks', () => {
  test('refuses a scenario that there is not, and says which there are', () => {
    const refused = argsOf(['--only', 'd,nonsense'])

    expect(refused).toMatch(/^--only nonsense: no such scenario; there are a, b, c, d, /)
    expect(argsOf(['--only', names('sqlite').join(',')])).toMatchObject({ only: names('sqlite'), repeat: 5 })
    expect(argsOf(['--store', 'mysql', '--only', 'full'])).toMatch(/^--only full: no such scenario/)
  })

  test.each([
    [['--store', 'oracle'], /there are sqlite, postgres, mysql, mariadb/],
    [['--store', 'postgres', '--url', 'nowhere'], /is not a URL/],
    [['--url', 'postgres://127.0.0.1/'], /--url is for servers/],
    [['--repeat', '0'], /a whole number from 1 on/],
    [['--fast'], /--fast/],
  ])('refuses %j', (given, why) => {
    expect(argsOf(given)).toMatch(why)
  })
})

describe('the report', () => {
  test('takes the median of the ratios of runs side by side, not the ratio of medians', () => {
    const ratios = spreadOf(pairedRatios([60, 80, 70], [10, 20, 10]))

    expect(ratios).toEqual({ median: 6, least: 4, most: 7 })
  })

  test('leaves out runs that are missing', () => {
    expect(spreadOf(pairedRatios([60, 80], [10]))).toEqual({ median: 6, least: 6, most: 6 })
    expect(spreadOf([]).median).toBeNaN()
  })

  test.each([
    ['d100', 10, 'goal'],
    ['d100', 9.9, 'floor'],
    ['d100', 4.9, 'missed'],
    ['d100', Number.NaN, 'unknown'],
    ['busy.p99', 10, 'goal'],
    ['busy.p99', 10.1, 'missed'],
  ])('calls %s of %d: %s', (line, figure, verdict) => {
    const bound = FLOORS.sqlite.find((each) => each.line === line)

    expect(bound && verdictOf(bound, figure)).toBe(verdict)
  })

  test('compares with the best of the named sides in each round', () => {
    const line = { id: 'b', title: 'enqueue', figure: 'perSecond', unit: '/s', beside: ['one', 'other'] } as const
    const runs = (...rates: readonly number[]) => rates.map((perSecond) => ({ perSecond }))
    const sides = [
      { name: 'Millrace', settings: {}, runs: runs(100, 100) },
      { name: 'one', settings: {}, runs: runs(10, 50) },
      { name: 'other', settings: {}, runs: runs(20) },
      { name: 'unnamed', settings: {}, runs: runs(1000, 1000) },
    ]

    const printed = report([{ ...RECORD, store: 'postgres', id: 'b', lines: [line], sides }])

    expect(printed).toContain(
      '| enqueue | 100 /s | one 30 /s (10–50); other 20 /s | 3.5 × (2–5) | ≥ 15 × → 30 × | BELOW FLOOR |',
    )
  })

  test('has a floor that is missed and a side that is absent stand out', () => {
    const slow = { ...RECORD, sides: [{ name: 'Millrace', settings: {}, runs: [{ perSecond: 1 }] }, RECORD.sides[1]] }

    expect(report([RECORD])).toContain('- d100, Sidequest: it could not be installed')
    expect(report([slow as ScenarioRecord])).toContain('- below its floor: process 100,000, concurrency 100')
  })

  test('is printed from a recorded file, the last of a scenario counting', () => {
    const file = join(tempDir(), 'run.jsonl')
    const older = { ...RECORD, sides: [] }
    writeFileSync(file, `${JSON.stringify(older)}\n${JSON.stringify(RECORD)}\n`)

    const { status, stdout } = bench('--report', file)

    expect(stdout).toContain(
      '| process 100,000, concurrency 100 | 70,000 /s (60,000–80,000) | plainjob 10,000 /s (10,000–20,000); Sidequest – ' +
        '| 6 × (4–7) | ≥ 5 × → 10 × | floor held |',
    )
    expect(stdout).toContain('Floors: 0 at the goal, 1 between floor and goal, 0 below, 0 not measured.')
    expect(status).toBe(0)
  })

  test('refuses a file of another kind', () => {
    const file = join(tempDir(), 'other.jsonl')
    writeFileSync(file, '{"some":"thing"}\n')

    const { status, stderr } = bench('--report', file)

    expect(stderr).toContain('other.jsonl:1 is not a line that bench --json writes')
    expect(status).toBe(2)
  })
})

function bench(...args: readonly string[]) {
  return spawnSync(process.execPath, [join(ROOT, 'bench/run.ts'), ...args], { encoding: 'utf8' })
}
