/**
 * Tells at once, then rests: what is to be told during the rest is told once, at its end. The rest is 8 ms, so that single jobs,
 * however regular, are told of at once; while there is something to tell at the end of each, it doubles up to 50 ms. What nobody
 * is in a hurry for may rest longer, and goes with whatever is told before.
 */

const FIRST_REST_MS = 8
const LAST_REST_MS = 50

/** Gathers what is to be told. */
export class Debounce {
  readonly #tell: () => void
  #rest: NodeJS.Timeout | undefined
  #restMs = FIRST_REST_MS
  #isDue = false
  /** When it was told last, by `performance.now()`. */
  #toldAt = Number.NEGATIVE_INFINITY
  /** Set while something is to be told that can wait. */
  #later: NodeJS.Timeout | undefined

  constructor(tell: () => void) {
    this.#tell = tell
  }

  /** Tells now, or at the end of the rest. */
  due(): void {
    if (this.mayTell()) this.#tell()
    else this.#isDue = true
  }

  /** Tells within `ms` after the last time, or together with what is told before that. */
  dueWithin(ms: number): void {
    if (this.#isDue || this.#later !== undefined) return
    const leftMs = this.#toldAt + ms - performance.now()
    if (leftMs <= 0) this.due()
    else this.#later = setTimeout(() => this.hurry(), leftMs).unref()
  }

  /** What could wait is due now. */
  hurry(): void {
    if (this.#later === undefined) return
    this.#forgetLater()
    this.due()
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
