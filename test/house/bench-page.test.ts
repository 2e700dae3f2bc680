/** The tables of docs/stores.md are those that bench/page.ts makes of recorded runs, row by row. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { tablesOf } from '../../bench/page.ts'
import type { ScenarioRecord } from '../../bench/record.ts'
import { scenarios } from '../../bench/scenarios.ts'

const PAGE = readFileSync(resolve(import.meta.dirname, '../../docs/stores.md'), 'utf8')

test.each(tablesOf({}).map((lines) => [lines[0] ?? '', lines] as const))(
  '%s stands in docs/stores.md',
  (heading, lines) => {
    const table = tablesIn(PAGE).find(
      ([first = '']) => cellsOf(first)[0] === cellsOf(heading)[0] && startsAlike(first, heading),
    )

    expect(table?.slice(2).map(labelOf)).toEqual(lines.slice(2).map(labelOf))
  },
)

test('a recorded run fills the rows of its store', () => {
  const b = recordOf('b', { perSecond: 40_123, cpuPer10k: 0.2, serverPer10k: 0.456 })
  const e = recordOf('e', { p50: 3.44, p99: 12.34, idleCpu: 1, idleServerCpu: null })

  const text = tablesOf({ postgres: [b, e] }).flat()

  expect(text).toContain('| enqueue, 100 calls in flight | – | 40,100 /s | – |')
  expect(text).toContain('| enqueue, 100 calls in flight | 40,100 /s | Sidequest 40,100 /s | 1 × | **missed**: 15 × |')
  expect(text).toContain('| enqueue, 100 calls in flight | 1 ×, **missed**: 1.5 × | 1 ×, **missed**: 1.5 × | – | – |')
  expect(text).toContain(`| enqueue, 100 calls in flight: client / server |${' 0.2 / 0.46 s |'.repeat(6)}`)
  expect(text).toContain('| idle pick-up, p50 / p99 | – | 3.4 / 12.3 ms | – |')
  expect(text).toContain('| CPU of an idle worker / of the server meanwhile | – | 1 % | – |')
})

/** A scenario of PostgreSQL whose sides all came to the same. */
function recordOf(id: string, run: ScenarioRecord['sides'][number]['runs'][number]): ScenarioRecord {
  const scenario = scenarios('postgres', false).find((each) => each.id === id)
  if (scenario === undefined) throw new Error(`no scenario ${id}`)
  const { key, lines, sides } = scenario
  const ran = sides.map(({ name, settings }) => ({ name, settings, runs: [run] }))
  return { at: '2026-01-01T00:00:00.000Z', machine: '', command: '', store: 'postgres', key, id, lines, sides: ran }
}

function tablesIn(page: string): readonly (readonly string[])[] {
  return page.split(/\n\n+/).flatMap((block) => (block.startsWith('|') ? [block.split('\n')] : []))
}

/** The page may have columns of other machines behind those. */
function startsAlike(row: string, heading: string): boolean {
  const wanted = cellsOf(heading)
  return JSON.stringify(cellsOf(row).slice(0, wanted.length)) === JSON.stringify(wanted)
}

/** Without the mark of a footnote. */
function labelOf(row: string): string {
  return (cellsOf(row)[0] ?? '').replace(/ [†‡§]$/, '')
}

function cellsOf(row: string): readonly string[] {
  return row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}
