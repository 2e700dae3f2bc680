/**
 * Large claims of all workers take turns, two at a time. Each reads from the front of the ready table past the rows that others
 * are taking, and passing over a locked row costs more than taking a free one: with four workers a job cost the server 150 µs
 * instead of 80 (MariaDB 10.11, 2 EPYC cores), with more it would be worse.
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
  execute(text: string, values: readonly string[]): Promise<{ readonly rows: readonly (readonly unknown[])[] }>
  destroy(): void
}

/** The turns of one database. */
export class Turns {
  /** The names of their locks. */
  readonly names: readonly string[]
  readonly #held = new WeakMap<TurnTaker, string>()
  #next = 0
  #notBefore = 0

  /** `database`: names of locks are the whole server's. */
  constructor(database: string) {
    const hash = createHash('sha256').update(database).digest('hex').slice(0, 24)
    this.names = Array.from({ length: TURNS }, (_, i) => `millrace.${hash}.${i}`)
  }

  /** Waits for a turn, for a second at most. Outside of a transaction. */
  async take(taker: TurnTaker): Promise<void> {
    if (performance.now() < this.#notBefore) return
    const name = this.names[this.#next++ % TURNS] ?? ''
    try {
      const { rows } = await taker.execute(TAKE, [name])
      if (Number(rows[0]?.[0]) === 1) this.#held.set(taker, name)
      else this.#notBefore = performance.now() + REST_MS
    } catch (error) {
      if (isLost(error)) throw error
      this.#notBefore = performance.now() + REST_MS
    }
  }

  /** Ends the turn, if there is one. Returns at once: what the connection is asked next waits for it. */
  leave(taker: TurnTaker): void {
    const name = this.#held.get(taker)
    if (name === undefined) return
    this.#held.delete(taker)
    // A turn that cannot be given back ends with its connection.
    if (!taker.isBroken) taker.execute(LEAVE, [name]).catch(() => taker.destroy())
  }
}
