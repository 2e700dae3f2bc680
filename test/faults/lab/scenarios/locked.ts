/** F-25: another program holds the lock of the file, dies while it holds it, or keeps a snapshot open. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { pathOf } from '../../../support/tables.ts'
import { Fleet } from '../fleet.ts'
import type { Laboratory } from '../laboratory.ts'
import { now, readLedger } from '../ledgers.ts'
import type { Scenario, Size } from '../scenario.ts'

const SIZES: Readonly<
  Record<Size, { readonly rounds: number; readonly jobs: number; readonly heldMs: readonly [number, number] }>
> = {
  short: { rounds: 1, jobs: 60, heldMs: [100, 400] },
  long: { rounds: 10, jobs: 500, heldMs: [100, 8_000] },
}
/** What the log may grow to while a snapshot keeps it from being reset. */
const MOST_WAL_BYTES = 256 * 1_048_576

/** The scenario. */
export const locked: Scenario = {
  name: 'locked',
  fault: 'F-25',
  summary: 'another program holds the lock, dies holding it, or keeps a snapshot open',
  stores: ['sqlite'],
  leaseMs: { short: 1_500, long: 2_000 },
  async run(lab, size) {
    const { rounds, jobs, heldMs } = SIZES[size]
    const path = pathOf(lab.url)
    const producer = await lab.producer()
    const fleet = new Fleet(lab, 2)
    await fleet.ready()
    const fired = { exclusive: 0, immediate: 0, 'died holding it': 0, reader: 0 }
    let walBytes = 0
    for (let round = 0; round < rounds; round++) {
      const sent = producer.send({
        kind: 'work',
        inputs: Array.from({ length: jobs }, () => ({ ms: lab.between(1, 20) })),
      })
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
      const dying = intruder(lab, 'immediate', 600_000)
      await dying.line('held')
      const from = now()
      await lab.rest(...heldMs)
      await dying.kill()
      lab.note({ kind: 'cut', pid: null, from, to: now() })
      fired['died holding it']++
      await sent
      walBytes = Math.max(walBytes, statSync(`${path}-wal`).size)
      await reader.kill()
    }
    const told = readLedger(lab.folder, 'producer').filter(({ status }) => status === 'unknown').length
    const wrong = [
      ...(told > 0 ? [`${told} enqueues were told of the lock`] : []),
      ...(walBytes > MOST_WAL_BYTES ? [`the log grew to ${walBytes} bytes`] : []),
    ]
    return { fired, wrong, figures: { walMiB: walBytes / 1_048_576 } }
  },
}

function intruder(lab: Laboratory, how: 'exclusive' | 'immediate' | 'read', ms: number) {
  return lab.child(join(import.meta.dirname, '../worker/intruder.ts'), [pathOf(lab.url), how, `${ms}`])
}
