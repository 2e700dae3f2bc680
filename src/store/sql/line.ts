/** Those who wait for a connection of a pool: heartbeats first, then urgent calls, ordinary ones now and then between those. */
import type { Urgency } from './shares.ts'

/** One who waits. */
export interface Waiting<C> {
  readonly urgency: Urgency
  /** When it waits no longer, by `performance.now()`. */
  readonly deadline: number
  readonly give: (connection: C) => void
  readonly refuse: (error: unknown) => void
  /** A connection is being opened because of it. */
  isOpening: boolean
  /** Why none could be opened for it, while others were: it waits for one of those, and is told this when none comes in time. */
  refusal: unknown
}

/** With urgent and ordinary calls waiting, each so many-th place is given to an ordinary one. */
const ORDINARY_TURN = 8

/** The line of one pool. */
export class Line<C> {
  readonly #lines: Record<Urgency, Waiting<C>[]> = { heartbeat: [], urgent: [], ordinary: [] }
  #turn = 0

  /** Waits until the deadline. `onJoined`: called with the one who waits, once in line. */
  join(urgency: Urgency, deadline: number, late: () => unknown, onJoined: (waiting: Waiting<C>) => void): Promise<C> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        if (this.leave(waiting)) reject(waiting.refusal ?? late())
      }, leftUntil(deadline))
      const waiting: Waiting<C> = {
        urgency,
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
      this.#lines[urgency].push(waiting)
      onJoined(waiting)
    })
  }

  /** Takes it out; tells whether it was in it still. */
  leave(waiting: Waiting<C>): boolean {
    const line = this.#lines[waiting.urgency]
    const at = line.indexOf(waiting)
    if (at >= 0) line.splice(at, 1)
    return at >= 0
  }

  /** Takes out who is the next to be given a connection, of those that `may` have one. */
  next(may: (urgency: Urgency) => boolean): Waiting<C> | undefined {
    const { heartbeat, urgent, ordinary } = this.#lines
    if (heartbeat.length > 0) return heartbeat.shift()
    const [isUrgent, isOrdinary] = [urgent.length > 0 && may('urgent'), ordinary.length > 0 && may('ordinary')]
    // A busy worker has urgent calls all the time.
    const isOrdinaryTurn = isOrdinary && ++this.#turn % ORDINARY_TURN === 0
    if (isUrgent && !isOrdinaryTurn) return urgent.shift()
    return isOrdinary ? ordinary.shift() : undefined
  }

  /** All, the most urgent first. */
  get all(): readonly Waiting<C>[] {
    const { heartbeat, urgent, ordinary } = this.#lines
    return [...heartbeat, ...urgent, ...ordinary]
  }
}

/** How long until then: none when the event loop stood still meanwhile. Node warns of timers that should have fired before. */
export function leftUntil(deadline: number): number {
  return Math.max(0, deadline - performance.now())
}
