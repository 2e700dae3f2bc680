/**
 * What a store remembers of the jobs that were claimed through it, so that settling them is quick: where each row lies, and
 * which have bonds. Only hints: the statements say the whole fence, and what is wrong here costs a second try. Of each claim it
 * counts how many of its jobs are left, so that its row of leases (leases.ts) is dropped with the last.
 */
import type { Settlement } from '../contract/index.ts'

/** More are not remembered: jobs whose leases were lost may never be settled from here. */
const MAX_HELD = 100_000
/** After a batch that could not vanish, so many go the way that keeps what has to be kept, twice as many each time. */
const MAX_DETOUR = 64

/** The ways in which one statement settles, the first to try first. `spots`: where the rows are thought to lie. */
export interface Way {
  readonly kind: 'both' | 'forget' | 'vanish'
  readonly spots: readonly (number | null)[]
}

/** A row of leases: its id, and where it lies. */
export interface LeaseRow {
  readonly id: string
  readonly spot: number
}

/** One claim: its row of leases goes when none of its jobs is left. */
interface Claim {
  readonly lease: LeaseRow
  left: number
}

interface HeldJob {
  /** Null: its row may lie elsewhere by now. */
  spot: number | null
  readonly isBound: boolean
  readonly claim: Claim
}

/** A job as its claim left it. */
export interface HeldRow {
  readonly id: string
  readonly spot: number | null
  /** It has dependents or a unique key: never settled by one statement. */
  readonly isBound: boolean
}

/** The hints about what is claimed here and not settled yet. */
export class Held {
  readonly #jobs = new Map<string, HeldJob>()
  readonly #over = new Set<LeaseRow>()
  #detour = 0
  #nextDetour = 1

  /** Jobs of one claim, which is noted in this row. */
  claimed(rows: readonly HeldRow[], lease: LeaseRow): void {
    const claim = { lease, left: rows.length }
    for (const { id, spot, isBound } of rows) this.#jobs.set(id, { spot, isBound, claim })
    for (const oldest of this.#jobs.keys()) {
      if (this.#jobs.size <= MAX_HELD) return
      this.#jobs.delete(oldest)
    }
  }

  isBound(id: string): boolean {
    return this.#jobs.get(id)?.isBound === true
  }

  /** Something is written about these jobs: their rows lie elsewhere now. */
  moved(leases: readonly { readonly id: string }[]): void {
    for (const { id } of leases) {
      const job = this.#jobs.get(id)
      if (job !== undefined) job.spot = null
    }
  }

  /** They are settled, and that is committed. */
  settled(leases: readonly { readonly id: string }[]): void {
    for (const { id } of leases) {
      const job = this.#jobs.get(id)
      if (job === undefined) continue
      this.#jobs.delete(id)
      if (--job.claim.left === 0) this.#over.add(job.claim.lease)
    }
  }

  /** It is held no longer by whoever claimed it here, or is settled elsewhere, if that is committed. */
  forget({ id }: { readonly id: string }): void {
    this.#jobs.delete(id)
  }

  /** The leases all of whose jobs have ended. */
  get over(): readonly LeaseRow[] {
    return [...this.#over]
  }

  /** Their rows are gone. */
  dropped(leases: readonly LeaseRow[]): void {
    for (const lease of leases) this.#over.delete(lease)
  }

  /** How to settle these, which are completed. */
  waysOf(settle: readonly Settlement[]): readonly Way[] {
    const spots = settle.map(({ id }) => this.#jobs.get(id)?.spot ?? null)
    const kind = settle.some(isForgotten) ? 'forget' : 'both'
    const safe: Way = { kind, spots: settle.map(() => null) }
    const isAlone = settle.every((one) => one.epoch === 1 && isForgotten(one))
    if (isAlone && this.#detour-- <= 0) return [{ kind: 'vanish', spots }, safe]
    return spots.every((spot) => spot === null) ? [safe] : [{ kind, spots }, safe]
  }

  /** How that way went. */
  went({ kind }: Way, isSettled: boolean): void {
    if (kind !== 'vanish') return
    this.#detour = isSettled ? 0 : this.#nextDetour
    this.#nextDetour = isSettled ? 1 : Math.min(MAX_DETOUR, 2 * this.#nextDetour)
  }
}

/** Nothing is to be kept of it but its id. */
export function isForgotten(settlement: Settlement): boolean {
  return settlement.to === 'completed' && settlement.forget === true
}
