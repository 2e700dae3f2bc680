/**
 * Wake hints between processes. There is nothing to listen to on these servers, so one row counts the hints, and whoever
 * listens reads it, and which job is first in line, which is there a commit earlier: every 3 ms for half a second after something
 * happened, then less and less often, down to each 250 ms; a look of the worker's own tells as much, and counts as a poll. While
 * claims find all they ask for, hints tell a worker nothing new, and it is read each 50 ms, which is as late as others send them
 * under load: of four busy workers' time a tenth went into reading it.
 *
 * A hint says only that something changed: jobs became claimable, ended, or were asked to stop. The first goes at once; those
 * that follow within 8 to 50 ms become one. Our own are not told from others': a listener that hears itself looks once in vain.
 */
import { Debounce } from '../sql/debounce.ts'
import { int, textOrNull } from '../sql/rows.ts'
import type { MysqlDatabase } from './database.ts'

const FIRST_POLL_MS = 2
/** How long it is asked that often after something happened. */
const EAGER_MS = 500
const LAST_POLL_MS = 250
/** Between two polls while the claims of this process find enough. */
const BUSY_POLL_MS = 50
/** For so long a claim that found enough tells that the next one will. */
const BUSY_MS = 500
const GROWTH = 1.2
const TELL = 'UPDATE millrace_signal SET count = count + 1 WHERE id = 1'
const ASK =
  'SELECT count, (SELECT id FROM millrace_ready FORCE INDEX (PRIMARY) WHERE state = 2 LIMIT 1) AS id ' +
  'FROM millrace_signal WHERE id = 1'

/** Tells and hears hints on one database. */
export class Wake {
  readonly #db: () => MysqlDatabase
  readonly #listeners = new Set<() => void>()
  readonly #debounce = new Debounce(() => this.#tell())
  #isOpen = false
  #poll: NodeJS.Timeout | undefined
  #pollMs = FIRST_POLL_MS
  /** Until then, by `performance.now()`, the polls stay as they are. */
  #eagerUntil = 0
  /** Until then claims are known to find enough. */
  #busyUntil = 0
  #count: number | undefined
  /** The job that was first in line at the last poll. */
  #head: string | null = null
  #asking: Promise<void> | undefined

  constructor(db: () => MysqlDatabase) {
    this.#db = db
  }

  open(): void {
    this.#isOpen = true
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#debounce.stop()
    clearTimeout(this.#poll)
    this.#listeners.clear()
    await this.#asking
  }

  /** Tells the others soon. Returns at once. */
  hint(): void {
    if (!this.#isOpen) return
    this.#hurry()
    this.#debounce.due()
  }

  /** A claim is answered. `isEnough`: it got all that it asked for, and there is more. */
  found(isEnough: boolean): void {
    const wasBusy = this.#busyUntil > performance.now()
    this.#busyUntil = isEnough ? performance.now() + BUSY_MS : 0
    if (wasBusy && !isEnough) this.#hurry()
  }

  /** An exchange saw what a poll would: the next poll waits its time from now. */
  saw(count: number, head: string | null): void {
    if (this.#poll !== undefined) this.#askLater()
    this.#heard(count, head)
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
    if (this.#busyUntil <= performance.now()) this.#rouse()
    else if (this.#poll !== undefined) return
    if (this.#asking === undefined) this.#askLater()
  }

  #rouse(): void {
    this.#pollMs = FIRST_POLL_MS
    this.#eagerUntil = performance.now() + EAGER_MS
  }

  #askLater(): void {
    clearTimeout(this.#poll)
    this.#poll = undefined
    if (!this.#isOpen || this.#listeners.size === 0) return
    const isBusy = this.#busyUntil > performance.now()
    this.#poll = setTimeout(
      () => {
        this.#asking = this.#ask().finally(() => {
          this.#asking = undefined
          this.#askLater()
        })
      },
      isBusy ? BUSY_POLL_MS : this.#pollMs,
    ).unref()
    if (!isBusy && performance.now() > this.#eagerUntil) this.#pollMs = Math.min(LAST_POLL_MS, this.#pollMs * GROWTH)
  }

  #heard(count: number, head: string | null): void {
    const isNews = (this.#count !== undefined && this.#count !== count) || (head !== null && head !== this.#head)
    this.#count = count
    this.#head = head
    if (!isNews) return
    this.#rouse()
    for (const listener of this.#listeners) listener()
  }

  #tell(): void {
    // A hint that cannot be sent is lost: the poll finds what it was about.
    void this.#db()
      .read((session) => session.query(TELL))
      .catch(() => undefined)
  }

  async #ask(): Promise<void> {
    try {
      const { rows } = await this.#db().read((session) => session.query(ASK))
      this.#heard(int(rows[0]?.[0]), textOrNull(rows[0]?.[1] ?? null))
    } catch {
      // Out of reach for now: asked again later, less and less often.
    }
  }
}
