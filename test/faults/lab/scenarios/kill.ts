/**
 * F-01: SIGKILL to random worker processes of one node at work, again and again. The supervisor starts them anew and takes back what
 * they held. The lease is so long that nobody else could: what runs again in time was recovered, not left to run out. Nobody is told
 * to stop here, so no kill comes upon an orderly end: each has to be told by the supervisor as the end of whom it was meant for.
 */
import { feed } from '../feed.ts'
import { Node, type NodeWorker } from '../node.ts'
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
const HIT_SHARE = 0.9
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
  runsAgain: true,
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
    const victims: NodeWorker[] = []
    const feeding = feed(lab, producer, { ...load, perS: PER_S, isOver: () => done >= kills })
    const [{ sent, sentPerS }] = await Promise.all([feeding, strike()])
    await lab.until('whoever was killed has a successor', () => node.workers.length === processes)
    const wrong = victims.flatMap(({ pid, workerId }) => {
      const told = node.ends.filter((each) => each.workerId === workerId && each.pid === pid).map(({ end }) => end)
      return told.join() === 'SIGKILL' ? [] : [`the end of ${workerId}, which was killed, was told as: ${told.join()}`]
    })
    // Whoever is picked is at work; what it ran may end in the moment until it is hit.
    const atWork = Math.floor(done * HIT_SHARE)
    return { fired: { kills: done, ends: node.ends.length }, wrong, atWork, figures: { sent, jobsPerS: sentPerS } }

    async function strike(): Promise<void> {
      while (done < kills) {
        // As fast as the machine allows: where starts take longer than the rest, nobody would be left, and one job would be hit again and again.
        await node.ready()
        await lab.rest(...restMs)
        const victim = await node.someBusy()
        node.kill(victim)
        victims.push(victim)
        done++
      }
    }
  },
}
