/**
 * Large claims of all workers take turns, two at a time. Each reads from the front of the ready table past the rows that others
 * are taking, and passing over a locked row costs more than taking a free one: four workers did 12,000 jobs a second, with turns
 * they do 17,000 (MariaDB 10.11, 2 EPYC cores: bench/, scenario fleet); with more it would be worse.
 *
 * A turn only saves work, nothing relies on it: whoever waits for a second (its holder may be a process that was stopped), or
 * is refused (some clusters know no such locks), goes on without, and asks again later. It is a lock of the connection, by name,
 * so it ends with it.
 */
import { createHash } from 'node:crypto'
import { isLost } from './errors.ts'

/** Two, so that a worker alone, which has two claims under way, waits for nobody. */
const TURNS = 2
/** So long nobody asks for a turn, in milliseconds, after one did not come. */
const REST_MS = 5_000

const TAKE = 'SELECT GET_LOCK(?, 1)'
const LEAVE = 'SELECT RELEASE_LOCK(?)'

/** What a turn needs of a connection. */
export interface TurnTaker {
  readonly isBroken: boolean
  aside(text: string, values: readonly string[]): Promise<{ readonly rows: readonly (readonly unknown[])[] }>
  destroy(): void
}

/** The turns of one database. */
export class Turns {
  /** The names of their locks. */
  readonly names: readonly string[]
  readonly #held = new WeakMap<TurnTaker, number>()
  /** How many of this process hold each turn, or wait for it. */
  readonly #taken: number[]
  #notBefore = 0

  /** `database`: names of locks are the whole server's. */
  constructor(database: string) {
    const hash = createHash('sha256').update(database).digest('hex').slice(0, 24)
    this.names = Array.from({ length: TURNS }, (_, i) => `millrace.${hash}.${i}`)
    this.#taken = this.names.map(() => 0)
  }

  /** Waits for a turn, for a second at most. Before anything is locked. */
  async take(taker: TurnTaker): Promise<void> {
    if (performance.now() < this.#notBefore) return
    const turn = this.#taken.indexOf(Math.min(...this.#taken))
    this.#count(turn, 1)
    let isTaken = false
    try {
      const { rows } = await taker.aside(TAKE, [this.#name(turn)])
      isTaken = Number(rows[0]?.[0]) === 1
    } catch (error) {
      if (isLost(error)) throw error
    } finally {
      if (isTaken) this.#held.set(taker, turn)
      else this.#count(turn, -1)
    }
    if (!isTaken) this.#notBefore = performance.now() + REST_MS
  }

  /** Ends the turn, if there is one. Returns at once: what the connection is asked next waits for it. */
  leave(taker: TurnTaker): void {
    const turn = this.#held.get(taker)
    if (turn === undefined) return
    this.#held.delete(taker)
    this.#count(turn, -1)
    // A turn that cannot be given back ends with its connection.
    if (!taker.isBroken) taker.aside(LEAVE, [this.#name(turn)]).catch(() => taker.destroy())
  }

  #name(turn: number): string {
    return this.names[turn] ?? ''
  }

  #count(turn: number, change: number): void {
    this.#taken[turn] = (this.#taken[turn] ?? 0) + change
  }
}
