/** A claim in rounds: what is asked for in each, and which queues have more after what they gave. */
import type { ClaimedJob, ClaimRequest, QueueShare } from '../contract/index.ts'

/** A job that was taken, by its place. */
export type Placed = Pick<ClaimedJob, 'id' | 'queue' | 'priority' | 'runAt'>

/** The claim as rounds in which each queue stands once: what one statement takes, it cannot pass over a second time. */
export function roundsOf(claim: ClaimRequest): readonly ClaimRequest[] {
  if (claim.queues === 'all') return [claim]
  const rounds: QueueShare[][] = []
  for (const share of claim.queues) {
    const round = rounds.find((one) => !one.some(({ queue }) => queue === share.queue))
    if (round === undefined) rounds.push([share])
    else round.push(share)
  }
  return rounds.length <= 1 ? [claim] : rounds.map((queues) => ({ ...claim, queues }))
}

/** Keeps the queues that gave all they might: they may have more. */
export function note(unfinished: Set<string>, shares: readonly QueueShare[], rows: readonly Placed[]): void {
  const given = new Map<string, number>()
  for (const row of rows) given.set(row.queue, (given.get(row.queue) ?? 0) + 1)
  for (const { queue, max } of shares) {
    if ((given.get(queue) ?? 0) >= max) unfinished.add(queue)
    else unfinished.delete(queue)
  }
}

/** The rows by share, then as the claim is ordered. */
export function inOrder<T extends Placed>(shares: readonly QueueShare[], rows: readonly T[]): T[] {
  const place = new Map(shares.map(({ queue }, i) => [queue, i]))
  const placeOf = (row: Placed) => place.get(row.queue) ?? 0
  const compare = (a: Placed, b: Placed) => b.priority - a.priority || a.runAt - b.runAt || (a.id < b.id ? -1 : 1)
  return rows.toSorted(shares.length > 1 ? (a, b) => placeOf(a) - placeOf(b) || compare(a, b) : compare)
}

/** The most that a claim may be given. */
export function mostOf({ queues, limit }: ClaimRequest): number {
  return queues === 'all'
    ? limit
    : Math.min(
        limit,
        queues.reduce((sum, { max }) => sum + max, 0),
      )
}
