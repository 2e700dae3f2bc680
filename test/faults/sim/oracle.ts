/** The judge of a run: holds what was seen from outside against the invariants, numbered as in the reliability plan. */
import type { Evidence, Law } from './evidence.ts'
import { wholeCancels } from './laws-of-acts.ts'
import {
  attemptHonesty,
  checkpointsOfOwners,
  oneStartToALease,
  resultsOfOwners,
  singleOwner,
  truthfulEvents,
} from './laws-of-attempts.ts'
import { conservation, dependencies, durability, noInvention, noUnaskedCancel, uniqueness } from './laws-of-jobs.ts'
import { explainedKills, killsTheDeaf } from './laws-of-kills.ts'
import { explainedGivingUp, explainedLosses, explainedReturns } from './laws-of-losses.ts'
import { drains, orphansEnd, recoversAtOnce, resumes, stops } from './laws-of-progress.ts'

const LAWS: readonly Law[] = [
  durability,
  noInvention,
  oneStartToALease,
  explainedGivingUp,
  explainedLosses,
  explainedKills,
  killsTheDeaf,
  explainedReturns,
  resultsOfOwners,
  checkpointsOfOwners,
  singleOwner,
  truthfulEvents,
  dependencies,
  uniqueness,
  noUnaskedCancel,
  wholeCancels,
  conservation,
  drains,
  resumes,
  recoversAtOnce,
  orphansEnd,
  stops,
  attemptHonesty,
]

/** Every breach of an invariant, as sentences. Empty: all is well. */
export function breachesOf(evidence: Evidence): readonly string[] {
  return [...evidence.wire.faults, ...LAWS.flatMap((law) => law(evidence))]
}
