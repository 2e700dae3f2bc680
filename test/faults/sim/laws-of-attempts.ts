/** I3, I5, I6 and I14: every start has its lease, every end is its attempt's own, nobody runs a job beside its owner. */
import type { Evidence, Law } from './evidence.ts'
import { effectsByJob, faultsBetween, lifeOf, seconds } from './evidence.ts'
import { type Effect, idOf } from './ledgers.ts'
import type { Attempt, Life } from './lives.ts'

/** I3: a handler starts once for a lease, and for no lease that its worker was not given. */
export const oneStartToALease: Law = (evidence) =>
  [...effectsByJob(evidence)].flatMap(([n, effects]) => {
    const { attempts, isReborn } = evidence.wire.life(idOf(n))
    if (isReborn) return []
    const seen = new Set<number>()
    return effects.flatMap((effect) => {
      const isSecond = seen.has(effect.fence)
      seen.add(effect.fence)
      if (isSecond) return [`I3: job ${n} was started twice under fence ${effect.fence}`]
      const isGiven = attempts.some(({ epoch, worker }) => epoch === effect.fence && worker === effect.worker)
      return isGiven
        ? []
        : [`I3: ${effect.worker.name} started job ${n} under fence ${effect.fence}, which it was not given`]
    })
  })

/**
 * I6: two runs of a job overlap only when the process of the one that lost its lease stood still while it ran, or the store's
 * clock jumped. To be cut off is no excuse: by its own clock a worker aborts its handlers before their leases end. Nor may it
 * begin one whose lease is over, but where the store's clock has ended it too soon. A handler that heeds nothing is let go by then.
 */
export const singleOwner: Law = (evidence) =>
  [...effectsByJob(evidence)].flatMap(([n, effects]) => {
    const inOrder = effects.toSorted((a, b) => a.fence - b.fence)
    return inOrder.flatMap((stale, i) =>
      inOrder.slice(i + 1).flatMap((owner) => {
        if (owner.at >= overAt(stale) || stale.at >= overAt(owner)) return []
        const excuses = faultsBetween(evidence, stale.worker, stale.at, owner.at, ({ kind }) => {
          return kind === 'pause' || kind === 'step'
        })
        if (stale.at < owner.at ? excuses.length > 0 : isEndedTooSoon(evidence, stale)) return []
        return [`I6: ${stale.worker.name} ran job ${n} from ${seconds(stale.at)} beside its owner ${owner.worker.name}`]
      }),
    )
  })

/** The store's clock was set since the attempt was given out, and by its worker's own clock it began while it had its lease. */
function isEndedTooSoon({ wire, ledgers, plan }: Evidence, { n, fence, worker, at }: Effect): boolean {
  const attempt = wire.life(idOf(n)).attempts.find((each) => each.epoch === fence && each.worker === worker)
  const sentAt = attempt?.trusted.findLast(({ heardAt }) => heardAt <= at)?.sentAt
  if (attempt === undefined || sentAt === undefined || at > sentAt + plan.leaseMs) return false
  return ledgers.faults.some(({ kind, from }) => kind === 'step' && from >= attempt.claimedAt && from <= at)
}

/** I5: what completed holds the result of the attempt that held its last lease, whose handler had returned. */
export const resultsOfOwners: Law = (evidence) => {
  const effects = effectsByJob(evidence)
  return evidence.rows.flatMap(({ n, row, result }) => {
    if (row.state !== 'completed') return []
    const hasReturned = effects.get(n)?.some(({ fence, end }) => fence === row.epoch && end === 'returned')
    if (hasReturned !== true)
      return [`I5: job ${n} has completed under fence ${row.epoch}, and no handler returned under it`]
    return result?.n === n && result.fence === row.epoch
      ? []
      : [`I5: job ${n} was completed under fence ${row.epoch} with the result of ${JSON.stringify(result)}`]
  })
}

/** I5: the checkpoint that stands is the last that was accepted. What was refused has left nothing. */
export const checkpointsOfOwners: Law = (evidence) =>
  evidence.rows.flatMap((each) => {
    const { checkpoint } = lifeOf(evidence, each)
    if (checkpoint === each.checkpoint) return []
    return [`I5: job ${each.n} has the checkpoint of fence ${each.checkpoint}; that of ${checkpoint} was accepted last`]
  })

/** What a worker tells of a job is what the store did. */
export const truthfulEvents: Law = (evidence) => {
  const { ledgers, wire } = evidence
  const told = Map.groupBy(ledgers.told, ({ n, worker, event }) => `${n} ${worker.name} ${event.outcome}`)
  return [...told].flatMap(([what, events]) => {
    const [first] = events
    if (first === undefined) return []
    const { attempts, isReborn } = wire.life(idOf(first.n))
    const done = attempts.filter((attempt) => {
      return attempt.worker === first.worker && outcomeOf(attempt) === first.event.outcome
    })
    return isReborn || events.length <= done.length
      ? []
      : [`a worker told ${events.length} times, for ${done.length}: ${what}`]
  })
}

/** I14: an attempt counts when its handler ended it; a lost lease, a stop or a crash burns none. */
export const attemptHonesty: Law = (evidence) =>
  evidence.rows.flatMap((each) => {
    const { n, row } = each
    const life = lifeOf(evidence, each)
    if (life.isReborn) return []
    const counted = life.attempts.filter(counts).length
    const faults =
      row.attempts === counted ? [] : [`I14: job ${n} counts ${row.attempts} attempts; ${counted} were settled as one`]
    const lost = lossesOf(life)
    // What was put back after its end begins anew; not every end is told (it may have expired).
    const isRight = life.retriedAt.length === 0 ? row.losses === lost : row.losses <= lost
    if (!isRight) faults.push(`I14: job ${n} counts ${row.losses} losses, and lost ${lost} leases`)
    if (row.crashes > life.attempts.filter(({ end, startWritten }) => end === 'lost' && startWritten).length)
      faults.push(`I14: job ${n} counts ${row.crashes} crashes, more than starts on record that were lost`)
    return faults.concat(unearned(evidence, life))
  })

/** Attempts that count and whose handler did not end them. */
function unearned(evidence: Evidence, { n, attempts }: Life): readonly string[] {
  const effects = effectsOf(evidence, n)
  return attempts.filter(counts).flatMap(({ epoch, end }) => {
    const effect = effects.find(({ fence }) => fence === epoch)
    // Told to stop before it had begun, it ends so.
    if (end === 'cancelled' && effect === undefined) return []
    const isEnded = effect !== undefined && (effect.end !== 'open' || effect.abortedAt !== Number.POSITIVE_INFINITY)
    return isEnded ? [] : [`I14: epoch ${epoch} of job ${n} was settled as ${end}, and its handler had not ended`]
  })
}

function effectsOf({ ledgers }: Evidence, n: number): readonly Effect[] {
  return ledgers.effects.filter((effect) => effect.n === n)
}

function counts({ end }: Attempt): boolean {
  return end === 'completed' || end === 'retrying' || end === 'failed' || end === 'cancelled'
}

function outcomeOf({ end, isCancelled }: Attempt): string {
  return isCancelled ? 'cancelled' : end
}

function lossesOf({ attempts }: Life): number {
  return attempts.filter(({ end }) => end === 'lost').length
}

/** From when on the handler counts as over: it ended, its process died, or it was told to stop and did not heed it. */
function overAt({ worker, endedAt, heeds, abortedAt }: Effect): number {
  return Math.min(endedAt, worker.diedAt, heeds ? Number.POSITIVE_INFINITY : abortedAt)
}
