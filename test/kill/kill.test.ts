/** SIGKILL at any moment, prefetched jobs and unsettled outcomes included: nothing is lost, stuck or run again without a record. */
import { expect, test } from 'vitest'
import { seedOf } from '../support/random.ts'
import { tempStoreUrl } from '../support/temp-store.ts'
import { killRun, type Seen, together } from './kill-run.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const RUNS = LONG ? 20 : 1
const SIZES = { ...(LONG ? { jobs: 5_000, blows: 50 } : { jobs: 300, blows: 6 }), workers: 4, longestMs: 6 }

test(
  `${RUNS} × ${SIZES.jobs} jobs, ${SIZES.blows} times SIGKILL to one of ${SIZES.workers} workers`,
  async () => {
    const seed = seedOf(11)
    const runs: Seen[] = []
    for (let run = 0; run < RUNS; run++) {
      runs.push(await killRun(`${tempStoreUrl()}?durability=normal`, SIZES, seed + run))
    }

    const seen = together(runs)
    if (LONG) console.log(JSON.stringify({ runs: RUNS, ...seen }))
    expect(seen.kills).toBe(RUNS * SIZES.blows)
    // A run in which no kill hit anybody at work would prove nothing.
    expect(seen.losses).toBeGreaterThan(0)
  },
  LONG ? 3_600_000 : 120_000,
)
