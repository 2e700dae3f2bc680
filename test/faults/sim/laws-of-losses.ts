/**
 * I4: a job is started again only after a recorded return of it, or when its lease was lost. A return says itself why it was. A
 * loss has to be explained by what befell the very process that held the lease: it was gone, or it was kept from extending,
 * settling and giving back for so long that it could not have done so in time. No other fault is an explanation, and none that
 * left it a chance.
 */
import { type Evidence, effectsByJob, type Law, seconds } from './evidence.ts'
import { absencesOf, cutsOf, failuresOf, pausesOf, stepsOf } from './hindrances.ts'
import { DEAF_KILL, type Effect, GAVE_UP, idOf, ORPHANED, STALL_KILL, STOP } from './ledgers.ts'
import type { Attempt } from './lives.ts'
import { longestClear, overlap, type Span } from './spans.ts'
import { HOP_MS, KEEP_EVERY_MS, MISSED, pulseMsOf, watchedFrom, watchRestMs } from './supervisor.ts'

/** A time in which something could have been done that would have saved a lease. */
interface Opportunity extends Span {
  /** It takes so long at most, wherever in that time it begins. */
  readonly takesMs: number
  readonly hindrances: readonly Span[]
  readonly what: string
}

/** What timers are late by, and the store's whole milliseconds. */
const SLACK_MS = 8
/** Clocks of workers run this much too slow at most. */
const SLOW = 1.02
/** A worker trusts a lease for this share of it, and gives back what has not begun when half of it is left: see leases.ts, worker.ts. */
const [TRUSTED, YOUNG] = [0.9, 0.4]
const LEASE_LOST = 'the lease of the job was lost'
const BROKEN: ReadonlySet<string> = new Set(['crash', STALL_KILL, DEAF_KILL, GAVE_UP])

/** I4: every lease that was lost was lost by its process's end, or by what kept that process from the store for long enough. */
export const explainedLosses: Law = (evidence) => {
  const effects = effectsByJob(evidence)
  return [...evidence.wire.lives.values()].flatMap(({ n, attempts }) =>
    attempts.flatMap((attempt) => {
      if (attempt.end !== 'lost') return []
      const { epoch, worker, claimedAt, closedAt } = attempt
      const effect = effects
        .get(n)
        ?.find(({ fence, worker: by, at }) => fence === epoch && by === worker && at >= claimedAt)
      const why = objection(evidence, idOf(n), attempt, effect)
      return why === null ? [] : [`I4: ${worker.name} lost job ${n} epoch ${epoch} at ${seconds(closedAt)}: ${why}`]
    }),
  )
}

/** Why a loss is not explained; null: it is. */
function objection(evidence: Evidence, id: string, attempt: Attempt, effect: Effect | undefined): string | null {
  const { plan, ledgers } = evidence
  const { epoch, worker, closedAt, extendedAt, isRecovered } = attempt
  const endedAt = ledgers.ends.get(worker) ?? Number.POSITIVE_INFINITY
  if (isRecovered && endedAt > closedAt) return 'it was recovered, and its process lives'
  const leaseEnd = Math.min(closedAt, extendedAt + plan.leaseMs)
  if (ledgers.faults.some((f) => f.actor === worker && BROKEN.has(f.kind) && f.from <= leaseEnd)) return null
  const isUnheard = ledgers.failures.some(({ actor, start, brought }) => {
    const isIt = (lease: { readonly id: string; readonly epoch: number }) => lease.id === id && lease.epoch === epoch
    return actor === worker && ((start !== null && isIt(start)) || brought.some(isIt))
  })
  if (isUnheard) return null
  const ways = waysOf(evidence, attempt, effect, Math.min(leaseEnd, endedAt))
  const missed = ways.map((way) => way.find((each) => longestClear(each, each.hindrances) >= each.takesMs))
  if (!missed.includes(undefined)) return missed[0]?.what ?? ''
  const since = {
    from: Math.min(
      trustedAt(attempt, Math.min(effect?.endedAt ?? closedAt, effect?.abortedAt ?? closedAt)),
      extendedAt,
    ),
    to: closedAt,
  }
  const all = [...ways.flat().flatMap(({ hindrances }) => hindrances), ...stepsOf(evidence)]
  return all.some((span) => overlap(span, since)) ? null : 'nothing had befallen that process'
}

