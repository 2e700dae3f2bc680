/** What an operator was told that is done, is. */
import { type Evidence, type Law, lifeOf, seconds } from './evidence.ts'
import type { Act } from './ledgers.ts'

/** Ends of which the store tells nobody. */
const UNTOLD: ReadonlySet<string | null> = new Set(['expired', 'parent'])

/**
 * Bulk: when an operator was told that all jobs of a queue are cancelled, each that had been there when that began has ended or been
 * asked to stop, in however many steps and calls it was done, and whoever went on with it.
 */
export const wholeCancels: Law = (evidence) => {
  const { ledgers, plan } = evidence
  // What is older goes by the store's clock.
  if (plan.faults.some((fault) => fault.kind === 'step' && fault.ms < 0)) return []
  return ledgers.acts.flatMap((act) => (act.kind === 'cancelWhere' && act.outcome !== null ? left(evidence, act) : []))
}

function left(evidence: Evidence, { queue, sentAt, answeredAt }: Act): readonly string[] {
  const { ledgers, rows } = evidence
  return rows.flatMap((each) => {
    const { n, row } = each
    const isMoved = ledgers.acts.some(({ kind, n: of }) => kind === 'move' && of === n)
    const { createdAt, endedAt, retriedAt, removedAt, attempts, isDisplaced, isReborn } = lifeOf(evidence, each)
    const isMeant = row.queue === queue && !isMoved && !isReborn && createdAt < sentAt
    if (!isMeant || isDisplaced || UNTOLD.has(row.reason) || retriedAt.some((at) => at >= sentAt)) return []
    const isReached = [...endedAt, ...removedAt, ...attempts.map(({ cancelledAt }) => cancelledAt)].some(
      (at) => at <= answeredAt,
    )
    if (isReached) return []
    return [
      `bulk: job ${n} was left when all jobs of ${queue} were cancelled, from ${seconds(sentAt)} to ${seconds(answeredAt)}`,
    ]
  })
}
