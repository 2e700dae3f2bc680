/** A claim in rounds: what is asked for in each, and which queues have more after what they gave. */
import type { ClaimRequest, QueueShare } from '../contract/index.ts'
import { type Columns, int, text } from '../sql/rows.ts'

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

/** What is left of a claim that was given `rows`. */
export function lessOf(claim: ClaimRequest, rows: readonly Columns[]): ClaimRequest {
  const limit = claim.limit - rows.length
  if (claim.queues === 'all') return { ...claim, limit }
  const given = (queue: string) => rows.filter((row) => row[3] === queue).length
  const queues = claim.queues.map(({ queue, max }) => ({ queue, max: Math.min(limit, max - given(queue)) }))
  return { ...claim, limit, queues: queues.filter(({ max }) => max > 0) }
}

/** Keeps the queues that gave all they might: they may have more. */
export function note(unfinished: Set<string>, shares: readonly QueueShare[], rows: readonly Columns[]): void {
  const given = new Map<string, number>()
  for (const row of rows) given.set(text(row[3]), (given.get(text(row[3])) ?? 0) + 1)
  for (const { queue, max } of shares) {
    if ((given.get(queue) ?? 0) >= max) unfinished.add(queue)
    else unfinished.delete(queue)
  }
}

/** The rows by share, then as the claim is ordered. */
export function inOrder(shares: readonly QueueShare[], rows: readonly Columns[]): Columns[] {
  const place = new Map(shares.map(({ queue }, i) => [queue, i]))
  const placeOf = (row: Columns) => place.get(text(row[3])) ?? 0
  const compare = (a: Columns, b: Columns) =>
    int(b[4]) - int(a[4]) || int(a[12]) - int(b[12]) || (text(a[0]) < text(b[0]) ? -1 : 1)
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
