/** F-06: SIGTERM to workers with jobs that are longer than they may take: an orderly end in time, and no attempt burned. */
import type { Child } from '../../../support/child.ts'
import { Fleet } from '../fleet.ts'
import { now } from '../ledgers.ts'
import type { Scenario, Size } from '../scenario.ts'

/** Jobs of 0 to 60 s under a soft stop of 25 s, scaled down. */
const SIZES: Readonly<
  Record<Size, { readonly stops: number; readonly stopMs: number; readonly restMs: readonly [number, number] }>
> = {
  short: { stops: 6, stopMs: 250, restMs: [50, 200] },
  long: { stops: 100, stopMs: 2_500, restMs: [300, 1_000] },
}
const LONGEST = 2.4
const WORKERS = 3
const SLOTS = 5
const SLACK_MS = 1_000

/** The scenario. */
export const stopStorm: Scenario = {
  name: 'stop-storm',
  fault: 'F-06',
  summary: 'SIGTERM again and again to workers with long jobs',
  leaseMs: { short: 5_000, long: 10_000 },
  async run(lab, size) {
    const { stops, stopMs, restMs } = SIZES[size]
    const producer = await lab.producer()
    const fleet = new Fleet(lab, WORKERS, { concurrency: SLOTS, stopMs })
    await fleet.ready()
    const wrong: string[] = []
    const endings: Promise<void>[] = []
    let [interrupted, longest] = [0, 0]
    const asked = async (worker: Child) => {
      const at = now()
      lab.note({ kind: 'term', pid: worker.pid })
      worker.signal('SIGTERM')
      const { code, signal, stderr } = await worker.ended
      const ms = now() - at
      longest = Math.max(longest, ms)
      if (code !== 0) wrong.push(`a worker that was stopped ended with ${code ?? signal}: ${stderr.slice(-300)}`)
      if (ms > stopMs + SLACK_MS) wrong.push(`a worker took ${Math.round(ms)} ms to stop, ${stopMs} were allowed`)
    }
    for (let stop = 0; stop < stops; stop++) {
      const worker = fleet.pick()
      // A worker that has not begun to work has nothing to give back.
      await lab.ready(worker)
      const inputs = Array.from({ length: WORKERS * SLOTS }, () => ({ ms: lab.between(0, LONGEST * stopMs) }))
      await producer.send({ kind: 'work', inputs })
      await lab.rest(...restMs)
      fleet.replace(worker)
      endings.push(asked(worker))
    }
    await Promise.all(endings)
    interrupted = lab.effects().filter((line) => line.phase === 'end' && line.end === 'threw').length
    await lab.drained(60_000)
    return { fired: { stops, interrupted }, wrong, figures: { longestStopMs: Math.round(longest) } }
  },
}
