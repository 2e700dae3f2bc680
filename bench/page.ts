/**
 * `node bench/page.ts FILE.jsonl…`: the tables of docs/stores.md from recorded runs, one whole run of each store. What no file has is
 * an en dash. The page's rows are these, in this order (test/house/bench-page.test.ts).
 */
import { FLOORS } from './floors.ts'
import type { StoreName } from './places.ts'
import { readRecords, type ScenarioRecord, type SideRecord } from './record.ts'
import type { Line, Unit } from './scenario.ts'
import { atDefaults, PEERS } from './server-peers.ts'
import { type Outcome, outcomeOf, type Spread, spreadOf, valuesOf } from './table.ts'

/** A row of figures of one side: which scenario's, by store where they differ. */
interface Row {
  readonly label: string
  readonly scenario: Partial<Record<StoreName, string>>
  /** Shown with slashes between. */
  readonly figures: readonly string[]
  readonly unit: Unit
  /** The ratio of the scenario's first line instead. */
  readonly isRatio?: true
}

const NONE = '–'
const STORES = { sqlite: 'SQLite', postgres: 'PostgreSQL', mysql: 'MariaDB' } as const
const SERVERS = ['postgres', 'mysql'] as const
const RATE = { figures: ['perSecond'], unit: '/s' } as const
const TIMES = { figures: ['p50', 'p99'], unit: 'ms' } as const
const CPU = { figures: ['cpuPer10k', 'serverPer10k'], unit: 's' } as const
const MEMORY = { figures: ['idle', 'after'], unit: 'MiB' } as const

const MEASURED: readonly Row[] = [
  { label: 'process, results kept, concurrency 100', scenario: { sqlite: 'd100', ...servers('d100-kept') }, ...RATE },
  { label: 'process, results kept, concurrency 10', scenario: { sqlite: 'd10' }, ...RATE },
  { label: 'process, results kept, concurrency 1', scenario: { sqlite: 'd1' }, ...RATE },
  { label: 'process, nothing kept, concurrency 100', scenario: servers('d100-gone'), ...RATE },
  { label: 'process, nothing kept, concurrency 10', scenario: servers('d10-gone'), ...RATE },
  { label: 'process, nothing kept, concurrency 1', scenario: servers('d1-gone'), ...RATE },
  { label: 'four worker processes, to one', scenario: servers('fleet'), ...RATE, isRatio: true },
  { label: 'with 1,000,000 jobs waiting, to 10,000', scenario: all('i-waiting'), ...RATE, isRatio: true },
  { label: 'with 1,000,000 finished ones kept, to 10,000', scenario: all('i-kept'), ...RATE, isRatio: true },
  { label: 'enqueue, 100 calls in flight', scenario: all('b'), ...RATE },
  { label: 'enqueue by 1,000', scenario: all('c'), ...RATE },
  { label: 'one enqueue, p50', scenario: all('a'), figures: ['p50'], unit: 'ms' },
  { label: 'idle pick-up, p50 / p99', scenario: all('e'), ...TIMES },
  { label: 'producer and worker at once', scenario: all('h'), ...RATE },
  { label: '500 jobs a second, end to end, p50 / p99', scenario: servers('load'), ...TIMES },
  {
    label: 'CPU for 10,000 jobs, results kept: worker / server',
    scenario: { sqlite: 'g', ...servers('d100-kept') },
    ...CPU,
  },
  { label: 'start to first job', scenario: { sqlite: 'f-library' }, figures: ['ms'], unit: 'ms' },
  { label: 'memory (PSS) above bare Node, idle / after', scenario: all('f-memory'), ...MEMORY },
  {
    label: 'CPU of an idle worker / of the server meanwhile',
    scenario: all('e'),
    figures: ['idleCpu', 'idleServerCpu'],
    unit: '%',
  },
]

/** By the id of a line, where that has a floor. */
const BESIDE: readonly (readonly [line: string, label: string])[] = [
  ['d100-gone', 'process, nothing kept, concurrency 100'],
  ['d10-gone', 'process, nothing kept, concurrency 10'],
  ['d1-gone', 'process, nothing kept, concurrency 1'],
  ['d100-kept.graphile', 'process, results kept, concurrency 100'],
  ['d100-kept.boss', 'the same'],
  ['d100-kept.sidequest', 'process, results kept, concurrency 100'],
  ['b', 'enqueue, 100 calls in flight'],
  ['c', 'enqueue by 1,000'],
  ['a.p50', 'one enqueue, p50'],
  ['e.p50', 'idle pick-up, p50'],
  ['e.p99', 'idle pick-up, p99'],
  ['e.cpu', 'CPU of an idle worker'],
  ['h', 'producer and worker at once'],
  ['load.p99', '500 jobs a second, p99'],
  ['f-memory.idle', 'memory, idle'],
  ['f-memory.after', 'memory, after 100,000 jobs'],
  ['fleet', 'four worker processes'],
  ['i-waiting', '1,000,000 waiting'],
  ['i-kept', '1,000,000 finished and kept'],
]

