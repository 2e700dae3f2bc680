/**
 * What a store remembers of the jobs that were claimed through it, so that settling them is quick: where each row lies, and
 * which have bonds. Those are hints: the statements say the whole fence, and what is wrong there costs a second try. Of each claim
 * it counts how many of its jobs are left, so that its row of leases (leases.ts) is dropped with the last: that is no hint, and
 * goes by the epoch, since a job that was given back may be claimed again before we hear that it was settled.
 */
import type { Lease, Settlement } from '../contract/index.ts'
import type { Settles } from './exchange-sql.ts'

/** More are not remembered: jobs whose leases were lost may never be settled from here. */
const MAX_HELD = 100_000
/** So many rows of leases are dropped by one statement, and so many wait for one; the rest goes when its time comes. */
const OVER_AT_ONCE = 64
const MAX_OVER = 1_000
/** After a batch that could not vanish, so many go the way that keeps what has to be kept, twice as many each time. */
const MAX_DETOUR = 64

/** The ways in which one statement settles, the first to try first. `spots`: where the rows are thought to lie. */
export interface Way {
  readonly kind: Settles
  readonly spots: readonly (number | null)[]
}

/** A row of leases: its id, and where it lies. */
export interface LeaseRow {
  readonly id: string
  readonly spot: number
}

/** One claim: its row of leases goes when none of its jobs is left. */
export interface Claim {
  readonly lease: LeaseRow
  left: number
}

interface HeldJob {
  readonly epoch: number
  /** Null: its row may lie elsewhere by now. */
  spot: number | null
  readonly isBound: boolean
  readonly claim: Claim
}

/** The hints about what is claimed here and not settled yet. */
export class Held {
  readonly #jobs = new Map<string, HeldJob>()
  readonly #over: LeaseRow[] = []
  #detour = 0
  #nextDetour = 1

  /** A claim that is noted in this row. */
  begin(lease: LeaseRow): Claim {
    return { lease, left: 0 }
  }

  /** A job of it. `spot`: where its row lies, null when that is not known; `isBound`: it is never settled by one statement. */
  hold(claim: Claim, { id, epoch }: Lease, spot: number | null, isBound: boolean): void {
    claim.left++
    this.#jobs.set(id, { epoch, spot, isBound, claim })
    if (this.#jobs.size <= MAX_HELD) return
    for (const oldest of this.#jobs.keys()) {
      this.#jobs.delete(oldest)
      return
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
  settled(leases: readonly Lease[]): void {
    for (const lease of leases) {
      const job = this.#held(lease)
      if (job === undefined) continue
      this.#jobs.delete(lease.id)
      if (--job.claim.left === 0) this.#over.push(job.claim.lease)
    }
    if (this.#over.length > MAX_OVER) this.#over.splice(0, this.#over.length - MAX_OVER)
  }

  /** It is held no longer by whoever claimed it here, or is settled elsewhere, if that is committed. */
  forget(lease: Lease): void {
    if (this.#held(lease) !== undefined) this.#jobs.delete(lease.id)
  }

  /** Takes out leases all of whose jobs have ended, to be dropped. */
  takeOver(): readonly LeaseRow[] {
    return this.#over.splice(0, OVER_AT_ONCE)
  }

  /** They were not dropped. */
  putBack(leases: readonly LeaseRow[]): void {
    this.#over.unshift(...leases)
  }

  /** What is held under this very claim: another one of the same job has another epoch. */
  #held({ id, epoch }: Lease): HeldJob | undefined {
    const job = this.#jobs.get(id)
    return job?.epoch === epoch ? job : undefined
  }

  /** How many jobs are held. */
  get size(): number {
    return this.#jobs.size
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
