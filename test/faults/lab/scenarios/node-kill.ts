/** F-01: every process of a node is killed at once, its supervisor too, while another node lives: that one takes over when the leases end. */
import { feed } from '../feed.ts'
import { Node } from '../node.ts'
import type { Scenario, Size } from '../scenario.ts'
import { makeEffectTable } from './effect-table.ts'

const SIZES: Readonly<
  Record<
    Size,
    {
      readonly kills: number
      readonly jobs: number
      readonly ahead: number
      readonly batch: number
      readonly longestMs: number
      readonly restMs: readonly [number, number]
    }
  >
> = {
  short: { kills: 1, jobs: 100, ahead: 60, batch: 50, longestMs: 300, restMs: [50, 200] },
  long: { kills: 100, jobs: 10_000, ahead: 200, batch: 100, longestMs: 100, restMs: [500, 2_500] },
}
const NODES = 2
const PROCESSES = 2
const SLOTS = 5
const PER_S = 200

/** The scenario. */
export const nodeKill: Scenario = {
  name: 'node-kill',
  fault: 'F-01',
  summary: 'SIGKILL to a whole node, supervisor and workers; another lives',
  leaseMs: { short: 1_500, long: 2_000 },
  hitsAtWork: true,
  runsAgain: true,
  effectName: 'committed',
  async run(lab, size) {
    const { kills, restMs, ...load } = SIZES[size]
    await makeEffectTable(lab.url)
    const start = () => new Node(lab, { processes: PROCESSES, concurrency: SLOTS })
    const nodes = Array.from({ length: NODES }, start)
    const producer = await lab.producer()
    await Promise.all(nodes.map((node) => node.ready()))
    let done = 0
    const feeding = feed(lab, producer, { ...load, perS: PER_S, isOver: () => done >= kills })
    const [{ sent, sentPerS }] = await Promise.all([feeding, strike()])
    return { fired: { kills: done }, wrong: [], figures: { sent, jobsPerS: sentPerS } }

    async function strike(): Promise<void> {
      for (; done < kills; done++) {
        await lab.rest(...restMs)
        const at = lab.between(0, NODES)
        const node = nodes[at] ?? start()
        await node.someBusy()
        await node.killAll()
        const successor = start()
        nodes[at] = successor
        // The other one is not killed before this one lives.
        if (done + 1 < kills) await successor.ready()
      }
    }
  },
}
