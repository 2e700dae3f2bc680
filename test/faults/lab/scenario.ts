/** What a scenario is: faults brought about on a laboratory, in two sizes. */
import type { StoreKind } from '../../support/tables.ts'
import type { Canary } from './checker/history.ts'
import type { Laboratory } from './laboratory.ts'

/** `short` takes seconds, for every change; `long` is what a figure is taken from. */
export type Size = 'short' | 'long'

/** What a run of a scenario has to tell beside its ledgers. */
export interface Seen {
  /** How often each fault of the scenario came about. One that did not fails the run: it would prove nothing. */
  readonly fired: Readonly<Record<string, number>>
  /** What was wrong that the ledgers do not show. */
  readonly wrong: readonly string[]
  /** Words of stale attempts that were refused and are in no ledger. */
  readonly refused?: number
  /** So many of the ended processes must have had a handler under way, default one where the scenario hits at work. */
  readonly atWork?: number
  readonly canary?: Canary
  /** Figures worth telling, in milliseconds or counts. */
  readonly figures?: Readonly<Record<string, number>>
}

/** A kind of fault with its load. */
export interface Scenario {
  readonly name: string
  /** Its number in the catalogue of faults. */
  readonly fault: string
  readonly summary: string
  /** The stores that it can be run on, default all. */
  readonly stores?: readonly StoreKind[]
  /** What the store does decides it, so its short form is run on each, too; any other only on SQLite. */
  readonly isOfStore?: true
  readonly leaseMs: Readonly<Record<Size, number>>
  /** Ends processes: one of them at least must have had a handler under way. */
  readonly hitsAtWork?: true
  /** Ends processes so that what they held has to run again: none that did would prove nothing of how soon. */
  readonly runsAgain?: true
  /** How long a job may take to run again after its process was ended; default the lease and 5 s. */
  readonly recoverWithinMs?: Readonly<Record<Size, number>>
  /** Handlers of it leave errors that nothing catches. */
  readonly leavesErrors?: true
  /** Kinds of jobs whose logs the checker reads. */
  readonly talkative?: readonly string[]
  /** Jobs of this kind write to the user's table. */
  readonly effectName?: string
  /** What rows are sealed with. */
  readonly keys?: string
  run(lab: Laboratory, size: Size): Promise<Seen>
}
