/** Those who wait for a connection of a pool: urgent calls first, others now and then between them. */

/** One who waits. */
export interface Waiting<C> {
  readonly isUrgent: boolean
  /** When it waits no longer, by `performance.now()`. */
  readonly deadline: number
  readonly give: (connection: C) => void
  readonly refuse: (error: unknown) => void
  /** A connection is being opened because of it. */
  isOpening: boolean
  /** Why none could be opened for it, while others were: it waits for one of those, and is told this when none comes in time. */
  refusal: unknown
}

/** With calls of both kinds waiting, each so many-th place is given to one that is not urgent. */
const OTHERS_TURN = 8

/** The line of one pool. */
export class Line<C> {
  readonly #urgent: Waiting<C>[] = []
  readonly #others: Waiting<C>[] = []
  #turn = 0

  /** Waits until the deadline. `onJoined`: called with the one who waits, once in line. */
  join(isUrgent: boolean, deadline: number, late: () => unknown, onJoined: (waiting: Waiting<C>) => void): Promise<C> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        if (this.leave(waiting)) reject(waiting.refusal ?? late())
      }, leftUntil(deadline))
      const waiting: Waiting<C> = {
        isUrgent,
        deadline,
        isOpening: false,
        refusal: undefined,
        give(connection) {
          clearTimeout(timer)
          resolve(connection)
        },
        refuse(error) {
          clearTimeout(timer)
          reject(error)
        },
      }
      this.#of(isUrgent).push(waiting)
      onJoined(waiting)
    })
  }

  /** Takes it out; tells whether it was in it still. */
  leave(waiting: Waiting<C>): boolean {
    const line = this.#of(waiting.isUrgent)
    const at = line.indexOf(waiting)
    if (at >= 0) line.splice(at, 1)
    return at >= 0
  }

  /** Takes out who is the next to be given a connection. `mayServeOthers`: calls that are not urgent may have one. */
  next(mayServeOthers: boolean): Waiting<C> | undefined {
    const others = mayServeOthers ? this.#others : []
    // A busy worker has urgent calls all the time.
    const isOthersTurn = others.length > 0 && ++this.#turn % OTHERS_TURN === 0
    return this.#urgent.length > 0 && !isOthersTurn ? this.#urgent.shift() : others.shift()
  }

  /** All, urgent ones first. */
  get all(): readonly Waiting<C>[] {
    return [...this.#urgent, ...this.#others]
  }

  #of(isUrgent: boolean): Waiting<C>[] {
    return isUrgent ? this.#urgent : this.#others
  }
}

/** How long until then: none when the event loop stood still meanwhile. Node warns of timers that should have fired before. */
export function leftUntil(deadline: number): number {
  return Math.max(0, deadline - performance.now())
}
