/**
 * F-26: the disk of a file is full, again and again, while producers and the workers of a node go on; then there is room again. The
 * store is to stand on a disk of its own, which is small.
 */
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fillDisk } from '../../../support/mounted-disk.ts'
import { pathOf } from '../../../support/tables.ts'
import { feed } from '../feed.ts'
import { now, readLedger } from '../ledgers.ts'
import { Node } from '../node.ts'
import type { Scenario, Size } from '../scenario.ts'

const SIZES: Readonly<Record<Size, { readonly fills: number; readonly restMs: readonly [number, number] }>> = {
  short: { fills: 2, restMs: [100, 400] },
  // Some last longer than a lease.
  long: { fills: 200, restMs: [100, 3_000] },
}
const PROCESSES = 2
const LOAD = { jobs: 0, ahead: 40, batch: 20, longestMs: 20, perS: 40 } as const
/** From the moment when there is room again to the first handler that ends. */
const RESUME_MS: Readonly<Record<Size, number>> = { short: 20_000, long: 10_000 }
/** Until heartbeats that failed are answered again. */
const NOTICE_MS = 1_000

/** The scenario. */
export const fullDisk: Scenario = {
  name: 'full-disk',
  fault: 'F-26',
  summary: 'a disk that is full while a node works, and has room again',
  stores: ['sqlite'],
  leaseMs: { short: 2_000, long: 2_000 },
  async run(lab, size) {
    const { fills, restMs } = SIZES[size]
    const producer = await lab.producer()
    const node = new Node(lab, { processes: PROCESSES })
    await node.ready()
    const balloon = join(dirname(pathOf(lab.url)), 'balloon')
    let [done, refused, slowest] = [0, 0, 0]
    const wrong: string[] = []
    await Promise.all([feed(lab, producer, { ...LOAD, isOver: () => done >= fills }), strike()])
    await node.ready()
    return { fired: { fills: done, refused }, wrong, figures: { slowestResumeMs: Math.round(slowest) } }

    async function strike(): Promise<void> {
      for (; done < fills; done++) {
        const before = unknowns()
        const from = now()
        fillDisk(balloon)
        await lab.until('an enqueue is refused', () => unknowns() > before)
        await lab.rest(...restMs)
        refused += unknowns() - before
        rmSync(balloon)
        const freedAt = now()
        // Nobody could extend a lease meanwhile.
        lab.note({ kind: 'cut', pid: null, from, to: freedAt + NOTICE_MS })
        const { ends } = lab.tally()
        await lab.until('a handler has ended', () => lab.tally().ends > ends)
        slowest = Math.max(slowest, now() - freedAt)
        if (now() - freedAt > RESUME_MS[size])
          wrong.push(`the first handler ended ${Math.round(now() - freedAt)} ms after there was room again`)
        await lab.rest(...restMs)
      }
    }

    function unknowns(): number {
      return readLedger(lab.folder, 'producer').filter(({ status }) => status === 'unknown').length
    }
  },
}
