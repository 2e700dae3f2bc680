/** I4, I13: a supervisor kills a worker that has stood still for long enough, and one that is deaf to a cancel in time, and nobody else. */
import { type Evidence, effectsByJob, type Law, seconds } from './evidence.ts'
import { absencesOf, cutsOf, failuresOf, pausesOf } from './hindrances.ts'
import { DEAF_KILL, STALL_KILL } from './ledgers.ts'
import { longestClear, overlap, type Span } from './spans.ts'
import { HOP_MS, KEEP_EVERY_MS, LOOK_MS, MISSED, pulseMsOf, watchedFrom, watchRestMs } from './supervisor.ts'
import type { Actor } from './world.ts'

/** What timers are late by. */
const SLACK_MS = 8
/** A look that is later shows a supervisor that it stood still itself: see watch.ts. */
const AWAY_MS = 100

/**
 * I4: a supervisor kills only a worker that has stood still for the stall limit, or, since it is known that a job of it was cancelled,
 * for the grace of that. What it stood still itself meanwhile does not count, but for the rest that it was in, and what is too short
 * to be told from being late.
 */
export const explainedKills: Law = (evidence) => {
  const { stallLimitMs, graceMs, leaseMs } = evidence.plan
  return evidence.ledgers.faults.flatMap(({ kind, actor, from: at }) => {
    const supervisor = actor === null ? undefined : evidence.supervisorOf.get(actor)
    if (actor === null || supervisor === undefined || (kind !== STALL_KILL && kind !== DEAF_KILL)) return []
    // What it says in its last moment before the look is on its way.
    const wasThen = (pause: Span) => pause.from < at && pause.to >= at - HOP_MS - SLACK_MS
    const stillSince = pausesOf(evidence, actor).find(wasThen)?.from ?? at
    const since = kind === STALL_KILL ? stillSince : deafSince(evidence, actor, { from: stillSince, to: at })
    if (since === undefined)
      return [`I4: ${actor.name} was ${kind} at ${seconds(at)}, and its supervisor had heard of none`]
    const leastMs = kind === STALL_KILL ? stallLimitMs - pulseMsOf(leaseMs) - SLACK_MS : graceMs
    const own = pausesOf(evidence, supervisor).filter((each) => overlap(each, { from: since, to: at }))
    const awayMs = own.reduce((sum, { from, to }) => sum + Math.min(to, at) - Math.max(from, since), 0)
    const watchedAt = watchedFrom(evidence.ledgers.begins.get(actor) ?? 0, leaseMs)
    const restMs = own.reduce((sum, { from }) => sum + (from < watchedAt ? LOOK_MS : watchRestMs(leaseMs)), 0)
    if (at - since - awayMs + restMs + own.length * AWAY_MS >= leastMs) return []
    return [`I4: ${actor.name} was ${kind} at ${seconds(at)}, and that had lasted only since ${seconds(since)}`]
  })
}

/** Since when a supervisor knew, in one standstill of its worker, that a job of that was cancelled: it heard so, and never the contrary since. */
function deafSince({ ledgers }: Evidence, { name }: Actor, { from, to }: Span): number | undefined {
  let since: number | undefined
  let answeredAt = Number.NEGATIVE_INFINITY
  for (const { workerId, sentAt, heardAt, isCancelling } of ledgers.kept) {
    // Answers may overtake each other.
    if (workerId !== name || sentAt < from || heardAt > to || sentAt < answeredAt) continue
    answeredAt = sentAt
    since = isCancelling ? (since ?? heardAt) : undefined
  }
  return since
}

/**
 * I13: a worker that blocks a cancelled job is killed: its supervisor asks for its leases within a second, and then there is the grace.
 * Whatever keeps the supervisor from that makes it later.
 */
export const killsTheDeaf: Law = (evidence) => {
  const { leaseMs, latencyMs, graceMs } = evidence.plan
  const pulseMs = pulseMsOf(leaseMs)
  const restMs = watchRestMs(leaseMs)
  const takesMs = Math.min(leaseMs / 3, KEEP_EVERY_MS) + restMs + 2 * latencyMs[1] + graceMs + restMs + SLACK_MS
  const effects = effectsByJob(evidence)
  return [...evidence.wire.lives.values()].flatMap(({ n, attempts }) =>
    attempts.flatMap(({ epoch, worker, cancelledAt, closedAt }) => {
      const supervisor = evidence.supervisorOf.get(worker)
      const effect = effects.get(n)?.find((each) => each.fence === epoch && each.worker === worker)
      if (supervisor === undefined || effect === undefined || cancelledAt === Number.POSITIVE_INFINITY) return []
      const hindrances = [
        ...absencesOf(evidence, supervisor),
        ...cutsOf(evidence, supervisor.slot),
        ...failuresOf(evidence, supervisor, ['jobs.extend']),
      ]
      const watchedAt = watchedFrom(evidence.ledgers.begins.get(worker) ?? 0, leaseMs)
      return pausesOf(evidence, worker).flatMap((pause) => {
        const from = Math.max(cancelledAt, watchedAt, effect.at, pause.from + HOP_MS + pulseMs * MISSED)
        const to = Math.min(pause.to, closedAt, worker.diedAt)
        if (longestClear({ from, to }, hindrances) < takesMs) return []
        return [`I13: ${worker.name} was deaf to the cancel of job ${n} from ${seconds(from)} to ${seconds(to)}`]
      })
    }),
  )
}
