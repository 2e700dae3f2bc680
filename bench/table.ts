/** The table and the verdicts, from records. Values are medians with the smallest and largest run. */
import { type Bound, FLOORS, type Verdict, verdictOf } from './floors.ts'
import type { ScenarioRecord, SideRecord } from './record.ts'
import type { Line, Unit } from './scenario.ts'

/** A median and what it came from. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** What a line of a scenario comes to. */
export interface Outcome {
  readonly ours: Spread
  /** The sides that are shown beside it, and what each came to. */
  readonly beside: readonly { readonly name: string; readonly spread: Spread }[]
  /** To the best of the sides that it is compared with, in each round. */
  readonly ratios: Spread
  readonly bound: Bound | undefined
  readonly verdict: Verdict | undefined
}

const MARKS: Readonly<Record<Verdict, string>> = {
  goal: 'goal reached',
  floor: 'floor held',
  missed: 'BELOW FLOOR',
  unknown: 'not measured',
}

/** The whole report as Markdown: machine, table, and how the floors stand. */
export function report(records: readonly ScenarioRecord[]): string {
  const rows = records.flatMap((record) => record.lines.map((line) => rowOf(record, line)))
  const header = ['', 'Millrace', 'beside it', 'ratio', 'floor → goal', 'verdict']
  const table = [header, header.map(() => '---'), ...rows.map(({ cells }) => cells)]
  const failures = records.flatMap(({ id, sides }) =>
    sides.flatMap(({ name, failed }) => (failed === undefined ? [] : [`${id}, ${name}: ${failed}`])),
  )
  return [
    headingOf(records),
    table.map((cells) => `| ${cells.join(' | ')} |`).join('\n'),
    verdicts(rows.map(({ title, verdict }) => ({ title, verdict }))),
    ...(failures.length === 0 ? [] : [`Not measured:\n${failures.map((each) => `- ${each}`).join('\n')}`]),
  ].join('\n\n')
}

/** Median, least and most of what is a number; NaN when nothing is. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  const middle = sorted.length / 2
  const median =
    sorted.length % 2 === 1
      ? sorted[Math.floor(middle)]
      : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
  return { median: median ?? Number.NaN, least: sorted[0] ?? Number.NaN, most: sorted.at(-1) ?? Number.NaN }
}

/** The ratio of each pair of runs that were measured side by side. */
export function pairedRatios(ours: readonly number[], theirs: readonly number[]): readonly number[] {
  return ours.map((value, i) => value / (theirs[i] ?? Number.NaN))
}

/** Compares ours with the others, and with its floor. */
export function outcomeOf(record: ScenarioRecord, line: Line): Outcome {
  const [ours, ...others] = record.sides
  const mine = valuesOf(ours, line.figure)
  const beside = line.beside === undefined ? others : others.filter(({ name }) => line.beside?.includes(name))
  const compared = line.beside === undefined ? beside.slice(0, 1) : beside
  const ratios = spreadOf(pairedRatios(mine, bestOf(compared, line)))
  const bound = FLOORS[record.store ?? 'sqlite'].find((each) => each.line === line.id)
  return {
    ours: spreadOf(mine),
    beside: beside.map((side) => ({ name: side.name, spread: spreadOf(valuesOf(side, line.figure)) })),
    ratios,
    bound,
    verdict: bound && verdictOf(bound, bound.of === 'ratio' ? ratios.median : spreadOf(mine).median),
  }
}

/** A figure of each run of a side; NaN where it was not measured. */
export function valuesOf(side: SideRecord | undefined, figure: string): readonly number[] {
  return side?.runs.map((run) => run[figure] ?? Number.NaN) ?? []
}

function headingOf(records: readonly ScenarioRecord[]): string {
  const distinct = (pick: (record: ScenarioRecord) => string) => [...new Set(records.map(pick))].join('; ')
  return `${distinct(({ machine }) => machine)}\n${distinct(({ command }) => command)}\nMedian (smallest–largest) of the runs; a ratio is the median of the ratios of runs side by side.`
}

function rowOf(record: ScenarioRecord, line: Line) {
  const { ours, beside, ratios, bound, verdict } = outcomeOf(record, line)
  const cells = [
    line.title,
    shown(ours, line.unit),
    beside.map(({ name, spread }) => `${name} ${shown(spread, line.unit)}`).join('; '),
    beside.length === 0 ? '' : shown(ratios, '×'),
    bound === undefined ? '' : limits(bound, line.unit),
    verdict === undefined ? '' : MARKS[verdict],
  ]
  return { cells, title: line.title, verdict }
}

/** In each round the best of some sides: the most a second, the least of anything else. */
function bestOf(sides: readonly SideRecord[], { figure, unit }: Line): readonly number[] {
  const values = sides.map((side) => valuesOf(side, figure))
  const rounds = Math.max(0, ...values.map(({ length }) => length))
  return Array.from({ length: rounds }, (_, round) => {
    const there = values.map((each) => each[round] ?? Number.NaN).filter((value) => !Number.isNaN(value))
    if (there.length === 0) return Number.NaN
    return unit === '/s' ? Math.max(...there) : Math.min(...there)
  })
}

function verdicts(rows: readonly { readonly title: string; readonly verdict: Verdict | undefined }[]): string {
  const having = (verdict: Verdict) => rows.filter((row) => row.verdict === verdict)
  const missed = having('missed').map(({ title }) => `- below its floor: ${title}`)
  const counts = `Floors: ${having('goal').length} at the goal, ${having('floor').length} between floor and goal, ${missed.length} below, ${having('unknown').length} not measured.`
  return [counts, ...missed].join('\n')
}

function limits({ of, sense, floor, goal }: Bound, unit: Unit): string {
  const sign = sense === 'least' ? '≥' : '≤'
  const of_ = of === 'ratio' ? '×' : unit
  const limit = (value: number) => `${value}${of_ === '' ? '' : ` ${of_}`}`
  return goal === floor ? `${sign} ${limit(floor)}` : `${sign} ${limit(floor)} → ${limit(goal)}`
}

function shown({ median, least, most }: Spread, unit: Unit): string {
  if (Number.isNaN(median)) return '–'
  const value = `${number(median)}${unit === '' ? '' : ` ${unit}`}`
  return least === most ? value : `${value} (${number(least)}–${number(most)})`
}

function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en', { maximumFractionDigits: digits })
}
