/**
 * F-05: the whole fleet stands still for three leases and goes on, as on a machine that was suspended. It does not come back as a
 * herd: handlers begin (which every claimed job's does, also of one that runs again) in the first second at most twice as often as
 * they did just before, with as much work waiting.
 */
import { Fleet } from '../fleet.ts'
import { herdFaults, herdOf, type Wake } from '../herd.ts'
import { now } from '../ledgers.ts'
import type { Scenario, Size } from '../scenario.ts'

interface Load {
  readonly jobs: number
  readonly stops: number
  /** How long it is watched how many handlers usually begin. */
  readonly usualMs: number
  /** So many times as many may begin after waking. A short run is beside other tests, which may take the machine before it. */
  readonly most: number
}

const SIZES: Readonly<Record<Size, Load>> = {
  short: { jobs: 1_000, stops: 1, usualMs: 1_000, most: 3 },
  long: { jobs: 3_000, stops: 5, usualMs: 3_000, most: 2 },
}
const WORKERS = 3
const LEASES = 3
const SECOND_MS = 1_000

/** The scenario. */
export const fleetStop: Scenario = {
  name: 'fleet-stop',
  fault: 'F-05',
  summary: 'the whole fleet stands still for three leases',
  isOfStore: true,
  leaseMs: { short: 700, long: 2_000 },
  async run(lab, size) {
    const { jobs, stops, usualMs, most } = SIZES[size]
    const producer = await lab.producer()
    const fleet = new Fleet(lab, WORKERS)
    await fleet.ready()
    const wakes: Wake[] = []
    const wrong: string[] = []
    for (let stop = 0; stop < stops; stop++) {
      const before = lab.starts()
      await producer.send({ kind: 'work', inputs: Array.from({ length: jobs }, () => ({ ms: lab.between(20, 100) })) })
      await lab.until('work has begun', () => lab.starts() > before + WORKERS)
      const from = now()
      await lab.until('it was seen how many begin', () => now() - from > usualMs)
      const go = Fleet.stop(lab, fleet.workers)
      const begun = now()
      // Nothing happens in a fleet that stands still: time itself is what is waited for.
      await lab.until('leases have ended', () => now() - begun > LEASES * lab.leaseMs)
      go()
      const wokenAt = now()
      await lab.until('the first second is over', () => now() - wokenAt > SECOND_MS)
      if ((await lab.left(1)) === 0) wrong.push('too few jobs were left: nobody knows how many would have begun')
      wakes.push({ usual: { from, to: begun }, wokenAt })
      await lab.drained(60_000)
    }
    const startsAt = lab.effects().flatMap(({ phase, at }) => (phase === 'start' ? [at] : []))
    const herds = wakes.map((wake) => herdOf(startsAt, wake))
    for (const herd of herds) wrong.push(...herdFaults(herd, most))
    const times = herds.map(({ usualPerS, wokenPerS }) => wokenPerS / usualPerS)
    return {
      fired: { stops },
      wrong,
      figures: {
        usualStartsPerS: Math.max(...herds.map(({ usualPerS }) => usualPerS)),
        startsAfterWake: Math.max(...herds.map(({ wokenPerS }) => wokenPerS)),
        timesUsual: Math.max(...times),
      },
    }
  },
}
