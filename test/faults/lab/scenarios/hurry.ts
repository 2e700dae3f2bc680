/** F-07: a second signal while a worker stops, and a reader of its output that has gone: the process ends, its leases are given back. */
import type { Child } from '../../../support/child.ts'
import type { Laboratory } from '../laboratory.ts'
import { now } from '../ledgers.ts'
import type { Scenario, Size } from '../scenario.ts'

const ROUNDS: Readonly<Record<Size, number>> = { short: 1, long: 30 }
const SLOTS = 5
/** Longer than anybody waits here: whoever ends before was hurried. */
const JOB_MS = 120_000
const STOP_MS = 60_000
/** From the second signal to the end of the process. */
const HURRIED_MS = 1_500

/** Each way, with the exit code it has to lead to. */
const WAYS: readonly {
  readonly name: string
  readonly code: number
  readonly hurry: (worker: Child) => Promise<void>
}[] = [
  { name: 'SIGTERM twice', code: 143, hurry: twice('SIGTERM') },
  { name: 'SIGINT twice', code: 130, hurry: twice('SIGINT') },
  {
    // What it writes when it is told to stop fails, which stops it as when its terminal is closed.
    name: 'SIGTERM when the reader of stdout has gone',
    code: 143,
    async hurry(worker) {
      worker.deafen()
      worker.signal('SIGTERM')
    },
  },
]

/** The scenario. */
export const hurry: Scenario = {
  name: 'hurry',
  fault: 'F-07',
  summary: 'a second signal during a stop; stdout closed',
  leaseMs: { short: 30_000, long: 30_000 },
  async run(lab, size) {
    const producer = await lab.producer()
    const mill = await lab.mill()
    const wrong: string[] = []
    const fired: Record<string, number> = {}
    let longest = 0
    for (let round = 0; round < ROUNDS[size]; round++) {
      for (const { name, code, hurry } of WAYS) {
        const worker = lab.worker({ concurrency: SLOTS, stopMs: STOP_MS, prefetch: 0 })
        const before = lab.starts()
        await producer.send({ kind: 'work', inputs: Array.from({ length: SLOTS }, () => ({ ms: JOB_MS })) })
        await lab.until('handlers have begun', () => lab.starts() >= before + SLOTS)
        lab.note({ kind: 'term', pid: worker.pid })
        const at = now()
        await hurry(worker)
        const ended = await worker.ended
        const ms = now() - at
        longest = Math.max(longest, ms)
        fired[name] = (fired[name] ?? 0) + 1
        if (ended.code !== code)
          wrong.push(`${name}: ended with ${ended.code ?? ended.signal}: ${ended.stderr.slice(-300)}`)
        if (ms > HURRIED_MS) wrong.push(`${name}: ended after ${Math.round(ms)} ms`)
        // Its lease would have held for half a minute.
        const { count } = await mill.count({ state: 'processing' })
        if (count > 0) wrong.push(`${name}: ${count} leases were not given back`)
        await cancelAll(lab)
      }
    }
    return { fired, wrong, figures: { longestEndMs: Math.round(longest) } }
  },
}

function twice(signal: NodeJS.Signals) {
  return async (worker: Child) => {
    worker.signal(signal)
    await worker.said('stopping')
    worker.signal(signal)
  }
}

async function cancelAll(lab: Laboratory): Promise<void> {
  await (await lab.mill()).cancelWhere({ state: 'pending' })
}
