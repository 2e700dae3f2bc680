/**
 * `npm run faults`: brings faults about on a store, judges each run, appends a JSON line for each scenario to a file and prints a
 * table. Ends with 1 when something was seen that must not be, with the seed and the command that runs it again; with 2 when the
 * question was wrong, with 3 when there is no such store here.
 */
import { appendFileSync, mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import Table from 'cli-table3'
import type { StoreKind } from '../../support/tables.ts'
import { asked, type Order } from './arguments.ts'
import { type Built, build } from './built.ts'
import { ELSEWHERE } from './elsewhere.ts'
import { now } from './ledgers.ts'
import { type Place, placeNamed } from './places.ts'
import { emptyResult, type Result, runOnce, together } from './run.ts'
import { repeatElsewhere } from './run-elsewhere.ts'
import type { Scenario } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'

const MINUTE_MS = 60_000
const SHOWN = 10

async function main(args: readonly string[]): Promise<number> {
  const question = asked(args, Date.now() % 2 ** 31)
  if (question.kind === 'wrong') {
    console.error(question.said)
    return 2
  }
  if (question.kind === 'list') {
    list()
    return 0
  }
  const { order } = question
  console.log(`seed ${order.seed}`)
  const place = await placeNamed(order.store)
  if (typeof place === 'string') {
    console.error(`no store: ${place}`)
    return 3
  }
  const built = await build()
  try {
    return await runAll(order, place, built)
  } finally {
    built.remove()
    await place.close()
  }
}

async function runAll(order: Order, place: Place, built: Built): Promise<number> {
  const out = resolve(process.cwd(), order.out)
  mkdirSync(dirname(out), { recursive: true })
  const isAsked = ({ name, stores }: { readonly name: string; readonly stores?: readonly StoreKind[] }) =>
    order.scenarios === 'all' ? (stores?.includes(place.kind) ?? true) : order.scenarios.includes(name)
  const results: Result[] = []
  for (const scenario of [...SCENARIOS, ...ELSEWHERE].filter(isAsked)) {
    const result = !(scenario.stores?.includes(place.kind) ?? true)
      ? notThere(scenario, order, place)
      : 'files' in scenario
        ? repeatElsewhere(scenario, order, place.kind)
        : await repeat(scenario, order, place, built)
    appendFileSync(out, `${JSON.stringify(result)}\n`)
    console.log(JSON.stringify({ ...result, tests: undefined, violations: result.violations.slice(0, SHOWN) }))
    results.push(result)
    for (const violation of result.violations.slice(0, SHOWN)) console.log(`  ${violation}`)
  }
  print(results)
  console.log(`results: ${out}`)
  const broken = results.filter(({ violations }) => violations.length > 0)
  for (const { scenario, seed } of broken) {
    const short = order.size === 'short' ? ' --short' : ''
    console.error(
      `${scenario} does not hold; run it again: npm run faults -- --store ${kindOnly(order.store)} --scenario ${scenario} --minutes 0 --seed ${seed}${short}`,
    )
  }
  return broken.length === 0 && results.length > 0 ? 0 : 1
}

/** Runs of one scenario, each with the next seed, until the time is over or one does not hold. */
async function repeat(scenario: Scenario, order: Order, place: Place, built: Built): Promise<Result> {
  const end = now() + order.minutes * MINUTE_MS
  let sum: Result | undefined
  for (let run = 0; run === 0 || now() < end; run++) {
    const seed = order.seed + run
    const result = await place
      .onFresh((url) =>
        runOnce(scenario, { url, built, seed, size: order.size, keepsLedgers: true, tell: console.log }),
      )
      .catch((error) => emptyResult(scenario.name, place.kind, seed, `the run itself failed: ${error?.stack ?? error}`))
    console.log(
      `${scenario.name} on ${place.kind}, seed ${seed}: ${result.jobs} jobs, ${result.violations.length === 0 ? 'holds' : 'DOES NOT HOLD'}, ${result.wallS} s`,
    )
    sum = sum === undefined ? result : together(sum, result)
    // Its own seed is the one to run again.
    if (result.violations.length > 0) return { ...sum, seed }
  }
  return sum ?? notThere(scenario, order, place)
}

function notThere(
  { name, stores }: { readonly name: string; readonly stores?: readonly string[] },
  { seed }: Order,
  { kind }: Place,
): Result {
  return emptyResult(name, kind, seed, `it is for ${stores?.join(', ')} only`)
}

/** A URL may hold a password. */
function kindOnly(store: string): string {
  return store.includes(':') ? 'URL' : store
}

function list(): void {
  const table = new Table({ head: ['scenario', 'fault', 'stores', 'what happens'], style: { head: [], border: [] } })
  for (const { name, fault, stores, summary } of [...SCENARIOS, ...ELSEWHERE])
    table.push([name, fault, stores?.join(', ') ?? 'all', summary])
  console.log(table.toString())
}

function print(results: readonly Result[]): void {
  const head = [
    'scenario',
    'store',
    'runs',
    'jobs',
    'faults',
    'lost',
    'again',
    'explained',
    'stale in/out',
    'stuck',
    'recovery',
    'time',
    '',
  ]
  const table = new Table({ head, style: { head: [], border: [] } })
  for (const each of results) {
    const { tests } = each
    table.push([
      each.scenario,
      each.store,
      each.runs,
      ...(tests === undefined
        ? countsOf(each)
        : [each.jobs, { colSpan: 7, content: `tests: ${Object.values(tests).flat().length}, see below` }]),
      `${Math.round(each.wallS)} s`,
      each.violations.length === 0 ? 'holds' : `${each.violations.length} violations`,
    ])
  }
  console.log(table.toString())
  for (const { scenario, jobs, fired, tests } of results) {
    if (tests === undefined) continue
    console.log(`${scenario}: ${listed({ ...(jobs > 0 && { jobs }), ...fired })}`)
    const names = Object.values(tests).flat()
    console.log(
      `  tests passed in ${Object.entries(tests)
        .map(([file, ran]) => `${file} ${ran.length}`)
        .join(', ')}`,
    )
    for (const name of names.slice(0, SHOWN)) console.log(`  ${name}`)
    if (names.length > SHOWN) console.log(`  and ${names.length - SHOWN} more: see the file of results`)
  }
  for (const { scenario, figures } of results.filter((each) => Object.keys(each.figures).length > 0)) {
    console.log(`${scenario}: ${listed(figures)}`)
  }
}

function listed(figures: Readonly<Record<string, number>>): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${Math.round(value * 10) / 10}`)
    .join(', ')
}

function countsOf(result: Result): readonly (string | number)[] {
  const { jobs, faults, lost, duplicated, explained, staleAccepted, staleRefused, stuck, maxRecoveryMs } = result
  return [jobs, faults, lost, duplicated, explained, `${staleAccepted}/${staleRefused}`, stuck, `${maxRecoveryMs} ms`]
}

process.exitCode = await main(process.argv.slice(2))
