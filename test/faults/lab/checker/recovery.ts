/** I13: how long after its process was ended a job ran again. */
import type { FaultLine } from '../ledgers.ts'
import { deathOf, deathsOf, type History, heldMs, type JobRecord, type Run, runsOf } from './history.ts'

/** Some durations. */
export interface Spread {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** What was found of all recoveries. */
export interface Recoveries {
  /** Those that took longer than promised. */
  readonly faults: readonly string[]
  /** The longest, less the time in which everybody stood still. */
  readonly longestMs: number
  /** From the end of a process until a job that it held began again, nothing subtracted. */
  readonly again: Spread
  /** Until the store had put it back among those that wait, by the store's clock. */
  readonly claimable: Spread
}

/** How long it took after each end of a process until what it held ran again; and which took longer than promised. */
export function recoveries(history: History): Recoveries {
  const { recoverWithinMs } = history.terms
  const runs = runsOf(history)
  const ends = endsOf(history)
  const held = heldBack(history)
  const [again, claimable]: [number[], number[]] = [[], []]
  const faults: string[] = []
  let longestMs = 0
  for (const job of history.jobs) {
    for (const { end, endedAt, next, claims } of lossesOf(history, job, runs.get(job.id) ?? [], ends)) {
      if (endedAt !== null) claimable.push(Math.max(0, endedAt - end))
      if (next === null) continue
      again.push((next - end) / claims)
      const ms = (next - end - heldMs(held, end, next)) / claims
      longestMs = Math.max(longestMs, ms)
      if (ms > recoverWithinMs)
        faults.push(`${job.id} ran again ${Math.round(ms)} ms after its process had ended, by the claim`)
    }
  }
  const silent = silenceAfter(history, held)
  if (silent !== null) {
    longestMs = Math.max(longestMs, silent)
    if (silent > recoverWithinMs) faults.push(`the first job ended ${Math.round(silent)} ms after the last fault`)
  }
  return { faults, longestMs, again: spread(again), claimable: spread(claimable) }
}

interface Loss {
  /** When the process that held it was ended. */
  readonly end: number
  /** When the store had it back; null where its clock cannot be compared. */
  readonly endedAt: number | null
  /** When it began again; null: it did not, or it was lost once more before that and is counted there. */
  readonly next: number | null
  /** It was claimed so many times until then: whoever had it meanwhile and did not begin it, nobody knows the end of. */
  readonly claims: number
}

interface Ends {
  readonly byProcess: ReadonlyMap<number | null, readonly FaultLine[]>
  readonly byWorker: ReadonlyMap<string, FaultLine>
}

function endsOf({ faults }: History): Ends {
  const named = faults.flatMap((fault) => (fault.workerId === undefined ? [] : [[fault.workerId, fault] as const]))
  return { byProcess: deathsOf(faults), byWorker: new Map(named) }
}

function lossesOf({ terms }: History, job: JobRecord, runs: readonly Run[], ends: Ends): readonly Loss[] {
  const lost = job.history.filter(({ outcome }) => outcome === 'lost')
  /** When the holder of this claim was ended: it may not have begun the job. */
  const endOf = (epoch: number, workerId: string): number | null => {
    const named = ends.byWorker.get(workerId)
    if (named !== undefined) return named.from
    const run = runs.find((each) => each.epoch === epoch)
    return run === undefined || run.end !== null ? null : (deathOf(ends.byProcess, run)?.from ?? null)
  }
  return lost.flatMap(({ epoch, workerId, endedAt }): Loss[] => {
    const end = endOf(epoch, workerId)
    if (end === null) return []
    const next = runs.find((run) => run.epoch > epoch)
    const between = lost.filter((each) => each.epoch > epoch && each.epoch < (next?.epoch ?? Number.POSITIVE_INFINITY))
    const isCountedLater = between.some((each) => endOf(each.epoch, each.workerId) !== null)
    return [
      {
        end,
        endedAt: terms.wallMs === undefined ? null : endedAt - terms.wallMs,
        next: isCountedLater ? null : (next?.from ?? null),
        claims: (next?.epoch ?? epoch + 1) - epoch,
      },
    ]
  })
}

/** From the end of the last fault to the first job that ended after it; null when none was left to run. */
function silenceAfter({ faults, effects }: History, held: readonly FaultLine[]): number | null {
  const last = faults.reduce(
    (latest, { kind, from, to }) => (kind === 'stall' ? latest : Math.max(latest, to ?? from)),
    Number.NEGATIVE_INFINITY,
  )
  const first = effects.reduce(
    (earliest, { phase, at }) => (phase === 'end' && at > last ? Math.min(earliest, at) : earliest),
    Number.POSITIVE_INFINITY,
  )
  return Number.isFinite(last) && Number.isFinite(first) ? first - last - heldMs(held, last, first) : null
}

/** Whoever could have taken over stood still too: a pause or a cut, or the whole store. */
function heldBack({ faults }: History): readonly FaultLine[] {
  return faults.filter(({ kind, pid }) => kind === 'stop' || kind === 'cut' || (kind === 'stall' && pid === null))
}

function spread(values: number[]): Spread {
  values.sort((a, b) => a - b)
  const at = (share: number) => Math.round(values[Math.ceil(values.length * share) - 1] ?? 0)
  return { count: values.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}
