/** All that is known of a run when it is over: what the checker judges. Times are milliseconds of one monotonic clock. */
import type { Holdings } from '../holdings.ts'
import type { EffectLine, FaultLine, ProducerLine } from '../ledgers.ts'

/** An attempt that ended, as the store has it. */
export interface AttemptRecord {
  readonly epoch: number
  readonly outcome: string
  readonly workerId: string
  /** By the store's clock. */
  readonly endedAt: number
}

/** A job as the store shows it. */
export interface JobRecord {
  readonly id: string
  readonly name: string
  readonly queue: string
  readonly state: string
  readonly reason: string | null
  readonly attempts: number
  readonly losses: number
  readonly crashes: number
  readonly waitingOn: number
  /** What its handler returned, where that is the epoch it ran under; null when it is something else. */
  readonly resultEpoch: number | null
  /** Epochs that progress notes and log lines name as their own. */
  readonly toldEpochs: readonly number[]
  readonly history: readonly AttemptRecord[]
  /** Some part of it does not open with the keys that everything was to be sealed with. */
  readonly isUnreadable: boolean
}

/** What was promised of the run. */
export interface Terms {
  readonly leaseMs: number
  /** How long before the end of its lease a worker that hears nothing lets go. */
  readonly marginMs: number
  /** Attempts that jobs of each name may make, lost ones aside; of any other name one. */
  readonly attempts: Readonly<Record<string, number>>
  /** From a fault's end to the first job that ends, at most, where jobs wait. */
  readonly recoverWithinMs: number
  /** After the pause of a queue was acknowledged, at most, until nothing begins there any more. */
  readonly pauseWithinMs: number
  /** One stopped process holds up all, since the store has one lock. */
  readonly sharesLock: boolean
  /** How many attempts of a job the store keeps on record. */
  readonly keptAttempts: number
  /** What the store's clock is ahead of the ledgers' by; undefined where nobody knows. */
  readonly wallMs?: number
}

/** How long the jobs of a healthy queue took beside a bad one, and without it. */
export interface Canary {
  readonly calmP99Ms: number
  readonly p99Ms: number
  /** Differences below this say nothing. */
  readonly leastMs: number
}

/** The time before a run was judged in which nobody brought a fault about. */
export interface Quiet {
  readonly from: number
  readonly to: number
  /** It had to last so long. */
  readonly leastMs: number
}

/** A run that is over. */
export interface History {
  readonly producer: readonly ProducerLine[]
  readonly effects: readonly EffectLine[]
  readonly faults: readonly FaultLine[]
  readonly jobs: readonly JobRecord[]
  /** How many jobs the store counts in each state. */
  readonly counted: Readonly<Record<string, number>>
  /** What is wrong with the store's tables, as sentences. */
  readonly tableFaults: readonly string[]
  readonly terms: Terms
  readonly quiet: Quiet
  readonly holdings: Holdings
  /** What workers said of errors that nothing in them caught; none of a scenario whose handlers leave such errors. */
  readonly uncaught: readonly string[]
  /** The ids in a table of the user's, one for each effect that was committed together with a completion. */
  readonly effectRows?: readonly string[]
  /** Jobs whose effects went to `effectRows`. */
  readonly effectName?: string
  readonly canary?: Canary
}

/** How many attempts a job of this name may make. */
export function attemptsOf({ attempts }: Terms, name: string): number {
  return attempts[name] ?? 1
}

/** One handler's run: from its start to its end, or to the end of its process. */
export interface Run {
  readonly id: string
  readonly epoch: number
  readonly pid: number
  /** The process that started that one: a worker, where the handler ran in an isolate. */
  readonly parent: number | null
  readonly from: number
  /** When it ended, or its process was ended, or it said last that it still ran; null: nothing of that was written down. */
  readonly to: number | null
  readonly end: 'returned' | 'threw' | null
}

/** Outcomes that count as an attempt. */
const COUNTED = new Set(['completed', 'retrying', 'failed', 'cancelled'])

/** Whether an outcome counts as an attempt. */
export function countsAsAttempt({ outcome }: AttemptRecord): boolean {
  return COUNTED.has(outcome)
}

/** How many of a job's ends are crashes of its isolate: settled like failures, and no attempts. */
export function settledCrashesOf({ history, attempts }: JobRecord): number {
  return history.filter(countsAsAttempt).length - attempts
}

/** States that a job leaves only by hand. */
export const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled'])

/** The runs of each job, in the order of their starts. */
export function runsOf({ effects, faults }: Pick<History, 'effects' | 'faults'>): ReadonlyMap<string, readonly Run[]> {
  const deaths = deathsOf(faults)
  const ends = new Map<string, { readonly at: number; readonly end: 'returned' | 'threw' }>()
  for (const line of effects) if (line.phase === 'end') ends.set(`${line.id} ${line.epoch}`, line)
  const pulses = new Map<string, number>()
  for (const { phase, id, epoch, at } of effects) if (phase === 'pulse') pulses.set(`${id} ${epoch}`, at)
  const runs = effects.flatMap((line): Run[] => {
    if (line.phase !== 'start') return []
    const { id, epoch, pid, parent = null, at } = line
    const end = ends.get(`${id} ${epoch}`)
    const run = { id, epoch, pid, parent, from: at }
    // An isolate may end long before its worker does.
    const last = pulses.get(`${id} ${epoch}`)
    return [{ ...run, to: end?.at ?? last ?? deathOf(deaths, run)?.from ?? null, end: end?.end ?? null }]
  })
  return Map.groupBy(
    runs.sort((a, b) => a.from - b.from),
    ({ id }) => id,
  )
}

/** Killed and ended processes, by their ids. */
export function deathsOf(faults: readonly FaultLine[]): ReadonlyMap<number | null, readonly FaultLine[]> {
  return Map.groupBy(
    faults.filter(({ kind }) => kind === 'kill' || kind === 'end'),
    ({ pid }) => pid,
  )
}

/** What ended the process of a run, or the one that had started that. */
export function deathOf(
  deaths: ReadonlyMap<number | null, readonly FaultLine[]>,
  { pid, parent, from }: Pick<Run, 'pid' | 'parent' | 'from'>,
): FaultLine | undefined {
  const isItsOwn = (fault: FaultLine) => !isBefore(fault, from)
  return deaths.get(pid)?.find(isItsOwn) ?? (parent === null ? undefined : deaths.get(parent)?.find(isItsOwn))
}

/**
 * Whether a process was ended before a run began that had its id: ids are given again. A fault is written down a moment before it
 * comes about, and a handler may begin in that moment.
 */
export function isBefore({ kind, from }: FaultLine, runFrom: number): boolean {
  return (kind === 'kill' || kind === 'end') && from < runFrom - NOTED_MS
}

const NOTED_MS = 1_000

/** For how long these faults lasted within a time; several at once count once. */
export function heldMs(faults: readonly FaultLine[], from: number, to: number): number {
  let [total, reached] = [0, from]
  for (const fault of [...faults].sort((a, b) => a.from - b.from)) {
    const [begin, end] = [Math.max(fault.from, reached), Math.min(fault.to ?? to, to)]
    if (end <= begin) continue
    total += end - begin
    reached = end
  }
  return total
}
