/** I3, I4, I6: how often a handler began, why it began again, and whether two of one job ever ran at a time. */
import type { FaultLine } from '../ledgers.ts'
import {
  attemptsOf,
  type History,
  heldMs,
  isBefore,
  type JobRecord,
  type Run,
  runsOf,
  settledCrashesOf,
} from './history.ts'

/** How many starts of one job each had: what the bound is broken by. */
export function tooManyStarts(history: History): readonly string[] {
  const runs = runsOf(history)
  return history.jobs.flatMap((job) => {
    // Its oldest attempts are forgotten: that each start had an epoch of its own is looked at below.
    if (job.history.length >= history.terms.keptAttempts) return []
    const starts = runs.get(job.id)?.length ?? 0
    const again = job.history.filter(({ outcome }) => ['retrying', 'scheduled', 'pending', 'blocked'].includes(outcome))
    const most = 1 + again.length + job.losses
    const uncounted = again.filter(({ outcome }) => outcome !== 'retrying').length
    const crashed = Math.min(job.crashes, Math.max(0, settledCrashesOf(job)))
    const hardMost = attemptsOf(history.terms, job.name) + job.losses + uncounted + crashed
    if (starts <= Math.min(most, hardMost)) return []
    return [
      `${job.id} began ${starts} times; ${job.losses} losses and ${again.length} returns allow ${Math.min(most, hardMost)}`,
    ]
  })
}

/** A start after the first that neither a recorded return nor a fault of the ledger explains; with how many were explained. */
export function unexplainedStarts(history: History): {
  readonly faults: readonly string[]
  readonly explained: number
} {
  const byId = new Map(history.jobs.map((job) => [job.id, job]))
  const faults: string[] = []
  let explained = 0
  for (const [id, runs] of runsOf(history)) {
    for (const [i, run] of runs.entries()) {
      const before = runs[i - 1]
      if (before === undefined) continue
      const why = explanation(history, byId.get(id), before, run)
      if (why === null) explained++
      else faults.push(`${id} began again under ${run.epoch} after ${before.epoch}: ${why}`)
    }
  }
  return { faults, explained }
}

/**
 * Two runs of one job at a time, although the process of the earlier could extend its lease: in the time of a lease before the
 * next began, no pause, block or cut held it for as long as a lease lasts less the margin. Whoever has lost its job so may go on
 * beside others after that one, too: a handler can be deaf.
 */
export function overlaps(history: History): readonly string[] {
  const { leaseMs, marginMs } = history.terms
  return [...runsOf(history)].flatMap(([id, runs]) =>
    runs.flatMap((later, i) => {
      const earlier = runs[i - 1]
      if (earlier === undefined || (earlier.to !== null && earlier.to <= later.from)) return []
      const held = history.faults.filter((fault) => holds(fault) && hits(history, fault, earlier))
      const isExcused = heldMs(held, later.from - leaseMs, later.from) >= leaseMs - marginMs
      return isExcused ? [] : [`${id} ran under ${earlier.epoch} and ${later.epoch} at a time`]
    }),
  )
}

function explanation(history: History, job: JobRecord | undefined, before: Run, run: Run): string | null {
  if (run.epoch <= before.epoch) return 'the epoch did not grow'
  const record = job?.history.find(({ epoch }) => epoch === before.epoch)
  if (record === undefined) {
    const isForgotten = (job?.history.length ?? 0) >= history.terms.keptAttempts
    return isForgotten ? null : 'the attempt before it is not on record'
  }
  if (record.outcome === 'completed') return 'the attempt before it had completed'
  // What the handler or the worker said itself.
  if (record.outcome !== 'lost') return null
  return isLossExplained(history, before, run) ? null : 'its lease was lost, and no fault kept its process from it'
}

/**
 * A lease is lost with its process, or when that was held for a lease less the margin, at any time until the next run began. Whoever
 * was held for less could extend it, and whoever was told to stop gives it back: neither explains a loss.
 */
function isLossExplained(history: History, before: Run, run: Run): boolean {
  const { leaseMs, marginMs } = history.terms
  const hitting = history.faults.filter((fault) => fault.from <= run.from && hits(history, fault, before))
  if (hitting.some(endsProcess)) return true
  // It may have been claimed for as long before it began.
  const held = hitting.filter((fault) => holds(fault) && (fault.to ?? run.from) > before.from - leaseMs)
  return held.some(({ from, to }) => {
    const end = Math.min(to ?? run.from, run.from)
    const spans = [
      [from, from + leaseMs],
      [end - leaseMs, end],
    ] as const
    return spans.some(
      ([begin, over]) =>
        heldMs(held, Math.max(begin, before.from - leaseMs), Math.min(over, run.from)) >= leaseMs - marginMs,
    )
  })
}

/** Whether a fault hit the process of this run, itself or by the lock that all share. */
function hits({ terms }: History, fault: FaultLine, run: Run): boolean {
  if (isBefore(fault, run.from)) return false
  const isItsOwn = fault.pid === null || fault.pid === run.pid || fault.pid === run.parent
  return isItsOwn || (fault.kind === 'stop' && terms.sharesLock)
}

/** A process that is gone extends nothing any more, and overlaps with nothing. */
function endsProcess({ kind }: FaultLine): boolean {
  return kind === 'kill' || kind === 'end'
}

/** One that stands still, or has no way to the store, goes on where it stood. */
function holds({ kind }: FaultLine): boolean {
  return kind === 'stop' || kind === 'block' || kind === 'stall' || kind === 'cut'
}
