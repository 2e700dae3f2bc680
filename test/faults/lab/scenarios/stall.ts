/**
 * F-10 under a supervisor: handlers that hold the event loop of their worker for one lease and for three keep their leases, and those
 * beside them do; one that never lets go has its worker killed, and is taken back as a crash.
 */
import { readLedger } from '../ledgers.ts'
import { Node } from '../node.ts'
import type { Scenario, Size } from '../scenario.ts'

const SIZES: Readonly<Record<Size, { readonly rounds: number; readonly healthy: number }>> = {
  short: { rounds: 1, healthy: 30 },
  long: { rounds: 100, healthy: 100 },
}
const PROCESSES = 3
const LEASES = [1, 3]
const FOR_EVER_MS = 3_600_000
/** In leases: longer than both blocks that are to be kept, since one worker may take them one after the other. */
const STALL_LIMIT = 5
/** Beside other tests a supervisor looks later. */
const SLACK_MS: Readonly<Record<Size, number>> = { short: 6_000, long: 1_000 }

/** The scenario. */
export const stall: Scenario = {
  name: 'stall',
  fault: 'F-10',
  summary: 'the same under a supervisor, and for ever',
  leaseMs: { short: 1_500, long: 2_000 },
  async run(lab, size) {
    const { rounds, healthy } = SIZES[size]
    const stallLimitMs = STALL_LIMIT * lab.leaseMs
    const producer = await lab.producer()
    const node = new Node(lab, { processes: PROCESSES, args: ['--stall-limit', `${stallLimitMs}ms`] })
    for (let round = 0; round < rounds; round++) {
      await node.ready()
      // Each lease that is to be kept has to run for all of its block: nobody is killed before these are over.
      await producer.send({ kind: 'block', inputs: LEASES.map((leases) => ({ ms: leases * lab.leaseMs })) })
      await producer.send({ kind: 'work', inputs: Array.from({ length: healthy }, () => ({ ms: lab.between(1, 50) })) })
      await lab.drained(60_000)
      await producer.send({ kind: 'block', inputs: [{ ms: FOR_EVER_MS }] })
      await producer.send({ kind: 'work', inputs: Array.from({ length: healthy }, () => ({ ms: lab.between(1, 50) })) })
      await lab.drained(60_000)
    }
    const wrong: string[] = []
    for (const { state, input, losses, crashes, attempts } of await lab.jobsNamed('block')) {
      const isForEver = (input as { readonly ms: number }).ms === FOR_EVER_MS
      const kept = isForEver ? losses === 1 && crashes === 1 : losses === 0
      if (state !== 'completed' || attempts !== 1 || !kept)
        wrong.push(`one that blocked ${isForEver ? 'for ever' : ''} is ${state}, ${losses} losses, ${crashes} crashes`)
    }
    const blocks = readLedger(lab.folder, 'faults').filter(({ kind }) => kind === 'block')
    const times = node.ends.map(({ pid, at, how }) => {
      const begun = blocks.findLast((block) => block.pid === pid && block.from <= at)?.from
      if (begun === undefined || !how.includes('blocked')) wrong.push(`a worker ${how}`)
      return at - (begun ?? at) - stallLimitMs
    })
    const late = Math.round(Math.max(0, ...times))
    if (late > SLACK_MS[size]) wrong.push(`a worker was killed ${late} ms after the stall limit`)
    return {
      fired: { blocks: blocks.length, killed: times.length },
      wrong,
      figures: { killedAfterLimitMs: late },
    }
  },
}
