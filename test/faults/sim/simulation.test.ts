/**
 * The real worker, client and store through thousands of simulated runs. A failing run prints its seed, what it takes to fail and
 * how it went; `npm run sim -- --seed …` runs it alone. MILLRACE_SEED is the first seed; the long form begins at a new one.
 */
import { expect, test } from 'vitest'
import { seedOf } from '../../support/random.ts'
import { HITS, runBatch, SOMETIMES } from './batch.ts'
import { planOf } from './plan.ts'
import { reportOf } from './report.ts'
import { simulate } from './simulation.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const RUNS = LONG ? 100_000 : 3_000
const TIMEOUT_MS = LONG ? 5_400_000 : 600_000
const REPLAYED = 200
/** Seeds that have failed, and what was wrong then. They stay. */
const HAVE_FAILED: readonly (readonly [seed: number, what: string])[] = [
  [0x19b20, 'a worker whose clock is fast was said to have dropped a lease too soon'],
  [0x2ad72, 'a supervisor that stood still before its first look at a worker was said to have killed that too soon'],
  [0x1cf86, 'a worker that was answered after a standstill, was said to have dropped a kept lease in vain'],
  [0x2c18e, 'a supervisor that was a little late killed a worker before it had read that this was awake again'],
  [0x2fb5d, 'the same, when all processes of a machine had stood still'],
]

test(
  `${RUNS.toLocaleString('en')} seeds: crashes and pauses of everybody, lost answers and operators break no invariant`,
  async () => {
    const first = seedOf(1)
    const { failed, seen } = await runBatch(first, RUNS)

    expect((await Promise.all(failed.map((outcome) => reportOf(outcome)))).join('\n\n')).toBe('')
    expect(SOMETIMES.filter((what) => seen[what] === undefined)).toEqual([])
    // Whatever anybody asks of the store, they have died and stood still at: a call that is not in the list would be missed.
    const atCalls = Object.keys(seen).filter((what) => HITS.some((hit) => what.startsWith(`${hit}: `)))
    expect(atCalls.filter((what) => !SOMETIMES.includes(what))).toEqual([])
  },
  TIMEOUT_MS,
)

test.for(HAVE_FAILED)('seed %i holds, where %s', async ([seed]) => {
  expect((await simulate(planOf(seed))).breaches).toEqual([])
})

test(
  `${REPLAYED} seeds give the same run each time, whatever ran before`,
  async () => {
    const seeds = Array.from({ length: REPLAYED }, (_, i) => 1 + i)
    const hashOf = async (seed: number) => (await simulate(planOf(seed))).hash

    const once: number[] = []
    for (const seed of seeds) once.push(await hashOf(seed))
    const again: number[] = []
    for (const seed of seeds.toReversed()) again.unshift(await hashOf(seed))

    expect(again).toEqual(once)
    expect(new Set(once).size).toBe(REPLAYED)
  },
  TIMEOUT_MS,
)
