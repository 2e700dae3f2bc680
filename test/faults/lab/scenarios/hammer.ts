/** F-27: eight processes write to one file and reset its log at once; the checker asks SQLite whether the file is whole. */
import { join } from 'node:path'
import { pathOf } from '../../../support/tables.ts'
import { Fleet } from '../fleet.ts'
import type { Scenario, Size } from '../scenario.ts'

const SIZES: Readonly<Record<Size, { readonly waves: number; readonly jobs: number }>> = {
  short: { waves: 2, jobs: 100 },
  long: { waves: 20, jobs: 500 },
}
const WORKERS = 3
const PRODUCERS = 2
const CHECKPOINTERS = 3

/** The scenario. */
export const hammer: Scenario = {
  name: 'hammer',
  fault: 'F-27',
  summary: 'eight processes write and reset the log at once',
  stores: ['sqlite'],
  leaseMs: { short: 3_000, long: 3_000 },
  async run(lab, size) {
    const { waves, jobs } = SIZES[size]
    const file = join(import.meta.dirname, '../worker/intruder.ts')
    const checkpointers = Array.from({ length: CHECKPOINTERS }, () => lab.child(file, [pathOf(lab.url), 'checkpoint']))
    const producers = await Promise.all(Array.from({ length: PRODUCERS }, () => lab.producer()))
    const fleet = new Fleet(lab, WORKERS)
    await Promise.all([fleet.ready(), ...checkpointers.map((each) => each.line('held'))])
    for (let wave = 0; wave < waves; wave++) {
      const inputs = () =>
        Array.from({ length: jobs }, () => ({ ms: lab.between(0, 5), filling: 'x'.repeat(lab.between(0, 6_000)) }))
      await Promise.all(producers.map((producer) => producer.send({ kind: 'work', inputs: inputs() })))
    }
    await lab.drained(120_000)
    for (const each of checkpointers) each.hush()
    const resets = await Promise.all(
      checkpointers.map(async (each) => Number((await each.line('reset ')).slice('reset '.length))),
    )
    return { fired: { resets: resets.reduce((sum, count) => sum + count, 0) }, wrong: [] }
  },
}
