/**
 * Makes a failing plan small: first the faults, then what people do, then the jobs, then the workers, each taken out in ever
 * smaller pieces as long as the run still fails. What is left is what it takes.
 */

import type { Fate, Plan } from './plan.ts'
import { breachKinds, type Outcome, type Plant, simulate } from './simulation.ts'

/** No more runs than this are made. */
const MOST_RUNS = 1_500
const SALTS = 4

/** The smallest plan that was found to break one of the invariants that `outcome` broke. */
export async function shrink(outcome: Outcome, plant: Plant = {}): Promise<Plan> {
  const wanted = breachKinds(outcome)
  let runs = 0
  const fails = async (plan: Plan): Promise<boolean> => {
    if (runs++ > MOST_RUNS) return false
    return breachKinds(await simulate(plan, plant)).some((kind) => wanted.includes(kind))
  }
  let plan = outcome.plan
  const attempt = async (smaller: Plan): Promise<boolean> => {
    if (!(await fails(smaller))) return false
    plan = smaller
    return true
  }
  /** The same, in a few other orders of what is left to chance: a run that lacks something is another run. */
  const attemptSalted = async (smaller: Plan): Promise<boolean> => {
    for (let salt = 0; salt < SALTS; salt++) if (await attempt({ ...smaller, salt })) return true
    return false
  }
  /** Takes items out in pieces, all of them at first, then ever fewer. */
  const thin = async <T>(items: (plan: Plan) => readonly T[], without: (kept: readonly T[]) => Plan) => {
    for (let size = items(plan).length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = 0; at < items(plan).length; ) {
        const all = items(plan)
        const isOut = await attemptSalted(without([...all.slice(0, at), ...all.slice(at + size)]))
        if (!isOut) at += size
      }
    }
  }

  const calls = ({ calls }: Plan) => Object.entries(calls ?? {}) as readonly (readonly [string, Fate])[]
  await attempt({ ...plan, calls: outcome.met })
  await attempt({ ...plan, hints: { lost: 0, doubled: 0 } })
  for (let size = Number.POSITIVE_INFINITY; sizeOf(plan) < size; ) {
    size = sizeOf(plan)
    if (plan.calls !== null) await thin(calls, (kept) => ({ ...plan, calls: Object.fromEntries(kept) }))
    await thin(
      ({ faults }) => faults,
      (faults) => ({ ...plan, faults }),
    )
    await thin(
      ({ acts }) => acts,
      (acts) => ({ ...plan, acts }),
    )
    await thin(
      ({ jobs }) => jobs,
      (jobs) => withJobs(plan, jobs),
    )
    while (plan.slots.length > 1) if (!(await attemptSalted(withoutLastSlot(plan)))) break
  }
  return plan
}

function sizeOf({ jobs, faults, acts, slots, calls }: Plan): number {
  return jobs.length + faults.length + acts.length + slots.length + Object.keys(calls ?? {}).length
}

/** With some of its jobs, which wait for none of the others. */
function withJobs(plan: Plan, jobs: Plan['jobs']): Plan {
  const left = new Set(jobs.map(({ n }) => n))
  return { ...plan, jobs: jobs.map((job) => ({ ...job, parents: job.parents.filter(({ n }) => left.has(n)) })) }
}

function withoutLastSlot(plan: Plan): Plan {
  const slots = plan.slots.slice(0, -1)
  return { ...plan, slots, faults: plan.faults.filter((fault) => !('slot' in fault) || fault.slot < slots.length) }
}
