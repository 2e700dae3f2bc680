/** Runs tests that stand for a fault as they are, in a Vitest of their own, and reads from its report which ran. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { kindOf, type StoreKind } from '../../support/tables.ts'
import type { Order } from './arguments.ts'
import type { Elsewhere } from './elsewhere.ts'
import { now } from './ledgers.ts'
import { emptyResult, type Result } from './run.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const MINUTE_MS = 60_000

/** Files that one Vitest runs. */
export interface Batch {
  readonly files: readonly string[]
  /** Their tests whose full names match, default all. A full name has no file's name in it. */
  readonly pattern?: string
}

/** What Vitest's JSON report says, as far as it is read. */
export interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

/** Full names of tests, by the file that they are in. */
export type Passed = Readonly<Record<string, readonly string[]>>

/** What is run for these tests on a store: those that are declared for each by its name, and all of files that are of one store. */
export function batchesOf({ files, only, stores, filesOf }: Elsewhere, kind: StoreKind): readonly Batch[] {
  const words = [...(stores.length > 1 ? [kind] : []), ...(only === undefined ? [] : [only])]
  const shared = words.length > 0 ? { files, pattern: words.join('.*') } : { files }
  const own = filesOf?.[kind] ?? []
  return own.length > 0 ? [shared, { files: own }] : [shared]
}

/** What was to run and did not: a file of which no test passed, and each test that was skipped. */
export function unrun({ testResults }: Report, { files, pattern = '' }: Batch): readonly string[] {
  const isMeant = new RegExp(pattern)
  return files.flatMap((file) => {
    const tests = testResults.find(({ name }) => name.endsWith(`/${file}`))?.assertionResults ?? []
    const meant = tests.filter(({ fullName }) => isMeant.test(fullName))
    if (!meant.some(({ status }) => status === 'passed')) return [`none of its tests passed in ${file}`]
    return meant.flatMap(({ fullName, status }) => (status === 'passed' ? [] : [`${status}: ${fullName}`]))
  })
}

/** The full names of tests that were to run and passed, by file. */
export function passed({ testResults }: Report, { files, pattern = '' }: Batch): Passed {
  const isMeant = new RegExp(pattern)
  return Object.fromEntries(
    files.map((file) => {
      const tests = testResults.find(({ name }) => name.endsWith(`/${file}`))?.assertionResults ?? []
      const ran = tests.filter(({ fullName, status }) => status === 'passed' && isMeant.test(fullName))
      return [file, ran.map(({ fullName }) => fullName)]
    }),
  )
}

/** Runs of these tests, each with the next seed, until the time is over or one does not hold. What ran is told as `fired` and `tests`. */
export function repeatElsewhere(tests: Elsewhere, order: Order, kind: StoreKind): Result {
  const begun = now()
  const end = begun + order.minutes * MINUTE_MS
  const fired: Record<string, number> = {}
  const names = new Set<string>()
  for (let runs = 1; ; runs++) {
    const seed = order.seed + runs - 1
    const outcomes = batchesOf(tests, kind).map((batch) => run(batch, order, seed))
    for (const [file, ran] of outcomes.flatMap(({ ran }) => Object.entries(ran))) {
      fired[file] = (fired[file] ?? 0) + ran.length
      for (const name of ran) names.add(name)
    }
    const violations = outcomes.flatMap((outcome) => outcome.violations)
    const isOver = violations.length > 0 || now() >= end
    // The seed of a run that does not hold is the one to run again.
    const result = emptyResult(tests.name, kind, violations.length > 0 ? seed : order.seed)
    if (isOver) return { ...result, runs, wallS: seconds(begun), fired, tests: [...names], violations }
  }
}

function run(
  batch: Batch,
  order: Order,
  seed: number,
): { readonly ran: Passed; readonly violations: readonly string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-report-'))
  try {
    const report = join(folder, 'report.json')
    const { files, pattern } = batch
    const args = [
      join(ROOT, 'node_modules/vitest/vitest.mjs'),
      ...['run', ...files, ...(pattern === undefined ? [] : ['-t', pattern])],
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    ]
    const env = {
      ...process.env,
      MILLRACE_SEED: `${seed}`,
      // What this machine lacks fails, instead of being skipped.
      MILLRACE_REQUIRE: 'all',
      ...(order.size === 'long' && { MILLRACE_LONG: '1' }),
      ...serverOf(order.store),
    }
    const { status } = spawnSync(process.execPath, args, { cwd: ROOT, env, stdio: 'inherit' })
    const ended = status === 0 ? [] : [`its tests ended with ${status}`]
    if (!existsSync(report)) return { ran: {}, violations: [...ended, 'its tests left no report'] }
    // Vitest wrote it.
    const said = JSON.parse(readFileSync(report, 'utf8')) as Report
    return { ran: passed(said, batch), violations: [...ended, ...unrun(said, batch)] }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Where the tests find a server that was given by its URL. */
function serverOf(store: string): Readonly<Record<string, string>> {
  if (!store.includes(':')) return {}
  return { [kindOf(store) === 'mysql' ? 'MILLRACE_TEST_MYSQL_URL' : 'MILLRACE_TEST_POSTGRES_URL']: store }
}

function seconds(begun: number): number {
  return Math.round((now() - begun) / 1_000)
}
