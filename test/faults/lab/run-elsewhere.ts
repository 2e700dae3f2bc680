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

/** What Vitest's JSON report says, as far as it is read. `meta.tally`: see test/support/tally.ts. */
export interface Report {
  readonly testResults: readonly { readonly name: string; readonly assertionResults: readonly ReportedTest[] }[]
}

interface ReportedTest {
  readonly fullName: string
  readonly status: string
  readonly meta?: { readonly tally?: Counts }
}

/** What tests counted, by name. */
type Counts = Readonly<Record<string, number>>

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
export function unrun(report: Report, batch: Batch): readonly string[] {
  return batch.files.flatMap((file) => {
    const meant = testsOf(report, file, batch)
    if (!meant.some(({ status }) => status === 'passed')) return [`none of its tests passed in ${file}`]
    return meant.flatMap(({ fullName, status }) => (status === 'passed' ? [] : [`${status}: ${fullName}`]))
  })
}

/** The full names of tests that were to run and passed, by file. */
export function passed(report: Report, batch: Batch): Passed {
  return Object.fromEntries(
    batch.files.map((file) => {
      const ran = testsOf(report, file, batch).filter(({ status }) => status === 'passed')
      return [file, ran.map(({ fullName }) => fullName)]
    }),
  )
}

/** What its tests have counted, summed up over all files. */
export function counted(report: Report, batch: Batch): Counts {
  return sumOf(batch.files.map((file) => countsOf(report, file, batch)))
}

/** What proves nothing: a file whose tests have counted nothing, and each of its counts that is none. */
export function uncounted(report: Report, batch: Batch): readonly string[] {
  return batch.files.flatMap((file) => {
    const counts = Object.entries(countsOf(report, file, batch))
    if (counts.length === 0) return [`nothing was counted in ${file}`]
    return counts.flatMap(([name, count]) => (count > 0 ? [] : [`its tests came upon no ${name} in ${file}`]))
  })
}

function testsOf({ testResults }: Report, file: string, { pattern = '' }: Batch): readonly ReportedTest[] {
  const isMeant = new RegExp(pattern)
  const tests = testResults.find(({ name }) => name.endsWith(`/${file}`))?.assertionResults ?? []
  return tests.filter(({ fullName }) => isMeant.test(fullName))
}

function countsOf(report: Report, file: string, batch: Batch): Counts {
  return sumOf(testsOf(report, file, batch).map(({ meta }) => meta?.tally ?? {}))
}

function sumOf(all: readonly Counts[]): Counts {
  const sums: Record<string, number> = {}
  for (const [name, count] of all.flatMap((counts) => Object.entries(counts))) sums[name] = (sums[name] ?? 0) + count
  return sums
}

/**
 * Runs of these tests, each with the next seed, until the time is over or one does not hold. What they counted is told as `jobs` and
 * `fired`, which of them passed as `tests`.
 */
export function repeatElsewhere(tests: Elsewhere, order: Order, kind: StoreKind): Result {
  const begun = now()
  const end = begun + order.minutes * MINUTE_MS
  let sums: Counts = {}
  let ran: Passed = {}
  for (let runs = 1; ; runs++) {
    const seed = order.seed + runs - 1
    const outcomes = batchesOf(tests, kind).map((batch) => run(batch, order, seed))
    sums = sumOf([sums, ...outcomes.map(({ counts }) => counts)])
    // The same tests run each time.
    ran = Object.assign({}, ran, ...outcomes.map(({ ran }) => ran))
    const violations = outcomes.flatMap((outcome) => outcome.violations)
    const isOver = violations.length > 0 || now() >= end
    // The seed of a run that does not hold is the one to run again.
    const result = emptyResult(tests.name, kind, violations.length > 0 ? seed : order.seed)
    const { jobs = 0, ...fired } = sums
    if (isOver) return { ...result, runs, jobs, wallS: seconds(begun), fired, tests: ran, violations }
  }
}

interface Outcome {
  readonly ran: Passed
  readonly counts: Counts
  readonly violations: readonly string[]
}

function run(batch: Batch, order: Order, seed: number): Outcome {
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
    if (!existsSync(report)) return { ran: {}, counts: {}, violations: [...ended, 'its tests left no report'] }
    // Vitest wrote it.
    const said = JSON.parse(readFileSync(report, 'utf8')) as Report
    return {
      ran: passed(said, batch),
      counts: counted(said, batch),
      violations: [...ended, ...unrun(said, batch), ...uncounted(said, batch)],
    }
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
