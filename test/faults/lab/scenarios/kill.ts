/**
 * F-01: SIGKILL to random worker processes of one node at work, again and again. The supervisor starts them anew and takes back what
 * they held. The lease is so long that nobody else could: what runs again in time was recovered, not left to run out.
 */
import { feed } from '../feed.ts'
import { Node } from '../node.ts'
import type { Scenario, Size } from '../scenario.ts'
import { makeEffectTable } from './effect-table.ts'

const SIZES: Readonly<
  Record<
    Size,
    {
      readonly processes: number
      readonly kills: number
      readonly jobs: number
      readonly ahead: number
      readonly batch: number
      readonly longestMs: number
      readonly restMs: readonly [number, number]
    }
  >
> = {
  short: { processes: 3, kills: 2, jobs: 150, ahead: 60, batch: 50, longestMs: 100, restMs: [50, 200] },
  long: { processes: 4, kills: 1_000, jobs: 100_000, ahead: 200, batch: 100, longestMs: 60, restMs: [150, 450] },
}
const SLOTS = 5
/** More than 100,000 in ten minutes. */
const PER_S = 200

/** The scenario. */
export const kill: Scenario = {
  name: 'kill',
  fault: 'F-01',
  summary: 'SIGKILL to random workers at work, 4 × 5 slots under a supervisor',
  isOfStore: true,
  leaseMs: { short: 60_000, long: 30_000 },
  hitsAtWork: true,
  // Beside other tests a process takes seconds to start.
  recoverWithinMs: { short: 20_000, long: 2_000 },
  effectName: 'committed',
  async run(lab, size) {
    const { processes, kills, restMs, ...load } = SIZES[size]
    await makeEffectTable(lab.url)
    const node = new Node(lab, { processes, concurrency: SLOTS })
    const producer = await lab.producer()
    await node.ready()
    let done = 0
    const feeding = feed(lab, producer, { ...load, perS: PER_S, isOver: () => done >= kills })
    const [{ sent, sentPerS }] = await Promise.all([feeding, strike()])
    await lab.until('whoever was killed has a successor', () => node.workers.length === processes)
    return { fired: { kills: done, ends: node.ends.length }, wrong: [], figures: { sent, jobsPerS: sentPerS } }

    async function strike(): Promise<void> {
      while (done < kills) {
        // As fast as the machine allows: where starts take longer than the rest, nobody would be left, and one job would be hit again and again.
        await node.ready()
        await lab.rest(...restMs)
        node.kill(await node.someBusy())
        done++
      }
    }
  },
}
