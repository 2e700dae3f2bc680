/** SIGKILL of workers and of their sessions with a server: nothing is lost, stuck or run again without a record. */
import { expect, test } from 'vitest'
import { outsiderOn } from '../support/outsider.ts'
import { seedOf } from '../support/random.ts'
import { describeOn, freshStoreUrl, SERVER_KINDS } from '../support/servers.ts'
import { killRun, type Seen, together } from './kill-run.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const RUNS = LONG ? 10 : 1
const SIZES = LONG
  ? { jobs: 5_000, blows: 50, workers: 3, longestMs: 6 }
  : { jobs: 240, blows: 6, workers: 3, longestMs: 200 }

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    test(
      `${RUNS} × ${SIZES.jobs} jobs, ${SIZES.blows} blows: a worker killed, or every session ended`,
      async () => {
        const seed = seedOf(17)
        const runs: Seen[] = []
        for (let run = 0; run < RUNS; run++) {
          const url = await freshStoreUrl(server)
          const outsider = await outsiderOn(url)
          runs.push(await killRun(url, SIZES, seed + run, () => outsider.endOthers()))
        }

        const seen = together(runs)
        if (LONG) console.log(JSON.stringify({ kind, runs: RUNS, ...seen }))
        expect(seen.kills).toBe((RUNS * SIZES.blows) / 2)
        expect(seen.ended).toBeGreaterThan(0)
        // Runs in which no blow hit anybody at work would prove nothing.
        expect(seen.losses).toBeGreaterThan(0)
      },
      LONG ? 3_600_000 : 180_000,
    )
  })
}
