/**
 * Wake hints between processes. There is nothing to listen to on these servers, so one row counts the hints, and whoever
 * listens reads it: every 5 ms after something happened, growing to 250 ms while nothing does.
 *
 * A hint says only that something changed: jobs became claimable, ended, or were asked to stop. The first goes at once; those
 * that follow within 50 ms become one. Our own are not told from others': a listener that hears itself looks once in vain.
 */
import { int } from '../sql/rows.ts'
import type { MysqlDatabase } from './database.ts'

const PAUSE_MS = 50
const FIRST_POLL_MS = 5
const LAST_POLL_MS = 250
const GROWTH = 1.2
const TELL = 'UPDATE millrace_signal SET count = count + 1 WHERE id = 1'
const ASK = 'SELECT count FROM millrace_signal WHERE id = 1'

/** Tells and hears hints on one database. */
export class Wake {
  readonly #db: () => MysqlDatabase
  readonly #listeners = new Set<() => void>()
  #isOpen = false
  #isDue = false
  #pause: NodeJS.Timeout | undefined
  #poll: NodeJS.Timeout | undefined
  #pollMs = FIRST_POLL_MS
  #count: number | undefined
  #asking: Promise<void> | undefined

  constructor(db: () => MysqlDatabase) {
    this.#db = db
  }

  open(): void {
    this.#isOpen = true
  }

  async close(): Promise<void> {
    this.#isOpen = false
    clearTimeout(this.#pause)
    clearTimeout(this.#poll)
    this.#pause = undefined
    this.#listeners.clear()
    await this.#asking
  }

  /** Tells the others soon. Returns at once. */
  hint(): void {
    if (!this.#isOpen) return
    this.#hurry()
    if (this.#pause !== undefined) {
      this.#isDue = true
      return
    }
    this.#isDue = false
    this.#pause = setTimeout(() => {
      this.#pause = undefined
      if (this.#isDue) this.hint()
    }, PAUSE_MS).unref()
    // A hint that cannot be sent is lost: the poll finds what it was about.
    void this.#db()
      .read((session) => session.query(TELL))
      .catch(() => undefined)
  }

  /** Calls `onWake` after hints of other connections until the returned function is called. */
  subscribe(onWake: () => void): () => void {
    this.#listeners.add(onWake)
    this.#hurry()
    return () => {
      this.#listeners.delete(onWake)
    }
  }

  /** Polls often again, since something happened. */
  #hurry(): void {
    this.#pollMs = FIRST_POLL_MS
    if (this.#asking === undefined) this.#askLater()
  }

  #askLater(): void {
    clearTimeout(this.#poll)
    if (!this.#isOpen || this.#listeners.size === 0) return
    this.#poll = setTimeout(() => {
      this.#asking = this.#ask().finally(() => {
        this.#asking = undefined
        this.#askLater()
      })
    }, this.#pollMs).unref()
    this.#pollMs = Math.min(LAST_POLL_MS, this.#pollMs * GROWTH)
  }

  async #ask(): Promise<void> {
    let count: number
    try {
      count = await this.#db().read(async (session) => int((await session.query(ASK)).rows[0]?.[0]))
    } catch {
      // Out of reach for now: asked again later, less and less often.
      return
    }
    const before = this.#count
    this.#count = count
    if (before === undefined || before === count) return
    this.#pollMs = FIRST_POLL_MS
    for (const listener of this.#listeners) listener()
  }
}