const REDIS: readonly (readonly [line: string, label: string])[] = [
  ['d100-gone', 'process, nothing kept, concurrency 100'],
  ['d100-kept', 'process, results kept, concurrency 100'],
  ['b', 'enqueue, 100 calls in flight'],
  ['h', 'producer and worker at once'],
  ['e.p50', 'idle pick-up, p50'],
]

const AT_DEFAULTS: readonly Row[] = [
  { label: 'process, concurrency 100', scenario: servers('d100-defaults'), ...RATE },
  { label: 'process, nothing kept, concurrency 10', scenario: servers('d10-gone'), ...RATE },
  { label: 'process, nothing kept, concurrency 1', scenario: servers('d1-gone'), ...RATE },
  { label: 'CPU for 10,000 jobs at 100: worker / server', scenario: servers('d100-defaults'), ...CPU },
  { label: 'enqueue, 100 calls in flight', scenario: servers('b'), ...RATE },
  { label: 'idle pick-up, p50 / p99', scenario: servers('e-defaults'), ...TIMES },
  { label: 'producer and worker at once', scenario: servers('h'), ...RATE },
  { label: '500 jobs a second, end to end, p50 / p99', scenario: servers('load'), ...TIMES },
  { label: 'memory (PSS) above bare Node, idle / after', scenario: servers('f-memory'), ...MEMORY },
]

const COSTS: readonly Row[] = [
  { label: 'process, results kept, concurrency 100', scenario: servers('d100-kept'), ...CPU },
  { label: 'producer and worker at once', scenario: servers('h'), ...CPU },
  { label: '500 jobs a second', scenario: servers('load'), ...CPU },
  { label: 'enqueue, 100 calls in flight: client / server', scenario: servers('b'), ...CPU },
]

/** A recorded run of one store. */
type Run = readonly ScenarioRecord[]

/** Every table of the page, each as its lines. */
export function tablesOf(runs: Partial<Record<StoreName, Run>>): readonly (readonly string[])[] {
  const stores = Object.keys(STORES) as StoreName[] // Its keys are the stores.
  const measured = MEASURED.map((row) => [
    row.label,
    ...stores.map((store) => cellOf(row, store, runs[store], 'Millrace')),
  ])
  return [
    table(['', ...Object.values(STORES)], measured),
    ...SERVERS.map((store) =>
      table([STORES[store], 'Millrace', 'peer', 'ratio', 'floor'], besideRows(store, runs[store])),
    ),
    table(
      ['beside BullMQ on Redis', ...SERVERS.flatMap((store) => [STORES[store], `${STORES[store]}, Redis durable`])],
      REDIS.map(([line, label]) => [label, ...SERVERS.flatMap((store) => redisCells(line, runs[store]))]),
    ),
    ...SERVERS.map((store) => {
      const peers = peersOf(store, [PEERS.graphile, PEERS.boss, PEERS.bullmq, PEERS.sidequest])
      const sides = ['Millrace', ...peers.map(atDefaults)]
      return table(
        [`${STORES[store]}, at their defaults`, 'Millrace', ...peers],
        rows(AT_DEFAULTS, store, runs[store], sides),
      )
    }),
    ...SERVERS.map((store) => {
      const peers = peersOf(store, [PEERS.graphile, PEERS.boss, PEERS.bullmq, PEERS.sidequest, PEERS.redis])
      const sides = ['Millrace', ...peers]
      return table(
        [`CPU for 10,000 jobs on ${STORES[store]}: worker / server`, ...sides],
        rows(COSTS, store, runs[store], sides),
      )
    }),
  ]
}

function rows(list: readonly Row[], store: StoreName, run: Run | undefined, sides: readonly string[]) {
  return list.map((row) => [row.label, ...sides.map((side) => cellOf(row, store, run, side))])
}

/** The names of those that have a side on this store. */
function peersOf(store: StoreName, peers: readonly { readonly name: string }[]): readonly string[] {
  const onMysql: readonly string[] = [PEERS.sidequest.name, PEERS.redis.name]
  return peers.map(({ name }) => name).filter((name) => store === 'postgres' || onMysql.includes(name))
}

