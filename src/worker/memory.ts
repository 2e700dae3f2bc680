/**
 * Keeps the process of a worker small when it is the worker's own (`dedicated`). V8's young generation grows with whatever
 * survives in it, to a hundred MiB under load, and is not given back; here it stays as it is at the start, at the same speed. When
 * work rests, what the burst has left is collected and its pages go back to the system. After 100,000 jobs a worker on PostgreSQL
 * is 28 MiB above bare Node (bench/, scenario f-memory), without this 165.
 *
 * Both are the whole process's: its young generation, and a pause of 50 to 100 ms. So it is not done to an app that has a worker
 * beside its own work.
 */
import { setFlagsFromString } from 'node:v8'
// allow eval: the one word that is run is a constant; V8 gives `gc` to new contexts only
import { runInNewContext } from 'node:vm'
import type { Clock } from '../base/clock.ts'

/** Rest before it is worth collecting. */
const REST_MS = 500
/** Fewer jobs leave little behind. */
const MIN_JOBS = 1_000

/**
 * Lets the young generation grow no more, for good, and has it collected by this thread alone: of 1 MiB there is nothing to share
 * that is worth waking others. V8 reads these flags each time.
 */
export function keepYoungSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--no-parallel-scavenge')
}

/** Threads that want the collector at the same moment; each try of one takes microseconds. */
const MOST_TRIES = 1_000

let collector: ((options: object) => void) | undefined

/** Collects all garbage of this thread and gives free pages back. Takes 50 to 100 ms where little lives. */
export function collectAll(): void {
  // The flag is all threads': another may put it back before this one has used it.
  for (let tries = 0; collector === undefined && tries < MOST_TRIES; tries++) {
    setFlagsFromString('--expose-gc')
    const gc: unknown = runInNewContext("typeof gc === 'function' ? gc : undefined")
    setFlagsFromString('--no-expose-gc')
    // V8's own takes such options.
    if (typeof gc === 'function') collector = gc as (options: object) => void
  }
  collector?.({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/** Collects once work has rested, after enough of it. */
export class RestCollector {
  readonly #clock: Clock
  readonly #done: () => number
  readonly #isIdle: () => boolean
  readonly #collect: () => void
  #doneAtRest = 0
  #doneAtCollect = 0
  #cancel: (() => void) | undefined

  /** `done`: how many jobs were done so far; `isIdle`: nothing runs. */
  constructor(clock: Clock, done: () => number, isIdle: () => boolean, collect: () => void = collectAll) {
    this.#clock = clock
    this.#done = done
    this.#isIdle = isIdle
    this.#collect = collect
  }

  /** Nothing runs and nothing waits. May be told as often as it is so. */
  rested(): void {
    const done = this.#done()
    if (done - this.#doneAtCollect < MIN_JOBS || done === this.#doneAtRest) return
    this.#doneAtRest = done
    this.#cancel?.()
    this.#cancel = this.#clock.after(REST_MS, () => {
      // Work went on meanwhile, or goes on: its own rest will come.
      if (this.#done() !== done || !this.#isIdle()) return
      this.#doneAtCollect = done
      this.#collect()
    })
  }

  stop(): void {
    this.#cancel?.()
  }
}
