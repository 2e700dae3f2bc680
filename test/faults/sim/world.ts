/**
 * A world of virtual time: actors (workers, producers, the store) to whom things happen, one after the other, in the order of
 * their instants and of a seeded tie. Nothing else makes time pass, so a run with the same seed is the same run.
 *
 * The code under test is real and asynchronous. Its promises settle in microtasks, and all of them have run before the next
 * thing happens: see `run`. Its timers are happenings of its actor: while the actor is paused they wait, as those of a stopped
 * process do, and when it is dead they are gone.
 */
import type { Clock } from '../../../src/base/clock.ts'
import { Chance, mixed } from './chance.ts'
import { EventHeap, type Happening } from './event-heap.ts'

/** The instant at which every world begins, milliseconds since the Unix epoch. */
export const BEGINNING = 1_767_225_600_000
/** The shortest time that anything takes, and a turn of an event loop. */
const INSTANT_MS = 0.02
/** Far more than any run needs: a run that goes on for longer turns in circles. */
const MOST_TURNS = 400_000

/** Stands for every slot at once. */
export const EVERY_SLOT = -1
const NO_SLOT = -2

/** What a process is there for; `world`: it is none of those that call the store. */
export type Role = 'worker' | 'supervisor' | 'producer' | 'operator' | 'world'

/** Who something happens to: a process, which may stand still or be gone. */
export class Actor {
  readonly name: string
  readonly role: Role
  /** Which worker process or whose supervisor it is, from 0; below: none. */
  readonly slot: number
  /** A number made of its name. */
  readonly key: number
  isPaused = false
  diedAt = Number.POSITIVE_INFINITY
  /** What became due while it stood still. */
  held: Due[] = []
  /** Timers of its own that are still to come; those of user code are not counted. */
  timers = 0

  constructor(name: string, role: Role = 'world', slot = NO_SLOT) {
    this.name = name
    this.role = role
    this.slot = slot
    this.key = keyOf(name)
  }

  get isDead(): boolean {
    return this.diedAt !== Number.POSITIVE_INFINITY
  }
}

interface Due extends Happening {
  readonly actor: Actor
}

/** How an actor's clock differs from the world's. */
export interface Watch {
  /** How far its wall clock is ahead. */
  readonly skewMs: number
  /** How fast its monotonic clock runs: 1 is right. */
  readonly pace: number
}

/** Virtual time, and everybody in it. */
export class World {
  /** Milliseconds since the beginning. */
  now = 0
  /** How many things have happened. */
  turns = 0
  /** A hash of all that has happened so far, in its order. */
  hash = 0
  /** To whom something happens now. */
  current = new Actor('world')
  /** One line for each thing worth telling; undefined: nobody reads them. */
  readonly trace: string[] | undefined
  readonly #heap = new EventHeap<Due>()
  readonly #ties: Chance

  constructor(seed: number, salt: number, isTraced: boolean) {
    this.#ties = new Chance(seed, 1, salt)
    this.trace = isTraced ? [] : undefined
  }

  /** Lets something happen to an actor in `ms`; the returned function takes it back. */
  after(actor: Actor, ms: number, run: () => void, isTimer = false): () => void {
    const due: Due = { at: this.now + Math.max(INSTANT_MS, ms), tie: this.#ties.next(), isTimer, actor, run }
    this.#heap.push(due)
    return () => {
      due.run = undefined
    }
  }

  /** The next turn of the event loop of whoever runs now. */
  soon(run: () => void): void {
    this.after(this.current, INSTANT_MS, run)
  }

  /** The actor stands still: time goes on without it. */
  pause(actor: Actor): void {
    actor.isPaused = true
  }

  /** It goes on: what became due meanwhile happens now, its timers before or after what came from outside. */
  resume(actor: Actor): void {
    if (!actor.isPaused) return
    actor.isPaused = false
    const isTimersFirst = this.#ties.flip(0.5)
    const held = actor.held.sort((a, b) => {
      if (a.isTimer !== b.isTimer) return a.isTimer === isTimersFirst ? -1 : 1
      return a.at - b.at || a.tie - b.tie
    })
    actor.held = []
    const tie = this.#ties.next()
    for (const [i, due] of held.entries()) {
      due.at = this.now + INSTANT_MS
      due.tie = tie + i * 1e-9
      this.#heap.push(due)
    }
  }

  /** The actor is gone, with all that it was going to do. */
  kill(actor: Actor): void {
    actor.diedAt = this.now
    actor.held = []
  }

  /** A clock of the actor's own. Timers come up to a millisecond early and some late, as Node's do. */
  clockOf(actor: Actor, { skewMs, pace }: Watch): Clock {
    return {
      now: () => Math.floor(BEGINNING + this.now + skewMs),
      monotonic: () => this.now * pace,
      after: (ms, fn) => {
        actor.timers++
        let isOver = false
        const end = () => {
          if (!isOver) actor.timers--
          isOver = true
        }
        const fire = () => {
          end()
          fn()
        }
        const takeBack = this.after(actor, Math.max(1, ms / pace) + this.#ties.between(-0.9, 1.5), fire, true)
        return () => {
          end()
          takeBack()
        }
      },
    }
  }

  /** Takes a fact into the hash. */
  note(...facts: readonly number[]): void {
    for (const fact of facts) this.hash = mixed(this.hash, fact)
  }

  tell(line: () => string): void {
    this.trace?.push(`${(this.now / 1000).toFixed(4).padStart(9)} ${line()}`)
  }

  /**
   * Lets things happen until `isOver`, all within one turn of the machine's own event loop, so that nothing else of this
   * process comes between. After each, Node runs every microtask there is before it takes the next tick, which a microtask
   * asked for: so whatever follows from one thing has followed before the next.
   */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const settled = Promise.resolve()
      const turn = (): void => {
        try {
          if (isOver() || !this.#step()) resolve()
          else settled.then(again)
        } catch (error) {
          reject(error)
        }
      }
      const again = (): void => process.nextTick(turn)
      again()
    })
  }

  /** One thing happens. False when nothing is left. */
  #step(): boolean {
    for (let due = this.#heap.pop(); due !== undefined; due = this.#heap.pop()) {
      const { actor, run } = due
      if (run === undefined || actor.isDead) continue
      if (due.at > this.now) this.now = due.at
      if (actor.isPaused) {
        actor.held.push(due)
        continue
      }
      if (++this.turns > MOST_TURNS) throw new Error(`still going on after ${MOST_TURNS} turns`)
      due.run = undefined
      this.current = actor
      this.note(actor.key, Math.round(this.now * 1000))
      run()
      return true
    }
    return false
  }
}

/** A number made of a name. */
export function keyOf(name: string): number {
  let key = 0
  for (let i = 0; i < name.length; i++) key = mixed(key, name.charCodeAt(i))
  return key
}
