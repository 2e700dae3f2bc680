/** I7, I10, I13, I15: effects, dependencies, recovery and neighbours. */
import type { FaultLine } from '../ledgers.ts'
import { ENDED, type History, heldMs, runsOf } from './history.ts'

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

/** How long it took after each fault until what it hit ran again, at most; and which took longer than promised. */
export function lateRecoveries(history: History): { readonly faults: readonly string[]; readonly longestMs: number } {
  const { recoverWithinMs } = history.terms
  let longestMs = 0
  const faults: string[] = []
  for (const [id, runs] of runsOf(history)) {
    for (const [i, run] of runs.entries()) {
      const next = runs[i + 1]
      if (next === undefined || run.end !== null) continue
      const hit = history.faults.filter(({ kind, pid }) => pid === run.pid && (kind === 'kill' || kind === 'end'))
      const begin = Math.min(...hit.map(({ from }) => from))
      if (!Number.isFinite(begin)) continue
      // Whoever stood still meanwhile could not take it over.
      // Between the two it may have been claimed, and lost again before it began.
      const claims = next.epoch - run.epoch
      const ms = (next.from - begin - heldMs(heldBack(history), begin, next.from)) / claims
      longestMs = Math.max(longestMs, ms)
      if (ms > recoverWithinMs)
        faults.push(`${id} ran again ${Math.round(ms)} ms after its process had ended, by the claim`)
    }
  }
  const silent = silenceAfter(history)
  if (silent !== null) {
    longestMs = Math.max(longestMs, silent)
    if (silent > recoverWithinMs) faults.push(`the first job ended ${Math.round(silent)} ms after the last fault`)
  }
  return { faults, longestMs }
}

/** From the end of the last fault to the first job that ended after it; null when none was left to run. */
function silenceAfter(history: History): number | null {
  const { faults, effects } = history
  const last = Math.max(...faults.filter(({ kind }) => kind !== 'stall').map(({ from, to }) => to ?? from))
  const ends = effects.filter(({ phase, at }) => phase === 'end' && at > last).map(({ at }) => at)
  if (ends.length === 0 || !Number.isFinite(last)) return null
  const first = Math.min(...ends)
  return first - last - heldMs(heldBack(history), last, first)
}

/** Whoever could have taken over stood still too: a pause or a cut, or the whole store. */
function heldBack({ faults }: History): readonly FaultLine[] {
  return faults.filter(({ kind, pid }) => kind === 'stop' || kind === 'cut' || (kind === 'stall' && pid === null))
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
