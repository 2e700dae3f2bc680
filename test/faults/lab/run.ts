/** One run: the scenario, a quiet time, then the checker in a process of its own. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { startChild } from '../../support/child.ts'
import type { Built } from './built.ts'
import type { Verdict } from './checker/checker.ts'
import type { Question } from './checker/gather.ts'
import type { Quiet } from './checker/history.ts'
import type { Spread } from './checker/recovery.ts'
import { Laboratory } from './laboratory.ts'
import { now } from './ledgers.ts'
import type { Scenario, Seen, Size } from './scenario.ts'

/** A line of the file of results. */
export interface Result {
  readonly scenario: string
  readonly store: string
  readonly seed: number
  readonly runs: number
  readonly jobs: number
  readonly faults: number
  readonly lost: number
  readonly duplicated: number
  readonly explained: number
  readonly staleAccepted: number
  readonly staleRefused: number
  readonly stuck: number
  readonly maxRecoveryMs: number
  readonly wallS: number
  readonly commit: string
  /** How often each fault came about; of tests that are run as they are, what they counted beside jobs. */
  readonly fired: Readonly<Record<string, number>>
  /** Of tests that are run as they are, which passed, by file. They count jobs, and what is in `fired`; nothing else here is theirs. */
  readonly tests?: Readonly<Record<string, readonly string[]>>
  readonly figures: Readonly<Record<string, number>>
  /** What must not be, as sentences; empty: the run holds. */
  readonly violations: readonly string[]
}

/** What one run is made on. */
export interface RunOptions {
  readonly url: string
  readonly built: Built
  readonly seed: number
  readonly size: Size
  /** What a run that does not hold wrote down is kept, and said where. */
  readonly keepsLedgers?: true
  /** Hears when all has been brought about and done, and only the quiet time is left. */
  readonly onQuiet?: () => void
  /** Is told now and then how far a run has come. */
  readonly tell?: (line: string) => void
}

/** Beyond the lease: until a sweep has taken a job back, and somebody has claimed it; beside other tests a machine has less time. */
const RECOVER_MS: Readonly<Record<Size, number>> = { short: 15_000, long: 5_000 }
/** A poll, and the way of a claim that was under way; beside other tests that takes longer. */
const PAUSE_MS: Readonly<Record<Size, number>> = { short: 400, long: 120 }
const QUIET_MS = 30_000
const LEASES = 3
const MOST_LEASE_MS = 3_000
const TELL_MS = 15_000
const HIT_AT_WORK = 'hit at work'

/**
 * How long no fault is brought about before a run is judged: three leases, and half a minute more in a long run. A lease that is so
 * long that nobody takes back by it, as short runs of some scenarios have it, counts there like the longest of the others.
 */
export function quietMs(leaseMs: number, size: Size): number {
  return size === 'long' ? LEASES * leaseMs + QUIET_MS : LEASES * Math.min(leaseMs, MOST_LEASE_MS)
}

/** Runs a scenario once and judges it. */
export async function runOnce(
  scenario: Scenario,
  { url, built, seed, size, keepsLedgers, tell, onQuiet }: RunOptions,
): Promise<Result> {
  const leaseMs = scenario.leaseMs[size]
  const lab = new Laboratory({ url, built, seed, leaseMs })
  const begun = now()
  let isKept = false
  const told = tell === undefined ? undefined : setInterval(() => tell(progressOf(scenario, lab, begun)), TELL_MS)
  try {
    // The tables are there before anybody works.
    await lab.mill()
    const seen = await scenario.run(lab, size)
    await lab.drained(LEASES * leaseMs + QUIET_MS)
    onQuiet?.()
    const quiet = await rested(lab, quietMs(leaseMs, size))
    const { holdings } = lab
    await lab.quiet()
    await lab.stop()
    const verdict = await judged(built, {
      url,
      folder: lab.folder,
      leaseMs,
      quiet,
      holdings,
      uncaught: scenario.leavesErrors === true ? [] : await lab.uncaught(),
      pauseWithinMs: PAUSE_MS[size],
      recoverWithinMs: scenario.recoverWithinMs?.[size] ?? leaseMs + RECOVER_MS[size],
      ...(scenario.talkative !== undefined && { talkative: scenario.talkative }),
      ...(scenario.effectName !== undefined && { effectName: scenario.effectName }),
      ...(scenario.keys !== undefined && { keys: JSON.parse(scenario.keys) }),
      ...(seen.canary !== undefined && { canary: seen.canary }),
    })
    const result = resultOf(scenario, lab.kind, seed, (now() - begun) / 1_000, seen, verdict)
    isKept = keepsLedgers === true && result.violations.length > 0
    if (isKept) console.log(`ledgers: ${lab.folder}`)
    return result
  } finally {
    clearInterval(told)
    await lab.stop()
    if (!isKept) lab.remove()
  }
}

/** Nothing happens: time itself is what is waited for. A process that was stopped notices that a moment after it goes on. */
async function rested(lab: Laboratory, leastMs: number): Promise<Quiet> {
  await lab.until('the last fault is over', () => now() > lab.overAt)
  const from = now()
  await lab.until('the quiet time is over', () => now() - from >= leastMs, 2 * leastMs + QUIET_MS)
  return { from, to: now(), leastMs }
}

