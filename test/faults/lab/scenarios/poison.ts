/** F-09: a few jobs that kill their process each time, beside many healthy ones. */
import { Node } from '../node.ts'
import type { Scenario, Size } from '../scenario.ts'
import { canaries } from './canaries.ts'

const SIZES: Readonly<Record<Size, { readonly poison: number; readonly healthy: number; readonly calm: number }>> = {
  short: { poison: 1, healthy: 200, calm: 15 },
  long: { poison: 5, healthy: 10_000, calm: 200 },
}
const PROCESSES: Readonly<Record<Size, number>> = { short: 2, long: 4 }
const DRAIN_MS = 600_000
/** The third time it is in an isolate. */
const MOST_DEATHS = 2

/** The scenario. */
export const poison: Scenario = {
  name: 'poison',
  fault: 'F-09',
  summary: 'jobs that kill their process beside many healthy ones, and a queue that is watched',
  hitsAtWork: true,
  // So long that only the supervisor takes jobs back: whose lease ends by itself is accused of nothing.
  leaseMs: { short: 30_000, long: 30_000 },
  async run(lab, size) {
    const sizes = SIZES[size]
    const producer = await lab.producer()
    const aviary = lab.worker({ args: ['canary'] })
    await lab.ready(aviary)
    const node = new Node(lab, { processes: PROCESSES[size], args: ['default'] })
    await node.ready()
    const calm = await canaries(lab, (sung) => sung === sizes.calm)
    await producer.send({
      kind: 'poison',
      inputs: Array.from({ length: sizes.poison }, () => ({ how: 'kill' as const })),
    })
    let isOver = false
    const meanwhile = canaries(lab, () => isOver)
    await producer.send({
      kind: 'work',
      inputs: Array.from({ length: sizes.healthy }, () => ({ ms: lab.between(1, 20) })),
    })
    await lab.until('all jobs have ended', async () => (await lab.left(1, ['work', 'poison'])) === 0, DRAIN_MS)
    isOver = true
    const during = await meanwhile
    const deaths = node.ends.length

    const wrong: string[] = []
    for (const { state, reason, crashes } of await lab.jobsNamed('poison')) {
      if (state !== 'failed' || reason !== 'quarantined' || crashes !== 3)
        wrong.push(`a poison job is ${state}, ${reason}, ${crashes} crashes`)
    }
    const { count } = await (await lab.mill()).count({ name: 'work', state: 'failed' })
    if (count > 0) wrong.push(`${count} healthy jobs failed`)
    if (deaths > MOST_DEATHS * sizes.poison) wrong.push(`${sizes.poison} poison jobs ended ${deaths} processes`)
    return {
      fired: { deaths, canaries: during.length },
      wrong,
      canary: { calmP99Ms: p99(calm), p99Ms: p99(during), leastMs: size === 'short' ? 1_500 : 250 },
      figures: {
        deathsPerPoison: deaths / sizes.poison,
        calmP99Ms: Math.round(p99(calm)),
        p99Ms: Math.round(p99(during)),
      },
    }
  },
}

function p99(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0
}
