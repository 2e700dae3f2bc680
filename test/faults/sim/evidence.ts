/** All that is known when a run is over, and how to look things up in it. */
import type { JobRow } from '../../../src/store/contract/index.ts'
import type { WorkResult } from './handlers.ts'
import type { Effect, Fault, Ledgers } from './ledgers.ts'
import type { Life } from './lives.ts'
import type { Plan } from './plan.ts'
import type { Wire } from './wire.ts'
import { type Actor, EVERY_SLOT } from './world.ts'

/** A row of the store, and what was read from its bytes. */
export interface EndRow {
  readonly row: JobRow
  /** The number that its payload holds. */
  readonly n: number
  readonly result: WorkResult | null
  /** The fence that its checkpoint names; null: it has none. */
  readonly checkpoint: number | null
}

/** A run that is over. Times are the world's, but for those in rows, which are the store's. */
export interface Evidence {
  readonly plan: Plan
  readonly ledgers: Ledgers
  readonly wire: Wire
  /** Every row that is in the store at the end, read by its public reads. */
  readonly rows: readonly EndRow[]
  /** What the store itself counts, by state. */
  readonly counts: Readonly<Record<string, number>>
  readonly healedAt: number
  /** Whether jobs could be claimed when the faults ended. */
  readonly hadWork: boolean
  /** When nothing was left to do; null: it never was. */
  readonly drainedAt: number | null
  /** The supervisor of each worker that had one. */
  readonly supervisorOf: ReadonlyMap<Actor, Actor>
  /** The workers that did not stop when they were told to. */
  readonly unstopped: readonly Actor[]
  /** Timers that stopped processes left behind. */
  readonly leftTimers: number
}

/** Finds a breach of an invariant: one sentence each. */
export type Law = (evidence: Evidence) => readonly string[]

/** The faults that hit a process (or everybody) between two instants. */
export function faultsBetween(
  { ledgers }: Evidence,
  process: Actor,
  from: number,
  to: number,
  isMeant: (fault: Fault) => boolean,
): readonly Fault[] {
  return ledgers.faults.filter((fault) => {
    const isOwn = fault.actor === process || fault.slot === EVERY_SLOT
    return isOwn && fault.from <= to && fault.to >= from && isMeant(fault)
  })
}

/** An instant as it is written. */
export function seconds(ms: number): string {
  return (ms / 1000).toFixed(4)
}

/** Each job's runs, in the order in which they began. */
export function effectsByJob({ ledgers }: Evidence): ReadonlyMap<number, readonly Effect[]> {
  return Map.groupBy(ledgers.effects, ({ n }) => n)
}

/** What went over the wire about a job. */
export function lifeOf({ wire }: Evidence, { row }: EndRow): Life {
  return wire.life(row.id)
}
