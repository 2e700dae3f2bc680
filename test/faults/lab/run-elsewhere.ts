/** Runs tests that stand for a fault as they are, in a Vitest of their own, and reads from its report whether they ran at all. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
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

/** Runs of these tests, each with the next seed, until the time is over or one does not hold. */
export function repeatElsewhere(tests: Elsewhere, order: Order, kind: StoreKind): Result {
  const begun = now()
  const end = begun + order.minutes * MINUTE_MS
  let runs = 0
  do {
    const seed = order.seed + runs++
    const violations = batchesOf(tests, kind).flatMap((batch) => faultsOf(batch, order, seed))
    if (violations.length > 0)
      return { ...emptyResult(tests.name, kind, seed), runs, wallS: seconds(begun), violations }
  } while (now() < end)
  return { ...emptyResult(tests.name, kind, order.seed), runs, wallS: seconds(begun) }
}

function faultsOf(batch: Batch, order: Order, seed: number): readonly string[] {
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
    if (status !== 0) return [`its tests ended with ${status}`]
    // Vitest wrote it.
    return unrun(JSON.parse(readFileSync(report, 'utf8')) as Report, batch)
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
