/**
 * Where the last claim stopped in each queue, so that the next one under load need not begin at the head of the index.
 *
 * What was claimed leaves dead entries at the head of `job_ready` until the table is vacuumed, and a claim that begins there
 * reads past all of them: 8.5 ms after 240,000 jobs, by EXPLAIN ANALYZE of the first row of `job_ready` (PostgreSQL 15, 2 EPYC
 * cores), for each of the two or three times that a statement walks it. So while claims are large and follow each other, they go on where the last one ended, within
 * its priority. A job that became claimable at an earlier place meanwhile (of a higher priority, given back, of a queue that had
 * nothing) is met by the next claim from the head: that is each 100 ms, or ten times what such a claim took, and whenever a
 * claim gets less than it asked for. Small claims always begin at the head.
 */
import type { ClaimRequest } from '../contract/index.ts'
import { type Columns, int, text } from '../sql/rows.ts'

/** Claims from here on may go on where the last ended: at so many rows reading past the dead costs little each. */
const MIN_ROWS = 32
const MIN_MS = 100
/** Of the time, a tenth at most goes into claims from the head. */
const SHARE = 10

/** A place in `job_ready`. */
export interface Place {
  readonly priority: number
  readonly runAt: number
  readonly id: string
}

/** The places of one worker's store. Times are milliseconds of the caller's monotonic clock. */
export class Streak {
  readonly #places = new Map<string, Place>()
  #until = 0

  /** The queues that this claim may go on in, with their places; null when it has to begin at the head. */
  of(claim: ClaimRequest, now: number): { readonly claim: ClaimRequest; readonly places: readonly Place[] } | null {
    if (claim.limit < MIN_ROWS || now >= this.#until || this.#places.size === 0) return null
    const even = Math.ceil(claim.limit / this.#places.size)
    const queues =
      claim.queues === 'all' ? [...this.#places.keys()].map((queue) => ({ queue, max: even })) : claim.queues
    const places = queues.map(({ queue }) => this.#places.get(queue))
    return places.every((place) => place !== undefined) ? { claim: { ...claim, queues }, places } : null
  }

  /** A claim from the head, which took `tookMs`, gave `rows`; the next may go on behind them. */
  begin(claim: ClaimRequest, rows: readonly Columns[], now: number, tookMs: number): void {
    this.#places.clear()
    this.#until = claim.limit < MIN_ROWS ? 0 : now + Math.max(MIN_MS, SHARE * tookMs)
    this.go(claim, rows)
  }

  /** A claim that went on gave `rows`. When that is less than it asked for, the next begins at the head. */
  go(claim: ClaimRequest, rows: readonly Columns[]): void {
    if (rows.length < mostOf(claim)) this.end()
    else
      for (const row of rows)
        this.#reached(text(row[3]), { priority: int(row[4]), runAt: int(row[12]), id: text(row[0]) })
  }

  end(): void {
    this.#until = 0
    this.#places.clear()
  }

  #reached(queue: string, place: Place): void {
    const last = this.#places.get(queue)
    if (last === undefined || isBehind(place, last)) this.#places.set(queue, place)
  }
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

function isBehind(a: Place, b: Place): boolean {
  if (a.priority !== b.priority) return a.priority < b.priority
  return a.runAt === b.runAt ? a.id > b.id : a.runAt > b.runAt
}