/**
 * When its lease could have been saved, had its process not been hindered; `end`: until then it could. Of several ways to lose it
 * nobody knows which it was: one that is explained is enough.
 */
function waysOf(
  evidence: Evidence,
  attempt: Attempt,
  effect: Effect | undefined,
  end: number,
): readonly (readonly Opportunity[])[] {
  const { leaseMs, latencyMs, graceMs } = evidence.plan
  const { worker, extendedAt, closedAt } = attempt
  const pace = evidence.plan.slots[worker.slot]?.pace ?? 1
  const still = [...pausesOf(evidence, worker), ...cutsOf(evidence, worker.slot)]
  const beatMs = (leaseMs / 3) * SLOW
  const tripMs = 2 * latencyMs[1]
  const exchanges = [...still, ...failuresOf(evidence, worker, ['jobs.exchange'])]
  if (effect === undefined) {
    const takesMs = beatMs + 2 * tripMs + SLACK_MS
    const what = 'it had not begun, and its worker could have given it back'
    return [[{ from: extendedAt + leaseMs * YOUNG, to: end, takesMs, hindrances: exchanges, what }]]
  }
  const overAt = Math.min(effect.endedAt, effect.abortedAt)
  const running = {
    ...{ takesMs: beatMs + tripMs + SLACK_MS, what: 'its worker could have extended it' },
    hindrances: [...still, ...failuresOf(evidence, worker, ['jobs.extend', 'jobs.extendWaiting'])],
  }
  const begin = (from: number) => Math.max(effect.at, from)
  const settlesAt = Math.min(effect.endedAt, effect.abortedAt + graceMs + SLACK_MS)
  const held = [
    { ...running, from: begin(extendedAt), to: Math.min(overAt, end) },
    {
      ...{ from: settlesAt, to: end, takesMs: 3 * tripMs + SLACK_MS },
      what: 'it had ended, and its worker could have settled it',
      hindrances: [...exchanges, ...failuresOf(evidence, worker, ['jobs.report'])],
    },
    ...keepsOf(evidence, attempt, begin(extendedAt), Math.min(overAt, end)),
  ]
  // By its own clock its worker dropped it.
  const dropped = (trusted: number) => ({ ...running, from: begin(trusted), to: trusted + (leaseMs * TRUSTED) / pace })
  if (effect.why === LEASE_LOST && effect.abortedAt < closedAt) {
    const last = dropped(trustedAt(attempt, overAt))
    const inVain = keptInVain(evidence, attempt, effect.abortedAt, beatMs, running)
    return [[{ ...last, to: Math.min(overAt, last.to) }, ...inVain]]
  }
  if (effect.endedAt > closedAt) return [held]
  // News of it are written before it is settled, and it may have been dropped meanwhile, at any time when it was not extended.
  const { trusted } = attempt
  const drops = trusted
    .map(({ sentAt }) => dropped(sentAt))
    .filter(({ to }, i) => (trusted[i + 1]?.heardAt ?? to) >= to)
  return [held, ...drops.map((drop) => [drop])]
}

/**
 * When its worker could have asked after a lease that its supervisor had kept while it stood still, before it dropped that: for a
 * heartbeat it has to take it for kept. One that was answered since had its chance.
 */
