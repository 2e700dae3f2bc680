/** The judge of a run: holds what was seen from outside against the invariants, numbered as in the reliability plan. */
import type { Evidence, Law } from './evidence.ts'
import {
  attemptHonesty,
  checkpointsOfOwners,
  oneStartToALease,
  resultsOfOwners,
  singleOwner,
  truthfulEvents,
} from './laws-of-attempts.ts'
import { conservation, dependencies, durability, noInvention, noUnaskedCancel, uniqueness } from './laws-of-jobs.ts'
import { explainedGivingUp, explainedKills, explainedLosses, explainedReturns } from './laws-of-losses.ts'
import { drains, recoversAtOnce, resumes, stops } from './laws-of-progress.ts'

const LAWS: readonly Law[] = [
  durability,
  noInvention,
  oneStartToALease,
  explainedGivingUp,
  explainedLosses,
  explainedKills,
  explainedReturns,
  resultsOfOwners,
  checkpointsOfOwners,
  singleOwner,
  truthfulEvents,
  dependencies,
  uniqueness,
  noUnaskedCancel,
  conservation,
  drains,
  resumes,
  recoversAtOnce,
  stops,
  attemptHonesty,
]

/** Every breach of an invariant, as sentences. Empty: all is well. */
export function breachesOf(evidence: Evidence): readonly string[] {
  return [...evidence.wire.faults, ...LAWS.flatMap((law) => law(evidence))]
}
