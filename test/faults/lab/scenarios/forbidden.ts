/**
 * F-28: the file of a store, or its folder, may not be entered any more under the producers and workers of a node, which are an ordinary
 * user's; some are killed meanwhile, so that their successors have to open it. Then it may be again.
 */
import { chmodSync } from 'node:fs'
import { dirname } from 'node:path'
import { pathOf } from '../../../support/tables.ts'
import { feed } from '../feed.ts'
import { now } from '../ledgers.ts'
import { Node } from '../node.ts'
import type { Scenario, Size } from '../scenario.ts'

const SIZES: Readonly<Record<Size, { readonly rounds: number; readonly restMs: readonly [number, number] }>> = {
  short: { rounds: 1, restMs: [300, 600] },
  // Some last longer than a lease.
  long: { rounds: 25, restMs: [300, 4_000] },
}
const PROCESSES = 2
const LOAD = { jobs: 0, ahead: 40, batch: 20, longestMs: 20, perS: 40 } as const
/** Until every worker works again: who could not start is started after a back-off. */
const RESUME_MS = 60_000
/** Until heartbeats that failed are answered again. */
const NOTICE_MS = 1_000
const FORBIDDEN = 0o000
const MODES = { file: 0o600, folder: 0o700 } as const

/** The scenario. */
export const forbidden: Scenario = {
  name: 'forbidden',
  fault: 'F-28',
  summary: 'the file, or its folder, may not be opened while a node works',
  stores: ['sqlite'],
  leaseMs: { short: 2_000, long: 2_000 },
  hitsAtWork: true,
  async run(lab, size) {
    const { rounds, restMs } = SIZES[size]
    const file = pathOf(lab.url)
    const paths = { file, folder: dirname(file) } as const
    lab.giveToOrdinaryUser(paths.folder, file, `${file}-wal`, `${file}-shm`)
    const producer = await lab.producer({ asOrdinaryUser: true })
    const node = new Node(lab, { processes: PROCESSES, asOrdinaryUser: true })
    await node.ready()
    const fired = { file: 0, folder: 0, kills: 0, 'starts refused': 0 }
    let isOver = false
    await Promise.all([feed(lab, producer, { ...LOAD, isOver: () => isOver }), strike()])
    return { fired, wrong: node.supervisor.isOver ? ['the node has ended'] : [] }

    async function strike(): Promise<void> {
      try {
        for (let round = 0; round < rounds; round++) {
          for (const what of ['file', 'folder'] as const) {
            await lab.rest(...restMs)
            const victim = await node.someBusy()
            const failing = node.failing
            const from = now()
            chmodSync(paths[what], FORBIDDEN)
            fired[what]++
            node.kill(victim)
            fired.kills++
            await lab.until('a successor cannot start', () => node.failing > failing || node.supervisor.isOver)
            fired['starts refused']++
            await lab.rest(...restMs)
            chmodSync(paths[what], MODES[what])
            lab.note({ kind: 'cut', pid: null, from, to: now() + NOTICE_MS })
            await lab.until('every worker works again', () => node.workers.length === PROCESSES, RESUME_MS)
          }
        }
      } finally {
        chmodSync(paths.folder, MODES.folder)
        chmodSync(paths.file, MODES.file)
        isOver = true
      }
    }
  },
}
