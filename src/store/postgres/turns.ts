/**
 * Claims of those who are busy take turns, over all workers: each begins where the last one ended (cursor-sql.ts), so of several at
 * once the later ones step over the rows that the first is taking.
 *
 * A turn only saves work, nothing relies on it: whoever waits for a second (its holder may be a process that was stopped), or is
 * refused, goes on without, and asks again later. It is a lock of the session, by number. The lock, what it is taken for and its end
 * are sent together, so that it costs no trip and is held for no longer than the server works; what failed to be taken is
 * not there to be ended, which the server finds odd and says in a warning.
 */
import { createHash } from 'node:crypto'

/** Two, so that a worker alone, which has two claims under way, waits for nobody. */
const TURNS = 2
const WAIT_MS = 1_000
/** Of a call's deadline, so much is waited for a turn at most. */
const SHARE = 0.25
/** So long nobody asks for a turn, in milliseconds, after one did not come. */
const REST_MS = 5_000

const TAKE = "SELECT set_config('lock_timeout', $2::text, true), pg_advisory_lock($1::bigint)"
const LEAVE = 'SELECT pg_advisory_unlock($1::bigint)'

/** What a turn needs of a connection. */
export interface TurnTaker {
  query(text: string, values: readonly string[]): Promise<unknown>
  destroy(): void
}

/** The turns of one schema. */
export class Turns {
  /** The numbers of their locks. */
  readonly keys: readonly string[]
  readonly #waitMs: number
  /** How many of this process hold each turn, or wait for it. */
  readonly #taken: number[]
  #notBefore = 0

  /** `deadlineMs`: how long a call may take in all. */
  constructor(schema: string, deadlineMs: number) {
    this.#waitMs = Math.ceil(Math.min(WAIT_MS, SHARE * deadlineMs))
    const hash = createHash('sha256').update(`millrace turn of ${schema}`).digest()
    this.keys = Array.from({ length: TURNS }, (_, i) => String(hash.readBigInt64BE(8 * i)))
    this.#taken = this.keys.map(() => 0)
  }

  /** Calls `send`, which sends one statement at once, in a turn where one is to be had. */
  async during<T>(taker: TurnTaker, send: () => Promise<T>): Promise<T> {
    if (performance.now() < this.#notBefore) return send()
    const turn = this.#taken.indexOf(Math.min(...this.#taken))
    const key = this.keys[turn] ?? ''
    this.#count(turn, 1)
    const taking = taker.query(TAKE, [key, `${this.#waitMs}ms`]).then(
      () => true,
      () => false,
    )
    const sent = send()
    const leaving = taker.query(LEAVE, [key])
    // A turn that cannot be given back ends with its connection.
    leaving.catch(() => taker.destroy())
    const answer = await sent.finally(() => this.#count(turn, -1))
    if (!(await taking)) this.#notBefore = performance.now() + REST_MS
    return answer
  }

  #count(turn: number, change: number): void {
    this.#taken[turn] = (this.#taken[turn] ?? 0) + change
  }
}
