/**
 * F-25: another program holds the lock of the file, dies while it holds it, or keeps a snapshot open; at last for so long that workers
 * give the store up, end, and are started again.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { pathOf } from '../../../support/tables.ts'
import type { Laboratory } from '../laboratory.ts'
import { now, readLedger } from '../ledgers.ts'
import { Node } from '../node.ts'
import type { Scenario, Size } from '../scenario.ts'

const SIZES: Readonly<
  Record<Size, { readonly rounds: number; readonly jobs: number; readonly heldMs: readonly [number, number] }>
> = {
  short: { rounds: 1, jobs: 60, heldMs: [100, 400] },
  long: { rounds: 10, jobs: 500, heldMs: [100, 8_000] },
}
/** What the log may grow to while a snapshot keeps it from being reset. */
const MOST_WAL_BYTES = 256 * 1_048_576
const PROCESSES = 2
/** Few, so that jobs are left to be claimed. */
const PREFETCH = 2
/** More than the node has slots for, each as long as a lease. */
const WAITING = 40
const HOUR_MS = 3_600_000
/** The exit code of a worker that had no store for three leases. */
const GAVE_UP = '3'

/** The scenario. */
export const locked: Scenario = {
  name: 'locked',
  fault: 'F-25',
  summary: 'another program holds the lock, dies holding it, keeps a snapshot open, or holds on until workers give up',
  stores: ['sqlite'],
  leaseMs: { short: 1_500, long: 2_000 },
  async run(lab, size) {
    const { rounds, jobs, heldMs } = SIZES[size]
    const path = pathOf(lab.url)
    const producer = await lab.producer()
    const node = new Node(lab, { processes: PROCESSES, prefetch: PREFETCH })
    await node.ready()
    const fired = { exclusive: 0, immediate: 0, 'died holding it': 0, reader: 0, 'gave up': 0 }
    const send = () =>
      producer.send({ kind: 'work', inputs: Array.from({ length: jobs }, () => ({ ms: lab.between(1, 20) })) })
    let walBytes = 0
    for (let round = 0; round < rounds; round++) {
      const sent = send()
      const reader = intruder(lab, 'read', heldMs[1])
      await reader.line('held')
      fired.reader++
      for (const how of ['exclusive', 'immediate'] as const) {
        const holder = intruder(lab, how, lab.between(...heldMs))
        await holder.line('held')
        const from = now()
        await holder.line('over')
        lab.note({ kind: 'cut', pid: null, from, to: now() })
        fired[how]++
      }
      await whileLocked('immediate', () => lab.rest(...heldMs))
      fired['died holding it']++
      await sent
      walBytes = Math.max(walBytes, statSync(`${path}-wal`).size)
      await reader.kill()
    }
    // Reads are answered all the while: only whoever has leases to extend and jobs to claim misses the store.
    const [before, begun] = [gaveUp(), lab.starts()]
    await producer.send({ kind: 'work', inputs: Array.from({ length: WAITING }, () => ({ ms: lab.leaseMs })) })
    await lab.until('handlers have begun', () => lab.starts() > begun)
    await whileLocked('exclusive', () => lab.until('a worker gives the store up', () => gaveUp() > before))
    fired['gave up'] = gaveUp() - before
    await node.ready()
    const told = readLedger(lab.folder, 'producer').filter(({ status }) => status === 'unknown').length
    const wrong = [
      ...(told > 0 ? [`${told} enqueues were told of the lock`] : []),
      ...(walBytes > MOST_WAL_BYTES ? [`the log grew to ${walBytes} bytes`] : []),
    ]
    return { fired, wrong, figures: { walMiB: walBytes / 1_048_576 } }

    /** Somebody holds the lock meanwhile, and is killed then. */
    async function whileLocked(how: 'exclusive' | 'immediate', meanwhile: () => Promise<void>): Promise<void> {
      const holder = intruder(lab, how, HOUR_MS)
      await holder.line('held')
      const from = now()
      await meanwhile()
      await holder.kill()
      lab.note({ kind: 'cut', pid: null, from, to: now() })
    }

    function gaveUp(): number {
      return node.ends.filter(({ end }) => end === GAVE_UP).length
    }
  },
}

function intruder(lab: Laboratory, how: 'exclusive' | 'immediate' | 'read', ms: number) {
  return lab.child(join(import.meta.dirname, '../worker/intruder.ts'), [pathOf(lab.url), how, `${ms}`])
}
