/**
 * `npm run bench -- --store sqlite|postgres|mysql [--url URL] [--quick] [--only a,d] [--beside PEER,PEER] [--repeat N]
 * [--json FILE] [--report FILE.jsonl]`: Millrace beside its peers on that store. Progress goes to stderr; the table, the verdicts
 * and the JSON lines to stdout.
 *
 * Every measurement is a process of its own on a fresh file or database. The sides take turns, and who begins changes from round to
 * round, so that whatever else the machine does hits all. See bench/README.md.
 */
import { appendFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { type Args, argsOf } from './args.ts'
import { abandon, measure } from './measure.ts'
import { type Absences, absenceOf, peerVersions, preparePeers } from './peers.ts'
import { type Figures, readRecords, type ScenarioRecord, type SideRecord } from './record.ts'
import type { Line, Scenario, Side } from './scenario.ts'
import { besideOnly, isNamed, scenarios } from './scenarios.ts'
import { report } from './table.ts'

const args = argsOf(process.argv.slice(2))
if (typeof args === 'string') {
  console.error(args)
  process.exitCode = 2
} else if (args.report !== undefined) print(args.report)
else {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(signal, () => {
      void abandon().finally(() => process.exit(code))
    })
  }
  await measureAll(args)
}

function print(path: string): void {
  try {
    console.log(report(readRecords(path)))
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = 2
  }
}

async function measureAll({ store, url, quick, only, beside, repeat, json }: Args): Promise<void> {
  const absences = await preparePeers(store)
  const machine = `${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}; ${peerVersions(store)}`
  const command = ['npm run bench --', ...process.argv.slice(2)].join(' ')
  const records: ScenarioRecord[] = []
  for (const whole of scenarios(store, quick)) {
    if (only !== undefined && !only.some((name) => isNamed(whole, name))) continue
    const scenario = beside === undefined ? whole : besideOnly(whole, beside)
    const sides = await takeTurns(scenario, repeat, absences, (side) => measure(side, store, url))
    const { key, id, lines } = scenario
    const record = { at: new Date().toISOString(), machine, command, store, key, id, lines, sides }
    records.push(record)
    if (json !== undefined) appendFileSync(json, `${JSON.stringify(record)}\n`)
  }
  console.log(report(records))
  console.log(`\n${records.map((record) => JSON.stringify(record)).join('\n')}`)
}

async function takeTurns(
  { id, sides, lines }: Scenario,
  repeat: number,
  absences: Absences,
  run: (side: Side) => Promise<Figures>,
) {
  const taken = sides.map((side) => ({ side, runs: [] as Figures[], failed: absenceOf(side, absences) }))
  for (const { side, failed } of taken)
    if (failed !== undefined) process.stderr.write(`${id} ${side.name} cannot be measured here: ${failed}\n`)
  for (let round = 0; round < repeat; round++) {
    const first = round % taken.length
    for (const each of [...taken.slice(first), ...taken.slice(0, first)]) {
      if (each.failed !== undefined) continue
      process.stderr.write(`${id} ${round + 1}/${repeat} ${each.side.name}: `)
      try {
        const figures = await run(each.side)
        each.runs.push(figures)
        process.stderr.write(`${brief(lines, figures)}\n`)
      } catch (error) {
        each.failed = error instanceof Error ? error.message : String(error)
        process.exitCode = 1
        process.stderr.write(`failed: ${each.failed}\n`)
      }
    }
  }
  return taken.map(({ side: { name, settings }, runs, failed }): SideRecord => {
    return { name, settings, runs, ...(failed !== undefined && { failed }) }
  })
}

function brief(lines: readonly Line[], figures: Figures): string {
  const units = new Map(lines.map(({ figure, unit }) => [figure, unit]))
  return [...units]
    .map(([figure, unit]) => `${Number((figures[figure] ?? Number.NaN).toPrecision(4))} ${unit}`)
    .join(', ')
}
