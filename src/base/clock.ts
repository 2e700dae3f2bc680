/** Time as an argument: everything that asks for the time or waits takes a `Clock`. */

/** A source of time and of waiting. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Milliseconds from an arbitrary start that never go back. */
  monotonic(): number
  /** Calls `fn` once after `ms`; the returned function takes the call back. The wait does not keep the process alive. */
  after(ms: number, fn: () => void): () => void
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** A clock that stands still until `advance` moves it. For tests and simulation. */
export class ManualClock implements Clock {
  #now: number
  #elapsed = 0
  #nextId = 0
  readonly #timers = new Map<number, { readonly at: number; readonly fn: () => void }>()

  constructor(startAt = 1_767_225_600_000) {
    this.#now = startAt
  }

  now(): number {
    return this.#now + this.#elapsed
  }

  monotonic(): number {
    return this.#elapsed
  }

  after(ms: number, fn: () => void): () => void {
    const id = this.#nextId++
    this.#timers.set(id, { at: this.#elapsed + ms, fn })
    return () => this.#timers.delete(id)
  }

  /** Moves time on by `ms`, firing what becomes due in the order of its due time. */
  advance(ms: number): void {
    const end = this.#elapsed + ms
    for (;;) {
      const due = [...this.#timers].filter(([, t]) => t.at <= end).sort((a, b) => a[1].at - b[1].at || a[0] - b[0])[0]
      if (due === undefined) break
      this.#timers.delete(due[0])
      this.#elapsed = Math.max(this.#elapsed, due[1].at)
      due[1].fn()
    }
    this.#elapsed = end
  }

  /** Steps the wall clock without elapsed time, as an operator or NTP would. */
  step(ms: number): void {
    this.#now += ms
  }
}