function cellOf(
  { scenario, figures, unit, isRatio }: Row,
  store: StoreName,
  run: Run | undefined,
  name: string,
): string {
  const record = run?.find(({ id }) => id === scenario[store])
  const [first] = record?.lines ?? []
  if (record === undefined || first === undefined) return NONE
  if (isRatio) return shown(outcomeOf(record, first).ratios.median, '×')
  const side = record.sides.find((each) => each.name === name)
  const values = figures.map((figure) => medianOf(side, figure)).filter((value) => !Number.isNaN(value))
  return values.length === 0 ? NONE : `${values.map(number).join(' / ')} ${unit}`
}

function besideRows(store: StoreName, run: Run | undefined): readonly (readonly string[])[] {
  return BESIDE.filter(([id]) => FLOORS[store].some(({ line }) => line === id)).map(([id, label]) => {
    const found = lineOf(id, run)
    if (found === undefined) return [label, NONE, NONE, NONE, NONE]
    const { record, line } = found
    const { ours, beside, ratios, bound, verdict } = outcomeOf(record, line)
    const compared = (line.beside === undefined ? beside.slice(0, 1) : beside).filter(({ spread }) => isThere(spread))
    const ordered = compared.toSorted((a, b) => a.spread.median - b.spread.median)
    const peer = line.unit === '/s' ? ordered.at(-1) : ordered[0]
    return [
      label,
      shown(ours.median, line.unit),
      peer === undefined ? '' : `${peer.name} ${shown(peer.spread.median, line.unit)}`,
      peer === undefined ? '' : ratioOf(ratios),
      floorOf({ bound, verdict }, line.unit),
    ]
  })
}

function floorOf({ bound, verdict = 'unknown' }: Pick<Outcome, 'bound' | 'verdict'>, unit: Unit): string {
  if (bound === undefined) return ''
  const state = { goal: 'held', floor: 'held', missed: '**missed**', unknown: NONE }[verdict]
  return `${state}: ${shown(bound.floor, bound.of === 'ratio' ? '×' : unit)}`
}

function redisCells(id: string, run: Run | undefined): readonly string[] {
  return ['redis', 'durable-redis'].map((kind) => {
    const found = lineOf(`${id}.${kind}`, run)
    if (found === undefined) return NONE
    const outcome = outcomeOf(found.record, found.line)
    return [ratioOf(outcome.ratios), floorOf(outcome, found.line.unit)].filter((part) => part !== '').join(', ')
  })
}

function lineOf(id: string, run: Run | undefined): { record: ScenarioRecord; line: Line } | undefined {
  const found = run?.flatMap((record) =>
    record.lines.filter((line) => line.id === id).map((line) => ({ record, line })),
  )
  return found?.[0]
}

function medianOf(side: SideRecord | undefined, figure: string): number {
  return spreadOf(valuesOf(side, figure)).median
}

function isThere({ median }: Spread): boolean {
  return !Number.isNaN(median)
}

function ratioOf({ median, least, most }: Spread): string {
  if (Number.isNaN(median)) return NONE
  return least === most ? shown(median, '×') : `${shown(median, '×')} (${number(least)}–${number(most)})`
}

function shown(value: number, unit: Unit): string {
  return Number.isNaN(value) ? NONE : `${number(value)}${unit === '' ? '' : ` ${unit}`}`
}

/** As many digits as a figure of a noisy machine is worth. */
function number(value: number): string {
  return Number(value.toPrecision(value < 10 ? 2 : 3)).toLocaleString('en', { maximumFractionDigits: 10 })
}

function table(header: readonly string[], body: readonly (readonly string[])[]): readonly string[] {
  return [header, header.map(() => '---'), ...body].map((cells) =>
    cells.every((cell) => cell === '---')
      ? `|${cells.join('|')}|`
      : `| ${cells.join(' | ')} |`.replace(/^\| +\|/, '| |'),
  )
}

function servers(scenario: string) {
  return { postgres: scenario, mysql: scenario }
}

function all(scenario: string) {
  return { sqlite: scenario, ...servers(scenario) }
}

/** The files' records by store; a scenario that stands in several counts from the last. */
function runsIn(files: readonly string[]): Partial<Record<StoreName, Run>> {
  const records = files.flatMap((file) => readRecords(file))
  return Object.fromEntries(
    Object.keys(STORES).map((store) => [
      store,
      records.filter((record) => (record.store ?? 'sqlite') === store).toReversed(),
    ]),
  )
}

if (import.meta.main)
  console.log(
    tablesOf(runsIn(process.argv.slice(2)))
      .map((lines) => lines.join('\n'))
      .join('\n\n'),
  )
