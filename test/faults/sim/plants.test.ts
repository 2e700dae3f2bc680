/** Whether the simulation bites: bugs of other job systems, planted one at a time, each to be found within 5,000 seeds. */
import { expect, test } from 'vitest'
import { planOf } from './plan.ts'
import { PLANTED, type PlantedBug } from './plants.ts'
import { shrink } from './shrink.ts'
import { breachKinds, simulate } from './simulation.ts'

const MOST_SEEDS = 5_000
/** The failing run before it takes the jobs that are waiting, too. */
const FIRST_TO_SHRINK = 5
const TIMEOUT_MS = 300_000

test.each(PLANTED)(
  'is found: a store or a worker that $name',
  async (bug) => {
    const found = await search(bug)

    console.log(`${String(found?.seed ?? 'none').padStart(5)} seeds: ${bug.name}: ${found?.breach ?? 'not found'}`)
    expect(found, `not found within ${MOST_SEEDS} seeds`).toBeDefined()
  },
  TIMEOUT_MS,
)

test(
  'a failing run shrinks to the few jobs, faults and workers that it takes',
  async () => {
    const bug = PLANTED.find(({ name }) => name.startsWith('requeues by delete'))
    const { outcome } = (bug && (await search(bug, FIRST_TO_SHRINK))) ?? {}
    if (bug === undefined || outcome === undefined) throw new Error('the bug was not found')

    const small = await shrink(outcome, bug)
    const again = await simulate(small, bug)

    expect(breachKinds(again)).toContain('I1')
    expect(small.jobs.length).toBeLessThanOrEqual(3)
    expect(small.faults.length + Object.keys(small.calls ?? {}).length).toBeLessThanOrEqual(2)
    expect(small.slots).toHaveLength(1)
  },
  TIMEOUT_MS,
)

/** The first seed whose run breaks what the bug has to break. */
async function search(bug: PlantedBug, first = 1) {
  for (let seed = first; seed <= MOST_SEEDS; seed++) {
    const outcome = await simulate(planOf(seed), bug)
    const breach = outcome.breaches.find((each) => bug.breaks.test(each))
    if (breach !== undefined) return { seed, breach, outcome }
  }
  return undefined
}
