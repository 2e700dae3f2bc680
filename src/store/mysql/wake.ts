/**
 * Wake hints between processes. One row counts them, since there is nothing to listen to on these servers, and whoever listens
 * reads it, and which job is first in line, which is there a commit earlier, and whether a caller's commit left a notice
 * (notices.ts): each 2 ms for half a second after something happened.
 * Then the server waits for us (waiting.ts), and sees a change within 40 ms; where it cannot, the row is read less and less often,
 * down to each 300 ms. While claims find all they ask for, hints tell a worker nothing new, and the row is read each 150 ms; every
 * exchange sees as much on its way, and puts the next reading off. A trip that finds a worker at something else costs it a fraction
 * of a millisecond: an eighth of the time of four busy workers went into reading the row each 50 ms.
 *
 * A hint says only that something changed: jobs became claimable, ended, or were asked to stop. The first goes at once; those
 * that follow within 8 to 50 ms become one; of jobs that ended, within 200 ms while claims find all they ask for. Our own are not
 * told from others': a listener that hears itself looks once in vain.
 */
import { Debounce } from '../sql/debounce.ts'
import { int, textOrNull } from '../sql/rows.ts'
import type { MysqlDatabase } from './database.ts'
import { countHint, takeNotices } from './notices.ts'
import type { Hints } from './opening.ts'
import { type News, Waiting } from './waiting.ts'

const FIRST_POLL_MS = 2
/** How long it is asked that often after something happened. */
const EAGER_MS = 500
const LAST_POLL_MS = 300
/** Between two polls while the claims of this process find enough; its exchanges come more often. */
const BUSY_POLL_MS = 150
const GROWTH = 1.2
/** While others take jobs from the front, it is told of no more often, in milliseconds. */
const HEADS_REST_MS = 50
/** A job that was seen before its commit is told of again after so long. */
const ECHOES_MS = [10, 50, 200]
/** So long notices are left alone, in milliseconds: after some were taken, since taking costs a commit; */
const TAKEN_REST_MS = 25
/** when all there were are somebody else's, who may stand still with them; */
const OTHERS_REST_MS = 250
/** after they could not be taken: most likely by a viewer, who may not. */
const REFUSED_REST_MS = 5_000
const ASK =
  'SELECT count, (SELECT id FROM millrace_ready FORCE INDEX (PRIMARY) WHERE state = 2 LIMIT 1) AS id, ' +
  '(SELECT seq FROM millrace_notice LIMIT 1) AS seq FROM millrace_signal WHERE id = 1'

/** Tells and hears hints on one database. */
export class Wake {
  readonly #db: () => MysqlDatabase
  readonly #listeners = new Set<() => void>()
  readonly #debounce = new Debounce(() => void this.#tell())
  #isTelling = false
  #isToTell = false
  #waiting: Waiting | undefined
  #isOpen = false
  #pollMs = FIRST_POLL_MS
  /** When all that a poll tells was last seen, by `performance.now()`. */
  #lookedAt = 0
  /** Until then, by `performance.now()`, something is expected soon. */
  #eagerUntil = 0
  /** How many hints there were, once that was asked for. */
  #count: number | undefined
  /** Which job was first in line: by what is committed, and by what is not. */
  #head: string | null = null
  #waitedHead: string | null = null
  /** When another job in front was last told of. */
  #headToldAt = 0
  /** Until then notices are left alone. */
  #noticesFrom = 0
  #listening: Promise<void> | undefined
  #endSleep: (() => void) | undefined
  #echoes: readonly NodeJS.Timeout[] = []

  constructor(db: () => MysqlDatabase) {
    this.#db = db
  }

