/**
 * `npm run bench -- --store sqlite [--quick] [--only a,d] [--repeat N] [--json FILE]`: Millrace beside plainjob on SQLite.
 *
 * Every measurement is a process of its own on a fresh file. The two sides take turns, so that whatever else the machine does
 * hits both; the table shows medians with the smallest and largest run, and their ratio. See bench/README.md.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { parseArgs } from 'node:util'

interface Scenario {
  readonly key: string
  readonly title: string
  readonly scenario: string
  readonly unit: string
  readonly settings: Readonly<Record<string, unknown>>
  /** Only Millrace, measured against another setting of its own. */
  readonly against?: { readonly name: string; readonly settings: Readonly<Record<string, unknown>> }
}

type Figures = Readonly<Record<string, number | null>>

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'sqlite' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    repeat: { type: 'string' },
    json: { type: 'string' },
  },
})
if (values.store !== 'sqlite') {
  console.error(`--store ${values.store}: only sqlite is measured yet`)
  process.exit(2)
}
const quick = values.quick
const repeat = Number(values.repeat ?? (quick ? 3 : 5))
const jobs = quick ? 20_000 : 100_000
const seconds = quick ? 6 : 20
const peerNode = nodeFor('better-sqlite3')
const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))

const SCENARIOS: readonly Scenario[] = [
  { key: 'a', title: 'enqueue, one by one', scenario: 'a', unit: '/s', settings: { count: jobs / 4 } },
  { key: 'b', title: 'enqueue, 100 calls in flight', scenario: 'b', unit: '/s', settings: { count: jobs } },
  { key: 'c', title: 'enqueue by 1,000', scenario: 'c', unit: '/s', settings: { count: jobs } },
  ...[1, 10, 100].map((concurrency) => ({
    key: 'd',
    title: `process ${jobs.toLocaleString('en')}, concurrency ${concurrency}`,
    scenario: 'd',
    unit: 'jobs/s',
    settings: { count: jobs, concurrency },
  })),
  {
    key: 'f',
    title: `process, concurrency 100, fsync at each commit against none`,
    scenario: 'd',
    unit: 'jobs/s',
    settings: { count: jobs, concurrency: 100, durability: 'full' },
    against: { name: 'Millrace, normal', settings: { count: jobs, concurrency: 100 } },
  },
  {
    key: 'h',
    title: `producer and worker at once, ${seconds} s`,
    scenario: 'h',
    unit: 'jobs/s',
    settings: { seconds },
  },
]

const only = values.only?.split(',')
try {
  main()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function main(): void {
  const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, peer's Node ${versionOf(peerNode)}`
  console.log(`${machine}\n${repeat} runs of each, taking turns; median (smallest–largest)\n`)
  console.log('| | Millrace | plainjob 0.0.14 | ratio |\n|---|---|---|---|')
  for (const scenario of SCENARIOS.filter(({ key }) => only === undefined || only.includes(key))) {
    const ours: Figures[] = []
    const theirs: Figures[] = []
    for (let i = 0; i < repeat; i++) {
      ours.push(measure('millrace', scenario.scenario, scenario.settings))
      theirs.push(
        scenario.against === undefined
          ? measure('plainjob', scenario.scenario, scenario.settings)
          : measure('millrace', scenario.scenario, scenario.against.settings),
      )
    }
    const ratio = median(ours, 'perSecond') / median(theirs, 'perSecond')
    const peer = scenario.against === undefined ? '' : `${scenario.against.name}: `
    console.log(
      `| ${scenario.title} | ${shown(ours, scenario.unit)} | ${peer}${shown(theirs, scenario.unit)} | ${ratio.toFixed(1)} × |`,
    )
    if (values.json !== undefined) {
      const line = {
        at: new Date().toISOString(),
        machine,
        ...scenario,
        ours,
        theirs,
        ratio,
        command: process.argv.slice(2).join(' '),
      }
      appendFileSync(values.json, `${JSON.stringify(line)}\n`)
    }
  }
}

function measure(
  side: 'millrace' | 'plainjob',
  scenario: string,
  settings: Readonly<Record<string, unknown>>,
): Figures {
  const run = mkdtempSync(join(folder, 'run-'))
  const options = JSON.stringify({ scenario, path: join(run, 'jobs.db'), durability: 'normal', ...settings })
  const node = side === 'millrace' ? process.execPath : peerNode
  const script = join(import.meta.dirname, 'sides', `${side}.js`)
  const { status, stdout, stderr } = spawnSync(node, [script, options], { encoding: 'utf8', maxBuffer: 1 << 24 })
  rmSync(run, { recursive: true, force: true })
  if (status !== 0) throw new Error(`${side} ${scenario} ended with ${status}: ${stderr}`)
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}')
}

function median(runs: readonly Figures[], figure: string): number {
  const sorted = runs.map((run) => run[figure] ?? Number.NaN).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function shown(runs: readonly Figures[], unit: string): string {
  const all = runs.map((run) => run.perSecond ?? Number.NaN)
  const number = (value: number) => Math.round(value).toLocaleString('en')
  const p99 = median(runs, 'p99')
  const latency = Number.isNaN(p99) ? '' : `, p99 ${number(p99)} ms`
  return `${number(median(runs, 'perSecond'))} ${unit} (${number(Math.min(...all))}–${number(Math.max(...all))})${latency}`
}

/** A Node that can load the peer's native module: this one, or another on the PATH that it was built for. */
function nodeFor(module: string): string {
  const found = (process.env.PATH ?? '').split(delimiter).map((each) => join(each, 'node'))
  for (const node of [process.execPath, ...found]) {
    const { status } = spawnSync(node, ['-e', `new (require(${JSON.stringify(module)}))(':memory:')`], {
      cwd: import.meta.dirname,
    })
    if (status === 0) return node
  }
  throw new Error(`no Node on the PATH can load ${module}; run: npm --prefix bench rebuild`)
}

function versionOf(node: string): string {
  return execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
}
