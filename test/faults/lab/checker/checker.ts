/**
 * The oracle: judges a run by its ledgers and by what the store has on record, and knows nothing of how either came about.
 * Each invariant is one function; checker.test.ts shows a history for each that breaks it and nothing else.
 */
import type { History } from './history.ts'
import { deathOf, deathsOf, runsOf } from './history.ts'
import { hurtNeighbours, outOfOrder, wrongEffects } from './order.ts'
import { startedInPause } from './pauses.ts'
import { disturbances } from './quiet.ts'
import { dishonest, invented, lostOrStuck, miscounted, staleAccepted, staleTries } from './records.ts'
import { recoveries, type Spread } from './recovery.ts'
import { leftOver } from './resources.ts'
import { overlaps, tooManyStarts, unexplainedStarts } from './starts.ts'

/** The invariants of RELIABILITY §3.1 that these runs can break. */
export type Invariant =
  | 'I1'
  | 'I2'
  | 'I3'
  | 'I4'
  | 'I5'
  | 'I6'
  | 'I7'
  | 'I9'
  | 'I10'
  | 'I12'
  | 'I13'
  | 'I14'
  | 'I15'
  | 'I16'

/** Something that must not be. */
export interface Violation {
  readonly invariant: Invariant
  readonly text: string
}

/** What a run came to. */
export interface Verdict {
  readonly violations: readonly Violation[]
  readonly jobs: number
  readonly faults: number
  /** How often a process or the store stood still with nobody having brought that about: a busy machine. */
  readonly stalls: number
  readonly lost: number
  /** Starts after the first one of a job. */
  readonly duplicated: number
  readonly explained: number
  readonly staleAccepted: number
  readonly staleRefused: number
  readonly stuck: number
  readonly maxRecoveryMs: number
  /** From the end of a process until what it held began again, and until the store had it back. */
  readonly again: Spread
  readonly claimable: Spread
  /** Killed or ended processes that had a handler under way. */
  readonly hitAtWork: number
}

/** Judges a run. */
export function judge(history: History): Verdict {
  const { lost, stuck } = lostOrStuck(history)
  const starts = unexplainedStarts(history)
  const recovered = recoveries(history)
  const stale = staleAccepted(history)
  const found: readonly (readonly [Invariant, readonly string[]])[] = [
    ['I1', [...lost, ...stuck]],
    ['I2', invented(history)],
    ['I3', tooManyStarts(history)],
    ['I4', starts.faults],
    ['I5', stale],
    ['I6', overlaps(history)],
    ['I7', wrongEffects(history)],
    ['I9', startedInPause(history)],
    ['I10', outOfOrder(history)],
    ['I12', miscounted(history)],
    ['I13', [...recovered.faults, ...disturbances(history)]],
    ['I14', dishonest(history)],
    ['I15', hurtNeighbours(history)],
    ['I16', leftOver(history)],
  ]
  const runs = [...runsOf(history).values()]
  return {
    violations: found.flatMap(([invariant, texts]) => texts.map((text) => ({ invariant, text }))),
    jobs: history.jobs.length,
    faults: history.faults.filter(({ kind }) => kind !== 'stall').length,
    stalls: history.faults.filter(({ kind }) => kind === 'stall').length,
    lost: lost.length,
    duplicated: runs.reduce((sum, all) => sum + all.length - 1, 0),
    explained: starts.explained,
    staleAccepted: stale.length,
    staleRefused: staleTries(history).filter(({ answer }) => answer === 'refused').length,
    stuck: stuck.length,
    maxRecoveryMs: Math.round(recovered.longestMs),
    again: recovered.again,
    claimable: recovered.claimable,
    hitAtWork: hitAtWork(history),
  }
}

function hitAtWork(history: History): number {
  const deaths = deathsOf(history.faults)
  const cut = [...runsOf(history).values()].flat().filter(({ end }) => end === null)
  return new Set(cut.flatMap((run) => deathOf(deaths, run) ?? [])).size
}