  open(): void {
    this.#isOpen = true
    this.#waiting = new Waiting(this.#db().settings)
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#debounce.stop()
    this.#listeners.clear()
    this.#endSleep?.()
    for (const timer of this.#echoes) clearTimeout(timer)
    await this.#waiting?.close()
    await this.#listening
  }

  /** Tells the others soon. Returns at once. */
  hint(): void {
    if (!this.#isOpen) return
    this.#hurry()
    this.#debounce.due()
  }

  /** Tells the others, not as soon under load, that jobs have ended which nothing depends on. */
  ended(): void {
    if (!this.#isOpen) return
    this.#hurry()
    this.#debounce.ended()
  }

  /** A claim is answered. `isEnough`: it got all that it asked for, and there is more. */
  found(isEnough: boolean): void {
    const wasBusy = this.#debounce.isBusy
    this.#debounce.found(isEnough)
    if (!wasBusy || isEnough) return
    this.#rouse()
    this.#endSleep?.()
  }

  /** An exchange saw what a poll would. */
  saw(count: number, head: string | null): void {
    this.#heardOf({ count, head, isNoticed: false })
  }

  /** An exchange saw all that a poll would. A notice is left to the poll, which passes it on. */
  looked({ count, isNoticed }: Hints): void {
    if (!isNoticed || !this.#heedsNotices) this.#lookedAt = performance.now()
    this.#heardOf({ count, head: this.#head, isNoticed })
  }

  /** Calls `onWake` after hints of other connections until the returned function is called. */
  subscribe(onWake: () => void): () => void {
    this.#listeners.add(onWake)
    this.#hurry()
    if (this.#isOpen) this.#listening ??= this.#listen()
    return () => {
      this.#listeners.delete(onWake)
    }
  }

  /** Something happened: more may follow soon. */
  #hurry(): void {
    if (this.#debounce.isBusy) return
    const wasSlow = this.#pollMs > 2 * FIRST_POLL_MS
    this.#rouse()
    if (wasSlow) this.#endSleep?.()
  }

  #rouse(): void {
    this.#pollMs = FIRST_POLL_MS
    this.#eagerUntil = performance.now() + EAGER_MS
  }

  /** Hears hints for as long as there are listeners. */
  async #listen(): Promise<void> {
    while (this.#isOpen && this.#listeners.size > 0) {
      try {
        await this.#hear()
      } catch {
        // Out of reach for now: asked again later, less and less often.
        if (this.#isOpen) await this.#sleep(this.#pollMs)
        this.#slowDown()
      }
    }
    this.#listening = undefined
  }

  async #hear(): Promise<void> {
    const rests = !this.#debounce.isBusy && performance.now() > this.#eagerUntil
    if (this.#count !== undefined && rests && this.#waiting?.mayWait === true) {
      const known = { count: this.#count, head: this.#waitedHead }
      const news = await this.#waiting.wait(known, this.#heedsNotices)
      if (news === null) return
      const isFirst = this.#waitedHead === null
      this.#waitedHead = news.head
      if (this.#counted(news.count)) return
      if (news.isNoticed) {
        await this.#noticed()
        return
      }
      this.#headChanged(isFirst)
      if (!isFirst) await this.#sleep(HEADS_REST_MS)
      else this.#tellAgain()
      return
    }
    if (this.#count !== undefined && !(await this.#isDue())) return
    if (!this.#isOpen) return
    const { rows } = await this.#db().read((session) => session.query(ASK))
    this.#lookedAt = performance.now()
    const [count, head, notice] = rows[0] ?? []
    const isNoticed = notice !== null && notice !== undefined
    this.#heardOf({ count: int(count), head: textOrNull(head ?? null), isNoticed })
    if (isNoticed && this.#heedsNotices) await this.#noticed()
  }

  get #heedsNotices(): boolean {
    return performance.now() >= this.#noticesFrom
  }

  /** A caller's commit called for us, and for all others. */
  async #noticed(): Promise<void> {
    this.#wakeAll()
    let restMs = REFUSED_REST_MS
    try {
      const taken = await takeNotices(this.#db())
      restMs = taken > 0 ? TAKEN_REST_MS : OTHERS_REST_MS
      if (taken > 0) {
        this.#rouse()
        void this.#tell()
      }
    } catch {
      // Others pass them on, or the polls find what they are about: a hint may be lost.
    }
    this.#noticesFrom = performance.now() + restMs
  }

  /** Waits until nothing was seen for as long as lies between two polls. False: it is to be asked again. */
  async #isDue(): Promise<boolean> {
    const ms = this.#debounce.isBusy ? BUSY_POLL_MS : this.#pollMs
    const leftMs = this.#lookedAt + ms - performance.now()
    if (leftMs > 0) {
      await this.#sleep(leftMs)
      return false
    }
    if (!this.#debounce.isBusy) this.#slowDown()
    return true
  }

  #slowDown(): void {
    if (performance.now() > this.#eagerUntil) this.#pollMs = Math.min(LAST_POLL_MS, this.#pollMs * GROWTH)
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms).unref()
      this.#endSleep = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #heardOf({ count, head }: News): void {
    const before = this.#head
    const isFirst = this.#count === undefined
    this.#head = head
    if (this.#counted(count) || isFirst || head === null || head === before) return
    this.#headChanged(before === null)
  }

  /** Whether there were hints since; then all are told. */
  #counted(count: number): boolean {
    const before = this.#count
    this.#count = count
    if (before === undefined || before === count) return false
    this.#rouse()
    this.#wakeAll()
    return true
  }

  /** Another job is first in line. Where there was one before, that is most likely others' work: now and then is enough. */
  #headChanged(isFirst: boolean): void {
    const now = performance.now()
    if (isFirst) this.#rouse()
    else if (now - this.#headToldAt < HEADS_REST_MS) return
    this.#headToldAt = now
    this.#wakeAll()
  }

  /** The job may not be committed yet, and its commit tells of nothing. */
  #tellAgain(): void {
    for (const timer of this.#echoes) clearTimeout(timer)
    this.#echoes = ECHOES_MS.map((ms) => setTimeout(() => this.#wakeAll(), ms).unref())
  }

  #wakeAll(): void {
    for (const listener of this.#listeners) listener()
  }

  /** One at a time, since it may have to wait for the row: what is to be told meanwhile is told by the next one. */
  async #tell(): Promise<void> {
    this.#isToTell = true
    if (this.#isTelling) return
    this.#isTelling = true
    while (this.#isToTell) {
      this.#isToTell = false
      // A hint that cannot be sent is lost: the poll finds what it was about.
      await this.#db()
        .read(countHint)
        .catch(() => undefined)
    }
    this.#isTelling = false
  }
}
