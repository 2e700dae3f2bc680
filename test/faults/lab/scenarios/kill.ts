/** F-01: SIGKILL to random workers, 4 processes × 5 slots, again and again. */

import { Fleet } from '../fleet.ts'
import type { Laboratory } from '../laboratory.ts'
import type { Scenario, Size } from '../scenario.ts'
import { makeEffectTable } from './effect-table.ts'

/** Jobs of each wave, of which the last few are parents of one more; so many of them commit their effect themselves. */
const SIZES: Readonly<
  Record<
    Size,
    {
      readonly workers: number
      readonly jobs: number
      readonly waves: number
      readonly killsPerWave: number
      readonly restMs: readonly [number, number]
    }
  >
> = {
  short: { workers: 3, jobs: 150, waves: 1, killsPerWave: 3, restMs: [50, 250] },
  long: { workers: 4, jobs: 500, waves: 10, killsPerWave: 5, restMs: [150, 800] },
}
const LONGEST_MS = 50
const PARENTS = 10
const COMMITTED = 0.05

/** The scenario. */
export const kill: Scenario = {
  name: 'kill',
  fault: 'F-01',
  summary: 'SIGKILL to random workers of 4 × 5 slots',
  isOfStore: true,
  leaseMs: { short: 1_200, long: 2_000 },
  hitsAtWork: true,
  // Thousands wait, and workers of a server fetch hundreds ahead: a job that was lost stands behind those.
  recoverWithinMs: 60_000,
  effectName: 'committed',
  async run(lab, size) {
    const { workers, waves, killsPerWave, restMs } = SIZES[size]
    await makeEffectTable(lab.url)
    const fleet = new Fleet(lab, workers)
    const producer = await lab.producer()
    await fleet.ready()
    let kills = 0
    for (let wave = 0; wave < waves; wave++) {
      const sent = send(lab, producer, SIZES[size].jobs)
      for (let blow = 0; blow < killsPerWave; blow++) {
        const before = lab.starts()
        await lab.rest(...restMs)
        if (blow === 0) await lab.until('work has begun', () => lab.starts() > before)
        // The first blow falls at whoever runs most: a run in which none hit anybody at work would prove nothing.
        await fleet.kill(blow === 0 ? fleet.busiest() : fleet.pick())
        kills++
      }
      await sent
    }
    return { fired: { kills }, wrong: [] }
  },
}

async function send(
  lab: Laboratory,
  producer: Awaited<ReturnType<Laboratory['producer']>>,
  jobs: number,
): Promise<void> {
  const committed = Math.ceil(jobs * COMMITTED)
  const inputs = (count: number) => Array.from({ length: count }, () => ({ ms: lab.between(1, LONGEST_MS) }))
  await producer.send({ kind: 'committed', inputs: inputs(committed) })
  await producer.send({ kind: 'work', inputs: inputs(jobs - committed - 1) })
  await producer.send({ kind: 'work', inputs: inputs(1), parents: PARENTS })
}
