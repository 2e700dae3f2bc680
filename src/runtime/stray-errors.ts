/**
 * Errors that reached nobody. One leaves a process in a state that nobody knows; which job it came from cannot be told, so none is
 * accused: a successor is asked for, and this process finishes what it can.
 *
 * It works for some seconds first, so that a handler which leaves such an error each time does not keep a node busy with starts. A
 * successor may be refused, or fail to start, and nobody tells: whoever goes on leaving errors after that asks again. When there is
 * one, what its predecessor still asks is heard by nobody.
 */
import type { Clock } from '../base/clock.ts'

/** What successors are asked for with. */
export interface SuccessorRequestsParts {
  readonly clock: Clock
  /** How old this process is. */
  readonly ageMs: number
  readonly ask: (why: string) => void
}

/** A process is not replaced for an error of a handler before it is so old. */
const LEAST_LIFE_MS = 10_000
/** So long after a request an error asks again: the successor should have been there by then. */
const AGAIN_MS = 60_000

/** Asks for a successor at a stray error, but not at those of the minute after a request. */
export class SuccessorRequests {
  readonly #parts: SuccessorRequestsParts
  /** Monotonic ms at which the process is old enough. */
  readonly #grownAt: number
  /** Monotonic ms before which no error asks. */
  #againAt = Number.NEGATIVE_INFINITY

  constructor(parts: SuccessorRequestsParts) {
    this.#parts = parts
    this.#grownAt = parts.clock.monotonic() + LEAST_LIFE_MS - parts.ageMs
  }

  /** An error has reached nobody. `why` is what is told of it when it asks. */
  strayed(why: string): void {
    const { clock, ask } = this.#parts
    const now = clock.monotonic()
    if (now < this.#againAt) return
    const askAt = Math.max(now, this.#grownAt)
    this.#againAt = askAt + AGAIN_MS
    clock.after(askAt - now, () => ask(why))
  }
}

/** From here on errors that nothing in this process catches are written to stderr and ask for a successor, instead of ending it. */
export function outliveStrayErrors(clock: Clock, ask: (why: string) => void): void {
  const requests = new SuccessorRequests({ clock, ageMs: process.uptime() * 1000, ask })
  const stray = (kind: string) => (error: unknown) => {
    console.error(kind, error)
    requests.strayed(`${kind} (${firstLine(error)})`)
  }
  process.on('uncaughtException', stray('an error that no handler caught'))
  process.on('unhandledRejection', stray('a rejection that no handler caught'))
}

function firstLine(error: unknown): string {
  try {
    return String(error).split('\n')[0] ?? ''
  } catch {
    return 'an error that cannot be read' // A getter of the user's throws.
  }
}
