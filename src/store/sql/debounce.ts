/**
 * Tells at once, then rests: what is to be told during the rest is told once, at its end. The rest is 8 ms, so that single jobs,
 * however regular, are told of at once; while there is something to tell at the end of each, it doubles up to 50 ms.
 *
 * That jobs have ended, on which nothing depends, only who waits for their results wants to know. While claims find all they ask
 * for, there are many jobs before and behind those: it is told within 200 ms then, with whatever is told before. Each hint wakes
 * all other processes, which finds them at something else.
 */

const FIRST_REST_MS = 8
const LAST_REST_MS = 50
const ENDED_MS = 200
/** For so long a claim that found enough tells that the next one will. */
const BUSY_MS = 500

/** Gathers what is to be told. */
export class Debounce {
  readonly #tell: () => void
  #rest: NodeJS.Timeout | undefined
  #restMs = FIRST_REST_MS
  #isDue = false
  /** When it was told last, by `performance.now()`. */
  #toldAt = Number.NEGATIVE_INFINITY
  /** Set while jobs have ended that can wait to be told of. */
  #later: NodeJS.Timeout | undefined
  #busyUntil = 0

  constructor(tell: () => void) {
    this.#tell = tell
  }

  /** Tells now, or at the end of the rest. */
  due(): void {
    if (this.mayTell()) this.#tell()
    else this.#isDue = true
  }

  /** Jobs have ended on which nothing depends: tells now, or within 200 ms after the last time while claims find enough. */
  ended(): void {
    if (!this.isBusy) {
      this.due()
      return
    }
    if (this.#isDue || this.#later !== undefined) return
    const leftMs = this.#toldAt + ENDED_MS - performance.now()
    if (leftMs <= 0) this.due()
    else this.#later = setTimeout(() => this.#hurry(), leftMs).unref()
  }

  /** A claim is answered. `isEnough`: it got all that it asked for, and there is more. */
  found(isEnough: boolean): void {
    this.#busyUntil = isEnough ? performance.now() + BUSY_MS : 0
    if (!isEnough) this.#hurry()
  }

  /** Whether claims are known to find enough. */
  get isBusy(): boolean {
    return performance.now() < this.#busyUntil
  }

  /** Whether the caller may tell now, itself; a rest begins. */
  mayTell(): boolean {
    if (this.#rest !== undefined) return false
    this.#begin()
    return true
  }

  stop(): void {
    this.#forgetLater()
    clearTimeout(this.#rest)
    this.#rest = undefined
    this.#restMs = FIRST_REST_MS
    this.#isDue = false
  }

  /** What could wait is due now. */
  #hurry(): void {
    if (this.#later === undefined) return
    this.#forgetLater()
    this.due()
  }

  #forgetLater(): void {
    clearTimeout(this.#later)
    this.#later = undefined
  }

  #begin(): void {
    this.#forgetLater()
    this.#toldAt = performance.now()
    this.#rest = setTimeout(() => {
      this.#rest = undefined
      this.#restMs = this.#isDue ? Math.min(LAST_REST_MS, this.#restMs * 2) : FIRST_REST_MS
      if (!this.#isDue) return
      this.#isDue = false
      this.#begin()
      this.#tell()
    }, this.#restMs).unref()
  }
}
