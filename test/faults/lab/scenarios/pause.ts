/**
 * I9: an operator pauses a queue under load and resumes it, again and again, and then one of two workers; the checker says what
 * began in between.
 */
import type { Millrace } from '../../../../src/index.ts'
import { Fleet } from '../fleet.ts'
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
  summary: 'a queue, and then a worker, is paused under load and resumed, again and again',
  isOfStore: true,
  leaseMs: { short: 1_500, long: 2_000 },
  async run(lab, size) {
    const { pauses, lastMs } = SIZES[size]
    const producer = await lab.producer()
    // What is fetched ahead was claimed before the pause, and may begin in it.
    const fleet = new Fleet(lab, WORKERS, { prefetch: 0 })
    await fleet.ready()
    const mill = await lab.mill()
    let waited = 0
    for (let i = 0; i < pauses; i++) {
      await working()
      await mill.queues.pause(QUEUE)
      const from = now()
      await lab.rest(...lastMs)
      waited += (await waitingIn(mill)) > 0 ? 1 : 0
      // Whoever claims from here on may have heard of the end.
      lab.note({ kind: 'pause', pid: null, queue: QUEUE, from, to: now() })
      await mill.queues.resume(QUEUE)
      await lab.drained(60_000)
    }
    let alone = 0
    const wrong: string[] = []
    for (let i = 0; i < pauses; i++) {
      await working()
      const { pid } = fleet.pick()
      const id = (await mill.workers()).find((each) => each.pid === pid)?.id ?? ''
      const answer = await mill.askWorker(id, 'pause')
      const from = now()
      // The other one goes on: there is work to begin.
      await working()
      await lab.rest(...lastMs)
      alone += answer === 'done' ? 1 : 0
      lab.note({ kind: 'pause', pid, from, to: now() })
      if ((await mill.askWorker(id, 'resume')) !== 'done') wrong.push(`worker ${pid} did not say that it goes on`)
      await lab.drained(60_000)
    }
    if (waited < pauses) wrong.push(`in ${pauses - waited} of ${pauses} pauses nothing waited: they prove nothing`)
    if (alone < pauses) wrong.push(`${pauses - alone} of ${pauses} pauses of a worker were not acknowledged`)
    return { fired: { pauses: waited, 'paused workers': alone }, wrong }

    /** Work is under way, and more waits. */
    async function working(): Promise<void> {
      const before = lab.starts()
      await producer.send({ kind: 'work', inputs: Array.from({ length: JOBS }, () => ({ ms: lab.between(20, 40) })) })
      await lab.until('work has begun', () => lab.starts() >= before + BEGUN)
    }
  },
}

async function waitingIn(mill: Millrace): Promise<number> {
  return (await mill.count({ state: 'pending', queue: QUEUE })).count
}
