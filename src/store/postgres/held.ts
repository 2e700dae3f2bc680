/**
 * What a store remembers of the jobs that were claimed through it, so that settling them is quick: where each row lies, and
 * which have bonds. Only hints: the statements say the whole fence, and what is wrong here costs a second try.
 */
import type { Settlement } from '../contract/index.ts'
import { type Columns, int, text } from '../sql/rows.ts'

/** More are not remembered: jobs whose leases were lost may never be settled from here. */
const MAX_SPOTS = 100_000
/** After a batch that could not vanish, so many go the way that keeps what has to be kept, twice as many each time. */
const MAX_DETOUR = 64

/** The ways in which one statement settles, the first to try first. `spots`: where the rows are thought to lie. */
export interface Way {
  readonly kind: 'both' | 'forget' | 'vanish'
  readonly spots: readonly (number | null)[]
}

/** The hints about what is claimed here and not settled yet. */
export class Held {
  readonly #spots = new Map<string, number>()
  readonly #bound = new Set<string>()
  #detour = 0
  #nextDetour = 1

  /** A row of the statement that claims. */
  claimed(row: Columns): void {
    const id = text(row[0])
    this.#spots.set(id, int(row[18]))
    if (row[16] === 1) this.#bound.add(id)
    if (this.#spots.size <= MAX_SPOTS) return
    const [oldest = id] = this.#spots.keys()
    this.#spots.delete(oldest)
  }

  /** It had dependents or a unique key when it was claimed: never settled by one statement. */
  isBound(id: string): boolean {
    return this.#bound.has(id)
  }

  /** Something is written about these jobs: their rows lie elsewhere now. */
  moved(leases: readonly { readonly id: string }[]): void {
    for (const { id } of leases) this.#spots.delete(id)
  }

  /** They are settled. */
  settled(leases: readonly { readonly id: string }[]): void {
    this.moved(leases)
    for (const { id } of leases) this.#bound.delete(id)
  }

  /** How to settle these, which are completed. */
  waysOf(settle: readonly Settlement[]): readonly Way[] {
    const spots = settle.map(({ id }) => this.#spots.get(id) ?? null)
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