function keptInVain(
  evidence: Evidence,
  { worker, keptAt, trusted }: Attempt,
  droppedAt: number,
  beatMs: number,
  running: Omit<Opportunity, 'from' | 'to'>,
): readonly Opportunity[] {
  const { leaseMs, latencyMs } = evidence.plan
  const pause = pausesOf(evidence, worker).findLast(({ from, to }) => from <= keptAt && to <= droppedAt + SLACK_MS)
  if (pause === undefined || keptAt > pause.to || keptAt + leaseMs < droppedAt) return []
  if (trusted.some(({ sentAt, heardAt }) => sentAt >= pause.to && heardAt <= droppedAt)) return []
  const what = 'its worker stood still, its supervisor had kept it, and then its worker dropped it'
  if (droppedAt < pause.to + beatMs / SLOW - SLACK_MS) return [{ ...running, from: 0, to: 1, takesMs: 0, what }]
  const takesMs = 2 * latencyMs[1] + SLACK_MS
  return [{ ...running, from: pause.to, to: Math.min(droppedAt, pause.to + beatMs), takesMs, what }]
}

/** When the supervisor of a worker that stood still could have kept a lease that has begun. */
function keepsOf(evidence: Evidence, attempt: Attempt, begin: number, end: number): readonly Opportunity[] {
  const { leaseMs, latencyMs, stallLimitMs } = evidence.plan
  const supervisor = evidence.supervisorOf.get(attempt.worker)
  if (supervisor === undefined) return []
  const pulseMs = pulseMsOf(leaseMs)
  const own = absencesOf(evidence, supervisor)
  const watchedAt = watchedFrom(evidence.ledgers.begins.get(attempt.worker) ?? 0, leaseMs)
  const hindrances = [...cutsOf(evidence, supervisor.slot), ...failuresOf(evidence, supervisor, ['jobs.extend'])]
  return pausesOf(evidence, attempt.worker).flatMap((pause): readonly Opportunity[] => {
    const silentAt = pause.from + HOP_MS + pulseMs * MISSED
    const span = {
      from: Math.max(silentAt, watchedAt, begin, attempt.keptAt + Math.min(leaseMs / 3, KEEP_EVERY_MS)),
      to: Math.min(pause.to, pause.from - pulseMs + stallLimitMs, end),
    }
    // One that stood still itself has heard nobody, and waits anew.
    if (own.some((each) => overlap(each, { from: pause.from - pulseMs, to: span.to }))) return []
    const takesMs = watchRestMs(leaseMs) + 2 * latencyMs[1] + SLACK_MS
    return [{ ...span, takesMs, hindrances, what: 'its worker stood still, and its supervisor could have kept it' }]
  })
}

/** When that was asked for by which its worker trusted its lease at an instant. */
function trustedAt({ trusted }: Attempt, at: number): number {
  return trusted.findLast(({ heardAt }) => heardAt <= at)?.sentAt ?? Number.NEGATIVE_INFINITY
}

/** I4: a worker gives its store up only when calls of its own have failed. */
export const explainedGivingUp: Law = ({ plan, ledgers }) =>
  ledgers.faults.flatMap(({ kind, actor, from }) => {
    const since = from - 4 * plan.leaseMs - plan.deadlineMs
    if (kind !== GAVE_UP || ledgers.failures.some((f) => f.actor === actor && f.sentAt <= from && f.failedAt >= since))
      return []
    return [`I4: ${actor?.name} gave up its store at ${seconds(from)}, and no call of its had failed`]
  })

/** I4: an attempt that has begun goes back uncounted only when its worker was told to stop, or could not go on. */
export const explainedReturns: Law = (evidence) => {
  const effects = effectsByJob(evidence)
  return [...evidence.wire.lives.values()].flatMap(({ n, attempts }) =>
    attempts.flatMap(({ epoch, end, worker, claimedAt, closedAt }) => {
      if (end !== 'pending') return []
      const hasBegun = effects.get(n)?.some((e) => e.fence === epoch && e.worker === worker && e.at >= claimedAt)
      const isTold = evidence.ledgers.faults.some(({ kind, actor, from }) => {
        return actor === worker && from <= closedAt && (kind === STOP || kind === ORPHANED || kind === GAVE_UP)
      })
      if (hasBegun !== true || isTold) return []
      return [`I4: ${worker.name} gave job ${n} back, which it had begun, and nobody had told it to stop`]
    }),
  )
}
