/**
 * F-07: a second signal while a worker or a node stops, a reader of its output that has gone, a supervisor that is killed: every process
 * ends, and the leases are given back.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Child } from '../../../support/child.ts'
import type { Laboratory } from '../laboratory.ts'
import { now } from '../ledgers.ts'
import { isThere, Node } from '../node.ts'
import type { Scenario, Size } from '../scenario.ts'

const ROUNDS: Readonly<Record<Size, number>> = { short: 1, long: 100 }
const SLOTS = 5
const PROCESSES = 2
/** Longer than anybody waits here: whoever ends before was hurried. */
const JOB_MS = 120_000
const STOP_MS = 60_000
/** From the second signal to the end of every process. Beside other tests a process has less time. */
const HURRIED_MS: Readonly<Record<Size, number>> = { short: 6_000, long: 1_500 }
const GONE_MS = 30_000
const APART_MS = 200

interface Way {
  readonly name: string
  /** How the process that is hurried has to end. */
  readonly end: number | NodeJS.Signals
  readonly hurry: (process: Child) => Promise<void>
}

const SIGNALS: readonly Way[] = [
  { name: 'SIGTERM twice', end: 143, hurry: twice('SIGTERM') },
  { name: 'SIGINT twice', end: 130, hurry: twice('SIGINT') },
]
const WAYS: readonly Way[] = [
  ...SIGNALS,
  {
    // What it writes when it is told to stop fails, which is no second order to stop.
    name: 'SIGTERM twice when the reader of stdout has gone',
    end: 143,
    async hurry(worker) {
      worker.deafen()
      await twice('SIGTERM')(worker)
    },
  },
]
const NODE_WAYS: readonly Way[] = [
  ...SIGNALS,
  {
    name: 'SIGTERM twice when the readers of all its output have gone',
    end: 143,
    async hurry(supervisor) {
      supervisor.deafen({ stderr: true })
      supervisor.signal('SIGTERM')
      // Nobody hears that it has been taken. Two at once would be one.
      await pause(APART_MS)
      supervisor.signal('SIGTERM')
    },
  },
  { name: 'SIGKILL of its supervisor', end: 'SIGKILL', hurry: async (supervisor) => supervisor.signal('SIGKILL') },
]

/** The scenario. */
export const hurry: Scenario = {
  name: 'hurry',
  fault: 'F-07',
  summary: 'a second signal during a stop; stdout closed; the supervisor killed',
  leaseMs: { short: 30_000, long: 30_000 },
  async run(lab, size) {
    const producer = await lab.producer()
    const wrong: string[] = []
    const fired: Record<string, number> = {}
    let longest = 0
    for (let round = 0; round < ROUNDS[size]; round++) {
      for (const way of WAYS) {
        await hurried(way.name, way, lab.worker(SETTINGS), SLOTS, () => [])
      }
      // Signals to nodes have short tests of their own: test/process.
      for (const way of size === 'short' ? NODE_WAYS.slice(SIGNALS.length) : NODE_WAYS) {
        const node = new Node(lab, { processes: PROCESSES, ...SETTINGS })
        await node.ready()
        const workers = node.workers.map(({ pid }) => pid)
        await hurried(`a node, ${way.name}`, way, node.supervisor, PROCESSES * SLOTS, () => workers)
      }
    }
    return { fired, wrong, figures: { longestEndMs: Math.round(longest) } }

    async function hurried(
      name: string,
      { end, hurry }: Way,
      child: Child,
      jobs: number,
      others: () => readonly number[],
    ): Promise<void> {
      const before = lab.starts()
      await producer.send({ kind: 'work', inputs: Array.from({ length: jobs }, () => ({ ms: JOB_MS })) })
      await lab.until('handlers have begun', () => lab.starts() >= before + jobs)
      lab.note({ kind: end === 'SIGKILL' ? 'kill' : 'term', pid: child.pid })
      const at = now()
      await hurry(child)
      const ended = await child.ended
      await lab.until(`${name}: every process has ended`, () => !others().some(isThere), GONE_MS)
      const ms = now() - at
      longest = Math.max(longest, ms)
      fired[name] = (fired[name] ?? 0) + 1
      const how = ended.code ?? ended.signal
      if (how !== end) wrong.push(`${name}: ended with ${how}: ${ended.stderr.slice(-300)}`)
      if (ms > HURRIED_MS[size]) wrong.push(`${name}: ended after ${Math.round(ms)} ms`)
      // Its lease would have held for half a minute.
      const { count } = await (await lab.mill()).count({ state: 'processing' })
      if (count > 0) wrong.push(`${name}: ${count} leases were not given back`)
      await cancelAll(lab)
    }
  },
}

const SETTINGS = { concurrency: SLOTS, stopMs: STOP_MS, prefetch: 0 } as const

function twice(signal: NodeJS.Signals) {
  return async (process: Child) => {
    process.signal(signal)
    await process.said('stopping')
    process.signal(signal)
  }
}

async function cancelAll(lab: Laboratory): Promise<void> {
  await (await lab.mill()).cancelWhere({ state: 'pending' })
}
