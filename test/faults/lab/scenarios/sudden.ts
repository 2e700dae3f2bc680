/** F-08: handlers that end their process in every way, or fail in ways that are hard to write down. */
import { Fleet } from '../fleet.ts'
import type { Scenario, Size } from '../scenario.ts'
import type { OddFailure, SuddenEnd } from '../worker/kinds.ts'

const ENDS: readonly SuddenEnd[] = [
  'exit 0',
  'segfault',
  'unhandled rejection',
  'exit 1',
  'abort',
  'kill',
  'throw in a timer',
  'unhandled rejection of undefined',
]
const ODD: readonly OddFailure[] = [
  'stack overflow',
  'rejection of undefined',
  'an error whose getters throw',
  'a message of 10 MB',
  'a circular error',
  'a frozen error',
]
const SIZES: Readonly<Record<Size, { readonly ends: number; readonly times: number; readonly healthy: number }>> = {
  short: { ends: 2, times: 1, healthy: 50 },
  long: { ends: ENDS.length, times: 3, healthy: 1_000 },
}
const WORKERS = 4

/** The scenario. */
export const sudden: Scenario = {
  name: 'sudden',
  fault: 'F-08',
  summary: 'handlers that end their process in 8 ways, or fail in 6 odd ones',
  hitsAtWork: true,
  leaseMs: { short: 1_000, long: 1_000 },
  async run(lab, size) {
    const { ends, times, healthy } = SIZES[size]
    const producer = await lab.producer()
    // One job at a time, none ahead: each end hits one job.
    const fleet = new Fleet(lab, WORKERS, { concurrency: 1, prefetch: 0 })
    const fatal = ENDS.slice(0, ends).flatMap((how) => Array.from({ length: times }, () => ({ how })))
    await producer.send({ kind: 'poison', inputs: fatal })
    await producer.send({ kind: 'odd', inputs: ODD.map((how) => ({ how })) })
    await producer.send({ kind: 'work', inputs: Array.from({ length: healthy }, () => ({ ms: lab.between(0, 20) })) })
    const deaths = await fleet.tendUntilDrained()

    const mill = await lab.mill()
    const wrong: string[] = []
    for (const job of await lab.jobsNamed('poison')) {
      const { how } = job.input as { readonly how: string }
      if (job.state !== 'failed' || job.reason !== 'quarantined') wrong.push(`${how}: ${job.state}, ${job.reason}`)
      if (job.crashes !== 3 || job.attempts !== 0)
        wrong.push(`${how}: ${job.crashes} crashes, ${job.attempts} attempts`)
    }
    for (const job of await lab.jobsNamed('odd')) {
      const { how } = job.input as { readonly how: string }
      if (job.state !== 'failed' || job.reason !== 'exhausted') wrong.push(`${how}: ${job.state}, ${job.reason}`)
      if ((job.error?.name ?? '') === '') wrong.push(`${how}: its error says nothing`)
    }
    const unwell = await mill.count({ name: 'work', state: ['failed', 'cancelled'] })
    if (unwell.count > 0) wrong.push(`${unwell.count} healthy jobs did not complete`)
    return { fired: { deaths, odd: ODD.length }, wrong, figures: { deathsPerPoison: deaths / fatal.length } }
  },
}
