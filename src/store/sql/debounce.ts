/**
 * Tells at once, then rests: what is to be told during the rest is told once, at its end. The rest is 8 ms, so that single jobs,
 * however regular, are told of at once; while there is something to tell at the end of each, it doubles up to 50 ms. Its owner may
 * have it longer for a time.
 */

/** From how many milliseconds to how many a rest is. */
export interface RestRange {
  readonly leastMs: number
  readonly mostMs: number
}

const USUAL: RestRange = { leastMs: 8, mostMs: 50 }

/** Gathers what is to be told. */
export class Debounce {
  readonly #tell: () => void
  readonly #range: () => RestRange
  #rest: NodeJS.Timeout | undefined
  /** When the rest began, by `performance.now()`. */
  #since = 0
  #restMs = 0
  #isDue = false

  /** `longer`: how long a rest is at present, where it is not as usual. */
  constructor(tell: () => void, longer: () => RestRange | undefined = () => undefined) {
    this.#tell = tell
    this.#range = () => longer() ?? USUAL
  }

  /** Tells now, or at the end of the rest. */
  due(): void {
    if (this.mayTell()) {
      this.#tell()
      return
    }
    this.#isDue = true
    const { mostMs } = this.#range()
    if (mostMs < this.#restMs) this.#restFor(mostMs)
  }

  /** Whether the caller may tell now, itself; a rest begins. */
  mayTell(): boolean {
    if (this.#rest !== undefined) return false
    this.#begin()
    return true
  }

  stop(): void {
    clearTimeout(this.#rest)
    this.#rest = undefined
    this.#restMs = 0
    this.#isDue = false
  }

  #begin(): void {
    const { leastMs, mostMs } = this.#range()
    this.#since = performance.now()
    this.#restFor(Math.min(mostMs, Math.max(leastMs, this.#restMs)))
  }

  #restFor(ms: number): void {
    clearTimeout(this.#rest)
    this.#restMs = ms
    this.#rest = setTimeout(() => this.#end(), Math.max(0, this.#since + ms - performance.now())).unref()
  }

  #end(): void {
    this.#rest = undefined
    this.#restMs = this.#isDue ? this.#restMs * 2 : 0
    if (!this.#isDue) return
    this.#isDue = false
    this.#begin()
    this.#tell()
  }
}