function progressOf({ name }: Scenario, lab: Laboratory, begun: number): string {
  const { starts, ends } = lab.tally()
  const seconds = Math.round((now() - begun) / 1_000)
  return `${name} on ${lab.kind}, ${seconds} s: ${starts} handlers begun, ${ends} ended, ${lab.noted} faults`
}

async function judged({ library }: Built, question: Question): Promise<Verdict> {
  const ends: (() => Promise<void>)[] = []
  const file = join(import.meta.dirname, 'checker/check-run.ts')
  const checker = startChild(file, [JSON.stringify(question)], (end) => ends.push(end), {
    env: { MILLRACE_LAB_LIBRARY: library },
  })
  try {
    const line = await checker.line('verdict ')
    return JSON.parse(line.slice('verdict '.length))
  } finally {
    for (const end of ends) await end()
  }
}

function resultOf(
  scenario: Scenario,
  store: string,
  seed: number,
  wallS: number,
  seen: Seen,
  verdict: Verdict,
): Result {
  const { violations, hitAtWork, stalls, again, claimable, ...counts } = verdict
  const fired = {
    ...seen.fired,
    ...(scenario.hitsAtWork === true && { [HIT_AT_WORK]: hitAtWork }),
    ...(scenario.runsAgain === true && { 'ran again': again.count }),
  }
  return {
    scenario: scenario.name,
    store,
    seed,
    runs: 1,
    ...counts,
    staleRefused: counts.staleRefused + (seen.refused ?? 0),
    wallS: Math.round(wallS * 10) / 10,
    commit: commit(),
    fired,
    figures: { ...seen.figures, stalls, ...spreadOf('again', again), ...spreadOf('claimable', claimable) },
    violations: [
      ...silentFaults(fired, seen.atWork),
      ...seen.wrong,
      ...violations.map(({ invariant, text }) => `${invariant}: ${text}`),
    ],
  }
}

/** What a run does not prove anything of, since it did not come about, or too seldom. */
export function silentFaults(fired: Readonly<Record<string, number>>, atWork = 1): readonly string[] {
  return Object.entries(fired).flatMap(([fault, times]) => {
    if (times === 0) return [`its fault did not fire: ${fault}`]
    const isTooSeldom = fault === HIT_AT_WORK && times < atWork
    return isTooSeldom ? [`only ${times} ended processes had a handler under way, ${atWork} were to`] : []
  })
}

function spreadOf(name: string, { count, p50Ms, p99Ms, maxMs }: Spread): Readonly<Record<string, number>> {
  return count === 0
    ? {}
    : { [`${name}Count`]: count, [`${name}P50Ms`]: p50Ms, [`${name}P99Ms`]: p99Ms, [`${name}MaxMs`]: maxMs }
}

/** A result without figures: of tests that only hold or not, or of a run that could not be made. */
export function emptyResult(scenario: string, store: string, seed: number, violation?: string): Result {
  return {
    scenario,
    store,
    seed,
    runs: 1,
    jobs: 0,
    faults: 0,
    lost: 0,
    duplicated: 0,
    explained: 0,
    staleAccepted: 0,
    staleRefused: 0,
    stuck: 0,
    maxRecoveryMs: 0,
    wallS: 0,
    commit: commit(),
    fired: {},
    figures: {},
    violations: violation === undefined ? [] : [violation],
  }
}

/** Two results of one scenario and store as one. */
export function together(a: Result, b: Result): Result {
  const sum = (of: (result: Result) => number) => of(a) + of(b)
  const merged = (
    one: Readonly<Record<string, number>>,
    other: Readonly<Record<string, number>>,
    how: (x: number, y: number) => number,
  ) =>
    Object.fromEntries(
      [...new Set([...Object.keys(one), ...Object.keys(other)])].map((key) => [
        key,
        how(one[key] ?? 0, other[key] ?? 0),
      ]),
    )
  return {
    ...a,
    runs: sum(({ runs }) => runs),
    jobs: sum(({ jobs }) => jobs),
    faults: sum(({ faults }) => faults),
    lost: sum(({ lost }) => lost),
    duplicated: sum(({ duplicated }) => duplicated),
    explained: sum(({ explained }) => explained),
    staleAccepted: sum(({ staleAccepted }) => staleAccepted),
    staleRefused: sum(({ staleRefused }) => staleRefused),
    stuck: sum(({ stuck }) => stuck),
    maxRecoveryMs: Math.max(a.maxRecoveryMs, b.maxRecoveryMs),
    wallS: Math.round(sum(({ wallS }) => wallS) * 10) / 10,
    fired: merged(a.fired, b.fired, (x, y) => x + y),
    figures: merged(a.figures, b.figures, Math.max),
    violations: [...a.violations, ...b.violations],
  }
}

let known: string | undefined

/** The commit of these sources, as far as it is known. */
function commit(): string {
  try {
    known ??= execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .toString()
      .trim()
  } catch {
    // A package without its history has no commit.
    known = 'unknown'
  }
  return known
}
