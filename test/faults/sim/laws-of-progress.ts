/** I13: when the faults are over, everything goes on, comes to its end, and stops when it is told to. */
import { type Law, seconds } from './evidence.ts'
import { absencesOf, cutsOf, failuresOf, pausesOf } from './hindrances.ts'
import { ORPHANED } from './ledgers.ts'
import { longestClear } from './spans.ts'
import { HOP_MS } from './supervisor.ts'

/** How long everything may take once the faults are over: far longer than the slowest plan needs. */
export const DRAIN_MS = 300_000
/** A worker that was being stopped when the faults ended takes this long at most. */
const STOP_MS = 15_000
/** An orphan takes this long at most: its handlers 0.1 s, and then some calls. */
const ORPHAN_MS = 1_500
/** What timers are late by. */
const TIMER_MS = 5

/** I13: what is left is done. */
export const drains: Law = ({ drainedAt, rows }) => {
  if (drainedAt !== null) return []
  const left = rows.filter(({ row }) => row.finishedAt === null)
  if (left.length === 0) return ['I13: a call of a producer or an operator was never answered']
  const some = left.slice(0, 5).map(({ n, row }) => `${n} ${row.state} ${row.reason ?? ''}`.trim())
  return [`I13: ${left.length} jobs are not done ${DRAIN_MS / 1000} s after the last fault: ${some.join(', ')}`]
}

/** I13: the first job that could be claimed is, soon after the last fault. */
export const resumes: Law = ({ plan, wire, healedAt, hadWork, drainedAt }) => {
  const most = plan.leaseMs * 1.6 + 2_000 + plan.restartMs + plan.stopWithinMs + STOP_MS
  const moves = [...wire.lives.values()].flatMap(({ attempts }) =>
    attempts.flatMap(({ claimedAt, closedAt }) => [claimedAt, closedAt]),
  )
  const first = Math.min(...moves.filter((at) => at >= healedAt))
  // What was left may have ended otherwise: it expired, or was removed.
  const isIdle = !hadWork || (drainedAt !== null && first === Number.POSITIVE_INFINITY)
  return isIdle || first - healedAt <= most ? [] : [`I13: no job moved for ${Math.round(most)} ms after the last fault`]
}

/** A worker that is told to stop does, and leaves no timer behind. */
export const stops: Law = ({ unstopped, leftTimers }) => [
  ...unstopped.map(({ name }) => `I13: ${name} did not stop`),
  ...(leftTimers > 0 ? [`I16: ${leftTimers} timers of stopped workers are still running`] : []),
]

/** I13: what a dead worker held is recovered at once by its supervisor, unless that was hindered itself. */
export const recoversAtOnce: Law = (evidence) => {
  const { plan, wire, supervisorOf } = evidence
  const withinMs = HOP_MS + plan.latencyMs[1] + TIMER_MS
  return [...wire.lives.values()].flatMap(({ n, attempts }) =>
    attempts.flatMap(({ worker, claimedAt, closedAt }) => {
      const supervisor = supervisorOf.get(worker)
      // What a call of the dead claims later is looked for again later.
      if (supervisor === undefined || claimedAt > worker.diedAt || closedAt < worker.diedAt) return []
      const hindrances = [
        ...absencesOf(evidence, supervisor),
        ...cutsOf(evidence, supervisor.slot),
        ...failuresOf(evidence, supervisor, ['jobs.recover']),
      ]
      if (longestClear({ from: worker.diedAt, to: closedAt }, hindrances) <= withinMs) return []
      return [
        `I13: ${worker.name} died at ${seconds(worker.diedAt)}, and job ${n} was its own until ${seconds(closedAt)}`,
      ]
    }),
  )
}

/** I13: a worker whose supervisor is gone ends soon, unless it stands still or its store is away. */
export const orphansEnd: Law = (evidence) =>
  evidence.ledgers.faults.flatMap(({ kind, actor, from }) => {
    if (kind !== ORPHANED || actor === null) return []
    const to = evidence.ledgers.ends.get(actor) ?? Number.POSITIVE_INFINITY
    const failures = evidence.ledgers.failures.filter((failure) => failure.actor === actor)
    const hindrances = [
      ...pausesOf(evidence, actor),
      ...cutsOf(evidence, actor.slot),
      ...failures.map(({ sentAt, failedAt }) => ({ from: sentAt, to: failedAt + ORPHAN_MS })),
    ]
    if (longestClear({ from, to }, hindrances) <= ORPHAN_MS) return []
    return [`I13: ${actor.name} was an orphan from ${seconds(from)} on, and ended at ${seconds(to)}`]
  })
