/** I9: an operator pauses a queue under load and resumes it, again and again; the checker says what began in between. */
import { Fleet } from '../fleet.ts'
import type { Laboratory } from '../laboratory.ts'
import { now } from '../ledgers.ts'
import type { Scenario, Size } from '../scenario.ts'

const SIZES: Readonly<Record<Size, { readonly pauses: number; readonly lastMs: readonly [number, number] }>> = {
  short: { pauses: 1, lastMs: [800, 900] },
  long: { pauses: 50, lastMs: [500, 2_000] },
}
const WORKERS = 2
const QUEUE = 'default'
/** Of each pause: more than are done until it begins, so that jobs wait in it. */
const JOBS = 150
const BEGUN = 20

/** The scenario. */
export const pause: Scenario = {
  name: 'pause',
  fault: 'I9',
  summary: 'a queue is paused under load and resumed, again and again',
  isOfStore: true,
  leaseMs: { short: 1_500, long: 2_000 },
  async run(lab, size) {
    const { pauses, lastMs } = SIZES[size]
    const producer = await lab.producer()
    // What is fetched ahead was claimed before the pause, and may begin in it.
    const fleet = new Fleet(lab, WORKERS, { prefetch: 0 })
    await fleet.ready()
    const { queues } = await lab.mill()
    let waited = 0
    const wrong: string[] = []
    for (let i = 0; i < pauses; i++) {
      const before = lab.starts()
      await producer.send({ kind: 'work', inputs: Array.from({ length: JOBS }, () => ({ ms: lab.between(20, 40) })) })
      await lab.until('work has begun', () => lab.starts() >= before + BEGUN)
      await queues.pause(QUEUE)
      const from = now()
      await lab.rest(...lastMs)
      const waiting = await waitingIn(lab)
      waited += waiting > 0 ? 1 : 0
      // Whoever claims from here on may have heard of the end.
      lab.note({ kind: 'pause', pid: null, queue: QUEUE, from, to: now() })
      await queues.resume(QUEUE)
      await lab.drained(60_000)
    }
    if (waited < pauses) wrong.push(`in ${pauses - waited} of ${pauses} pauses nothing waited: they prove nothing`)
    return { fired: { pauses: waited }, wrong }
  },
}

async function waitingIn(lab: Laboratory): Promise<number> {
  return (await (await lab.mill()).count({ state: 'pending', queue: QUEUE })).count
}
