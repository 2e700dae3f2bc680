/** F-05: the whole fleet stands still for three leases and goes on, as on a machine that was suspended. */
import { Fleet } from '../fleet.ts'
import { now } from '../ledgers.ts'
import type { Scenario, Size } from '../scenario.ts'

const SIZES: Readonly<Record<Size, { readonly jobs: number; readonly stops: number }>> = {
  short: { jobs: 200, stops: 1 },
  long: { jobs: 2_000, stops: 5 },
}
const WORKERS = 3
const LEASES = 3
const RATE_MS = 500

/** The scenario. */
export const fleetStop: Scenario = {
  name: 'fleet-stop',
  fault: 'F-05',
  summary: 'the whole fleet stands still for three leases',
  isOfStore: true,
  leaseMs: { short: 700, long: 2_000 },
  async run(lab, size) {
    const { jobs, stops } = SIZES[size]
    const producer = await lab.producer()
    const fleet = new Fleet(lab, WORKERS)
    await fleet.ready()
    const wokenAt: number[] = []
    for (let stop = 0; stop < stops; stop++) {
      const before = lab.starts()
      await producer.send({ kind: 'work', inputs: Array.from({ length: jobs }, () => ({ ms: lab.between(1, 50) })) })
      await lab.until('work has begun', () => lab.starts() > before + WORKERS)
      const go = Fleet.stop(lab, fleet.workers)
      const begun = now()
      // Nothing happens in a fleet that stands still: time itself is what is waited for.
      await lab.until('leases have ended', () => now() - begun > LEASES * lab.leaseMs)
      go()
      wokenAt.push(now())
      await lab.drained(60_000)
    }
    const starts = lab.effects().flatMap(({ phase, at }) => (phase === 'start' ? [at] : []))
    const herd = Math.max(...wokenAt.map((at) => starts.filter((each) => each >= at && each < at + RATE_MS).length))
    return { fired: { stops }, wrong: [], figures: { startsAfterWake: herd } }
  },
}
