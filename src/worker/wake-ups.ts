/**
 * When a worker with nothing to do looks again. Hints of the store come soon and may be missed; beneath them is a poll, which may
 * not. Where there was a job there may soon be another, and a server's hints come up to 50 ms late: it is asked after 5 ms, then 10,
 * and so on, until nothing came for a poll's time.
 */
import type { Clock } from '../base/clock.ts'
import type { Store } from '../store/contract/index.ts'

/** What wake-ups are made with. */
export interface WakeUpsParts {
  readonly clock: Clock
  readonly store: {
    readonly wake: Pick<Store['wake'], 'subscribe'>
    readonly capabilities: { readonly remote: boolean }
  }
  /** The time between two polls, at most. */
  readonly pollMs: number
  /** In [0, 1): spreads the polls of many workers. */
  readonly random: () => number
  /** There may be something to claim. */
  readonly onWake: () => void
}

/** On a server: how soon it is asked again after a claim that brought jobs. */
const FIRST_LOOK_MS = 5

/** The hints and the poll of one worker. */
export class WakeUps {
  readonly #parts: WakeUpsParts
  #lookMs = FIRST_LOOK_MS
  #cancelPoll: (() => void) | undefined
  /** Set while hints are not listened for. */
  #cancelQuiet: (() => void) | undefined
  #unsubscribe: (() => void) | undefined

  constructor(parts: WakeUpsParts) {
    this.#parts = parts
  }

  /** Listens for hints only from then on, whatever else is asked of it: on a server that takes a connection of its own. */
  beQuiet(forMs: number): void {
    this.#cancelQuiet = this.#parts.clock.after(forMs, () => {
      this.#cancelQuiet = undefined
      this.#subscribe()
    })
  }

  /** The store has answered: the poll counts from here once it is armed. `found`: something to claim; undefined: it was not asked. */
  answered(found: boolean | undefined): void {
    if (found !== undefined) this.#lookMs = found ? FIRST_LOOK_MS : Math.min(this.#lookMs * 2, this.#parts.pollMs)
    this.#endPoll()
  }

  /** Nothing to do now: listens for hints and arms the poll beneath them, where that is not done. */
  listen(): void {
    const { store, pollMs, clock, random, onWake } = this.#parts
    if (this.#cancelQuiet === undefined) this.#subscribe()
    // It counts from the last answer: heartbeats that come more often must not put it off.
    if (this.#cancelPoll !== undefined) return
    const most = store.capabilities.remote ? Math.min(this.#lookMs, pollMs) : pollMs
    this.#cancelPoll = clock.after(most * (0.8 + 0.2 * random()), () => {
      this.#cancelPoll = undefined
      onWake()
    })
  }

  /** Wakes nobody any more. */
  stop(): void {
    this.#endPoll()
    this.#cancelQuiet?.()
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
  }

  #subscribe(): void {
    const { store, onWake } = this.#parts
    this.#unsubscribe ??= store.wake.subscribe(() => onWake())
  }

  #endPoll(): void {
    this.#cancelPoll?.()
    this.#cancelPoll = undefined
  }
}
