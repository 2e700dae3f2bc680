/**
 * What is going to be tried in one run, all of it data, drawn from the seed before anything happens: the fleet, the jobs, what
 * people do to them, and the faults. Swarm testing: each seed switches on some of the faults, at some rates, since a fault that
 * is always there hides what the others would show.
 *
 * A plan can be made smaller by hand or by `shrink.ts`, and is still a plan.
 */
import { Chance } from './chance.ts'
import { type JobPlan, planJobs } from './plan-jobs.ts'

/**
 * What may become of a call to the store.
 * - `refused`: it fails, and nothing was done.
 * - `unheard`: it is done, and fails all the same: its answer is lost.
 * - `vanished`: it never arrives; the caller waits until its deadline.
 * - `swallowed`: it is done and never answered; the caller waits until its deadline.
 * - `delayed`: it arrives only when a lease's time is over.
 * - `crash-before`, `crash-after`: its caller dies at the instant before or after it is done; a supervisor now and then with its machine.
 * - `pause-before`, `pause-after`: its caller stands still then, now and then for longer than a lease.
 */
export const FATES = [
  ...(['refused', 'unheard', 'vanished', 'swallowed', 'delayed'] as const),
  ...(['crash-before', 'crash-after', 'pause-before', 'pause-after'] as const),
] as const

/** What may become of a call to the store, beside going well. */
export type Fate = (typeof FATES)[number]

/** Who stands still or dies: a worker (its event loop is blocked), its supervisor, or both with their machine. */
export type Hit = 'worker' | 'supervisor' | 'machine'

/** What befalls a worker, or everybody. */
export type FaultPlan = { readonly at: number } & (
  | { readonly kind: 'stop'; readonly slot: number }
  | { readonly kind: 'crash'; readonly slot: number; readonly whom: Hit }
  | { readonly kind: 'pause'; readonly slot: number; readonly ms: number; readonly whom: Hit }
  /** Nothing gets through to the store: calls fail at once, or are never answered. Slot -1: nobody's calls do. */
  | { readonly kind: 'cut'; readonly slot: number; readonly ms: number; readonly isSilent: boolean }
  /** The store's wall clock is set forward or back. */
  | { readonly kind: 'step'; readonly ms: number }
)

/**
 * What an operator does: to a job by its number, to a queue, or to all jobs of a kind. `tries`: how often it is done again when nobody
 * knows whether it was.
 */
export type ActPlan = { readonly at: number; readonly tries: number } & (
  | { readonly kind: 'cancel' | 'retry' | 'remove' | 'hasten' | 'raise'; readonly n: number }
  | { readonly kind: 'move'; readonly n: number; readonly queue: string }
  | { readonly kind: 'pauseQueue' | 'resumeQueue'; readonly queue: string }
  | { readonly kind: 'cancelWhere' | 'removeWhere'; readonly queue: string }
  | { readonly kind: 'retryWhere' }
)

/** How a worker process is set up. */
export interface SlotPlan {
  readonly concurrency: number
  readonly maxPrefetch: number
  /** Served with a limit of their own; null: every queue. */
  readonly queues: Readonly<Record<string, { readonly concurrency: number }>> | null
  /** How far its wall clock is ahead, and how fast its monotonic clock runs. */
  readonly skewMs: number
  readonly pace: number
}

/** One run, before it happens. */
export interface Plan {
  readonly seed: number
  /** Another order of what is left to chance alone: whose turn it is, how late a timer comes. */
  readonly salt: number
  readonly leaseMs: number
  readonly pollMs: number
  readonly graceMs: number
  readonly stopWithinMs: number
  /** How long a caller waits for the store, as a driver's `deadline` does. */
  readonly deadlineMs: number
  /** How long a message between anybody and the store takes. */
  readonly latencyMs: readonly [min: number, max: number]
  /** Whether the store says that it works in a process of its own. */
  readonly isRemote: boolean
  /** How long there are faults. */
  readonly chaosMs: number
  /** How long a process that ended is missed. */
  readonly restartMs: number
  /** Each worker has a supervisor, which keeps its leases while it stands still, and takes back at once what it held when it is dead. */
  readonly isSupervised: boolean
  /** For how long a worker may be silent before its supervisor kills it. */
  readonly stallLimitMs: number
  readonly slots: readonly SlotPlan[]
  readonly jobs: readonly JobPlan[]
  readonly acts: readonly ActPlan[]
  readonly faults: readonly FaultPlan[]
  /** How often a call meets each fate; or exactly which calls do: `w1.0 jobs.extend of job 7 #0`. */
  readonly rates: Readonly<Record<Fate, number>>
  readonly calls: Readonly<Record<string, Fate>> | null
  readonly hints: { readonly lost: number; readonly doubled: number }
}

/** The queues that there are. */
export const QUEUES = ['default', 'media'] as const

