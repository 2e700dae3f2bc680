/**
 * F-06: SIGTERM to workers of a node, and to whole nodes, with jobs that are longer than they may take: an orderly end in time, and no
 * attempt burned.
 */
import { feed } from '../feed.ts'
import { now } from '../ledgers.ts'
import { Node, type NodeWorker } from '../node.ts'
import type { Scenario, Size } from '../scenario.ts'
import { makeEffectTable } from './effect-table.ts'

/** Jobs of 0 to 60 s under a soft stop of 25 s, scaled down. */
const SIZES: Readonly<
  Record<
    Size,
    {
      readonly processes: number
      readonly stops: number
      /** Each so many-th stop is one of the whole node. */
      readonly nodeEvery: number
      readonly stopMs: number
      readonly restMs: readonly [number, number]
    }
  >
> = {
  short: { processes: 2, stops: 4, nodeEvery: 4, stopMs: 250, restMs: [50, 200] },
  long: { processes: 4, stops: 500, nodeEvery: 20, stopMs: 2_500, restMs: [100, 600] },
}
const LONGEST = 2.4
const SLOTS = 5
/** Beside other tests a process has less time. */
const SLACK_MS: Readonly<Record<Size, number>> = { short: 4_000, long: 1_000 }

/** The scenario. */
export const stopStorm: Scenario = {
  name: 'stop-storm',
  fault: 'F-06',
  summary: 'SIGTERM again and again to workers and nodes with long jobs',
  leaseMs: { short: 30_000, long: 30_000 },
  effectName: 'committed',
  async run(lab, size) {
    const { processes, stops, nodeEvery, stopMs, restMs } = SIZES[size]
    await makeEffectTable(lab.url)
    const start = () => new Node(lab, { processes, concurrency: SLOTS, stopMs })
    let node = start()
    const producer = await lab.producer()
    await node.ready()
    const wrong: string[] = []
    const times: number[] = []
    const told = (who: string, ms: number, end: string, stderr = '') => {
      times.push(ms)
      if (end !== '0') wrong.push(`a ${who} that was stopped ended with ${end}: ${stderr.slice(-300)}`)
      if (ms > stopMs + SLACK_MS[size])
        wrong.push(`a ${who} took ${Math.round(ms)} ms to stop, ${stopMs} ms were allowed`)
    }
    const stopping = new Set<string>()
    const endings: Promise<void>[] = []
    let [done, nodes] = [0, 0]
    const waiting = processes * SLOTS
    const load = { jobs: 0, ahead: 2 * waiting, batch: waiting, longestMs: LONGEST * stopMs, perS: 1_000 }
    await Promise.all([feed(lab, producer, { ...load, isOver: () => done >= stops }), storm()])
    await Promise.all(endings)
    const interrupted = lab.effects().filter((line) => line.phase === 'end' && line.end === 'threw').length
    // The storm keeps more attempts than the store: whether one was burned is asked of the count.
    for (const { id, state, attempts, losses } of await lab.jobsNamed('work', 'committed')) {
      if (attempts > (state === 'completed' ? 1 : 0)) wrong.push(`${id} is ${state} after ${attempts} attempts`)
      // Whoever stops in good order gives back what it holds.
      if (losses > 0) wrong.push(`${id} lost its lease ${losses} times`)
    }
    const longest = Math.round(Math.max(...times))
    return { fired: { stops: times.length, nodes, interrupted }, wrong, figures: { longestStopMs: longest } }

    async function storm(): Promise<void> {
      for (; done < stops; done++) {
        await lab.rest(...restMs)
        if ((done + 1) % nodeEvery === 0) {
          nodes++
          const before = node
          // Whoever starts meanwhile would take the time of those that stop.
          node = start()
          await node.ready()
          endings.push(stopNode(before))
        } else endings.push(stopWorker(node, await someBusy()))
      }
    }

    async function someBusy(): Promise<NodeWorker> {
      const free = () => node.busy.filter(({ workerId }) => !stopping.has(workerId))
      await lab.until('a worker is at work', () => free().length > 0)
      const [first, ...others] = free()
      const picked = others[lab.between(0, others.length + 1)] ?? first
      if (picked === undefined) throw new Error('there is no worker')
      stopping.add(picked.workerId)
      return picked
    }

    async function stopWorker(of: Node, worker: NodeWorker): Promise<void> {
      const at = now()
      of.signal(worker, 'SIGTERM')
      const { ms, end } = await of.endOf(worker, at)
      told('worker', ms, end)
    }

    async function stopNode(of: Node): Promise<void> {
      const at = now()
      const pids = [of.supervisor.pid, ...of.workers.map(({ pid }) => pid)]
      for (const pid of pids) lab.note({ kind: 'term', pid })
      of.supervisor.signal('SIGTERM')
      const { code, signal, stderr } = await of.supervisor.ended
      told('node', now() - at, `${code ?? signal}`, stderr)
    }
  },
}
