/** I7, I10, I15: effects, dependencies and neighbours. */
import { ENDED, type History, runsOf } from './history.ts'

/** Effects that are not there exactly once where they were to be, and a fenced place that an older epoch wrote to last. */
export function wrongEffects(history: History): readonly string[] {
  const { effects, effectRows, effectName, jobs } = history
  const faults: string[] = []
  const highest = new Map<string, number>()
  for (const line of effects) {
    if (line.phase !== 'effect') continue
    if (line.epoch < (highest.get(line.id) ?? 0))
      faults.push(`${line.id} had an effect under ${line.epoch} after ${highest.get(line.id)}`)
    highest.set(line.id, Math.max(line.epoch, highest.get(line.id) ?? 0))
  }
  if (effectRows === undefined) return faults
  const completed = new Set(
    jobs.filter((job) => job.state === 'completed' && job.name === effectName).map(({ id }) => id),
  )
  const times = Map.groupBy(effectRows, (id) => id)
  for (const id of completed) {
    const count = times.get(id)?.length ?? 0
    if (count !== 1) faults.push(`${id} is completed, its effect is there ${count} times`)
  }
  for (const id of times.keys()) if (!completed.has(id)) faults.push(`${id} has an effect, and is not completed`)
  return faults
}

/** Children that began before their parents had ended, or wait for parents that have. */
export function outOfOrder(history: History): readonly string[] {
  const runs = runsOf(history)
  const byId = new Map(history.jobs.map((job) => [job.id, job]))
  return history.producer.flatMap(({ id, status, parents = [] }) => {
    if (status !== 'acked' || parents.length === 0) return []
    const begun = runs.get(id)?.[0]?.from
    const early = parents.filter((parent) => {
      const last = runs.get(parent)?.at(-1)
      return begun !== undefined && (last === undefined || last.to === null || last.to > begun)
    })
    const child = byId.get(id)
    const isForgotten =
      child?.state === 'blocked' && parents.every((parent) => ENDED.has(byId.get(parent)?.state ?? ''))
    return [
      ...early.map((parent) => `${id} began before its parent ${parent} had ended`),
      ...(isForgotten ? [`${id} waits, and all of its parents have ended`] : []),
    ]
  })
}

/** A healthy queue that a bad neighbour slowed down. */
export function hurtNeighbours({ canary }: History): readonly string[] {
  if (canary === undefined) return []
  const { calmP99Ms, p99Ms, leastMs } = canary
  const most = Math.max(2 * calmP99Ms, leastMs)
  return p99Ms <= most
    ? []
    : [`p99 of a healthy queue was ${Math.round(p99Ms)} ms, ${Math.round(calmP99Ms)} ms without its neighbour`]
}
