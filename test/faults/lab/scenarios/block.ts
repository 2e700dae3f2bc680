/** F-10: handlers that hold the event loop of their worker for one lease and for three. */
import { Fleet } from '../fleet.ts'
import { readLedger } from '../ledgers.ts'
import type { Scenario, Size } from '../scenario.ts'

const SIZES: Readonly<Record<Size, { readonly rounds: number; readonly healthy: number }>> = {
  short: { rounds: 1, healthy: 60 },
  long: { rounds: 10, healthy: 500 },
}
const WORKERS = 2
const LEASES = [1, 3]

/** The scenario. */
export const block: Scenario = {
  name: 'block',
  fault: 'F-10',
  summary: 'handlers that hold the event loop for one lease and for three',
  leaseMs: { short: 700, long: 2_000 },
  async run(lab, size) {
    const { rounds, healthy } = SIZES[size]
    const producer = await lab.producer()
    const fleet = new Fleet(lab, WORKERS)
    await fleet.ready()
    for (let round = 0; round < rounds; round++) {
      await producer.send({ kind: 'block', inputs: LEASES.map((leases) => ({ ms: leases * lab.leaseMs })) })
      await producer.send({ kind: 'work', inputs: Array.from({ length: healthy }, () => ({ ms: lab.between(1, 50) })) })
      await lab.drained(60_000)
    }
    // Another may have run a job meanwhile: whoever blocks says its own words when its loop turns again.
    const jobs = await lab.jobsNamed('block')
    const ids = new Set(jobs.map(({ id }) => id))
    const open = () =>
      lab
        .effects()
        .reduce((sum, { id, phase }) => sum + (!ids.has(id) ? 0 : phase === 'start' ? 1 : phase === 'end' ? -1 : 0), 0)
    await lab.until('all blocks are over', () => open() === 0)
    const losses = jobs.reduce((sum, job) => sum + job.losses, 0)
    const wrong = jobs.flatMap(({ state, reason }) =>
      state === 'completed' ? [] : [`a job that blocked is ${state}, ${reason}`],
    )
    return { fired: { blocks: blocksOf(lab.folder) }, wrong, figures: { leasesLost: losses } }
  },
}

function blocksOf(folder: string): number {
  return readLedger(folder, 'faults').filter(({ kind }) => kind === 'block').length
}
