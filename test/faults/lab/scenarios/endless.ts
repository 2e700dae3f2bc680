/** F-11: handlers that never end: they heed their signal, or do not. Their slots are free again, and the others run. */
import { Fleet } from '../fleet.ts'
import type { Scenario, Size } from '../scenario.ts'

const SIZES: Readonly<Record<Size, { readonly endless: number; readonly healthy: number }>> = {
  short: { endless: 8, healthy: 60 },
  long: { endless: 200, healthy: 2_000 },
}
const WORKERS = 2

/** The scenario. */
export const endless: Scenario = {
  name: 'endless',
  fault: 'F-11',
  summary: 'handlers that never end, deaf to their signal or not',
  leaseMs: { short: 3_000, long: 3_000 },
  async run(lab, size) {
    const { endless, healthy } = SIZES[size]
    const producer = await lab.producer()
    const fleet = new Fleet(lab, WORKERS, { graceMs: 100 })
    await fleet.ready()
    // As many as there are slots come first, so that nothing else runs until they are given up.
    await producer.send({ kind: 'endless', inputs: Array.from({ length: endless }, (_, i) => ({ deaf: i % 2 === 0 })) })
    await producer.send({ kind: 'work', inputs: Array.from({ length: healthy }, () => ({ ms: lab.between(0, 10) })) })
    await lab.drained(120_000)
    const jobs = await lab.jobsNamed('endless')
    const wrong = jobs.flatMap(({ state, attempts, error, losses }) =>
      state === 'failed' && attempts === 1 && error?.name === 'TimeoutError' && losses === 0
        ? []
        : [`an endless job is ${state}, ${attempts} attempts, ${losses} losses, error ${error?.name}`],
    )
    return { fired: { endless: jobs.length }, wrong }
  },
}