/** The plan of a seed. */
export function planOf(seed: number): Plan {
  const chance = new Chance(seed, 2)
  const leaseMs = chance.pick([600, 1000, 1500])
  const chaosMs = chance.whole(2_000, 6_000)
  const slots = Array.from({ length: chance.pick([1, 2, 2, 2, 3, 3, 4]) }, () => planSlot(chance, leaseMs))
  const jobs = planJobs(new Chance(seed, 3), { leaseMs, chaosMs })
  const farMs = chance.pick([2, 10, 40])
  const supervised = new Chance(seed, 12)
  return {
    seed,
    salt: 0,
    leaseMs,
    pollMs: chance.pick([200, 400, 800]),
    graceMs: chance.pick([20, 100, 400]),
    stopWithinMs: chance.pick([50, 300, 1_500]),
    deadlineMs: leaseMs * chance.pick([0.7, 1, 2, 4]),
    latencyMs: [farMs / 10, farMs],
    isRemote: chance.flip(0.5),
    chaosMs,
    restartMs: chance.whole(20, 600),
    isSupervised: supervised.flip(0.5),
    stallLimitMs: leaseMs * supervised.pick([0.8, 1.5, 2.5, 5]),
    slots,
    jobs,
    acts: chance.flip(0.6) ? planActs(new Chance(seed, 4), chaosMs, jobs) : [],
    faults: planFaults(new Chance(seed, 5), { chaosMs, leaseMs, slots: slots.length }),
    rates: planRates(new Chance(seed, 6)),
    calls: null,
    hints: { lost: chance.pick([0, 0, 0.3, 1]), doubled: chance.pick([0, 0, 0.3]) },
  }
}

function planSlot(chance: Chance, leaseMs: number): SlotPlan {
  const isSkewed = chance.flip(0.3)
  return {
    concurrency: chance.whole(1, 4),
    maxPrefetch: chance.pick([0, 4, 16]),
    queues: chance.flip(0.15) ? { default: { concurrency: 1 }, media: { concurrency: 2 } } : null,
    skewMs: isSkewed ? Math.floor(chance.between(-4, 4) * leaseMs) : 0,
    pace: isSkewed ? chance.between(0.99, 1.01) : 1,
  }
}

function planRates(chance: Chance): Plan['rates'] {
  const isQuiet = chance.flip(0.25)
  const rate = (most: number) => (!isQuiet && chance.flip(0.4) ? chance.between(0, most) : 0)
  return {
    ...{ refused: rate(0.1), unheard: rate(0.1), vanished: rate(0.02), swallowed: rate(0.02), delayed: rate(0.05) },
    ...{ 'crash-before': rate(0.02), 'crash-after': rate(0.02) },
    ...{ 'pause-before': rate(0.02), 'pause-after': rate(0.02) },
  }
}

function planFaults(
  chance: Chance,
  { chaosMs, leaseMs, slots }: { readonly chaosMs: number; readonly leaseMs: number; readonly slots: number },
): readonly FaultPlan[] {
  const faults: FaultPlan[] = []
  const some = (share: number, most: number, make: (at: number, slot: number) => FaultPlan) => {
    if (!chance.flip(share)) return
    for (let left = chance.whole(1, most); left > 0; left--)
      faults.push(make(chance.between(0, chaosMs), chance.whole(0, slots - 1)))
  }
  some(0.4, 4, (at, slot) => ({ at, kind: 'crash', slot, whom: 'worker' }))
  some(0.4, 4, (at, slot) => ({ at, kind: 'pause', slot, ms: leaseMs * chance.between(0.2, 3.5), whom: 'worker' }))
  some(0.4, 3, (at, slot) => ({ at, kind: 'stop', slot }))
  some(0.3, 2, (at, slot) => {
    return { at, kind: 'cut', slot, ms: leaseMs * chance.between(0.2, 5), isSilent: chance.flip(0.5) }
  })
  some(0.15, 1, (at) => {
    return { at, kind: 'cut', slot: -1, ms: leaseMs * chance.between(0.2, 5), isSilent: chance.flip(0.5) }
  })
  some(0.1, 1, (at) => ({ at, kind: 'step', ms: Math.floor(leaseMs * chance.between(-3, 3)) }))
  some(0.15, 2, (at, slot) => {
    return {
      at,
      kind: 'pause',
      slot,
      ms: leaseMs * chance.between(0.2, 3.5),
      whom: chance.pick(['supervisor', 'machine']),
    }
  })
  some(0.1, 2, (at, slot) => ({ at, kind: 'crash', slot, whom: chance.pick(['supervisor', 'machine']) }))
  return faults.sort((a, b) => a.at - b.at)
}

function planActs(chance: Chance, chaosMs: number, jobs: readonly JobPlan[]): readonly ActPlan[] {
  const acts: ActPlan[] = []
  for (let left = chance.whole(1, 14); left > 0; left--) {
    const at = chance.between(0, chaosMs)
    const tries = chance.pick([0, 1, 2])
    const n = chance.whole(1, jobs.length)
    const queue = chance.pick(QUEUES)
    const kind = chance.weighted({
      cancel: 6,
      retry: 4,
      remove: 2,
      hasten: 1,
      raise: 1,
      move: 1,
      pauseQueue: 1,
      cancelWhere: 0.5,
      removeWhere: 0.4,
      retryWhere: 0.5,
    })
    if (kind === 'pauseQueue') {
      acts.push({ at, tries, kind, queue }, { at: at + chance.between(100, 2_000), tries, kind: 'resumeQueue', queue })
    } else if (kind === 'cancelWhere' || kind === 'removeWhere') acts.push({ at, tries, kind, queue })
    else if (kind === 'retryWhere') acts.push({ at, tries, kind })
    else if (kind === 'move') acts.push({ at, tries, kind, n, queue })
    else acts.push({ at, tries, kind, n })
  }
  return acts.sort((a, b) => a.at - b.at)
}
