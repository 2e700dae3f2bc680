/**
 * Workers whose every start has one possible cause. A worker's polls go by its clock, which stands still here until the test
 * moves it: what starts a job meanwhile is a hint. With its hints lost, as the contract allows, what starts one is a poll,
 * within the time that the test lets pass. So no test has to measure how long a busy machine takes.
 */
import { expect, onTestFinished } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import type { Handlers } from '../../src/runtime/millrace.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { openMill } from '../support/mill.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

/** How often such a worker polls, by its clock. No other duty of a worker sleeps about as long. */
export const POLL_MS = 7_000
/** A poll comes after that much of its time at least. */
const SOONEST = 0.8

/** A worker at rest. */
export interface WatchedWorker {
  /** How many jobs each of its claims brought since it is at rest; null: not answered yet. */
  claims(): readonly (number | null)[]
  /** Lets time pass for it. */
  advance(ms: number): void
}

/** Starts one on a store of its own, and resolves when it has looked for jobs in vain until it looks at each poll only. */
export async function workerAtRest(url: string, handlers: Handlers, hints: 'heard' | 'lost'): Promise<WatchedWorker> {
  const inner = await createStore(url)
  const clock = new PollClock()
  const claims: (number | null)[] = []
  let heard = 0
  const counted = wrappedStore(inner, (jobs) => ({
    async exchange(request) {
      if (request.claim === undefined) return jobs.exchange(request)
      const claim = claims.push(null) - 1
      const result = await jobs.exchange(request)
      claims[claim] = result.claimed.length
      return result
    },
  }))
  const subscribe: Store['wake']['subscribe'] = (onWake) =>
    inner.wake.subscribe(() => {
      heard++
      onWake()
    })
  const store: Store = Object.assign(Object.create(counted), {
    wake: { subscribe: hints === 'heard' ? subscribe : () => () => undefined },
  })
  const mill = await openMill({ store, clock })
  const worker = mill.work(handlers, { poll: POLL_MS, heartbeat: '1h', lease: '3h' })
  // Before the store is closed: nothing waits here for a clock that stands still.
  onTestFinished(() => worker.stop())
  // PostgreSQL wakes whoever begins to listen, for what happened until then.
  const isListening = () => hints === 'lost' || !url.startsWith('postgres') || heard > 0
  const isResting = () => {
    if (isListening() && clock.hasPoll && !claims.includes(null)) return true
    clock.advance(POLL_MS)
    return false
  }
  await expect.poll(isResting, { timeout: 20_000, interval: 5 }).toBe(true)
  claims.length = 0
  return { claims: () => claims, advance: (ms) => clock.advance(ms) }
}

/** It knows whether a poll at full length is to come. */
class PollClock extends ManualClock {
  #polls = 0

  get hasPoll(): boolean {
    return this.#polls > 0
  }

  override after(ms: number, fn: () => void): () => void {
    if (ms < SOONEST * POLL_MS || ms > POLL_MS) return super.after(ms, fn)
    this.#polls++
    let isOver = false
    const over = () => {
      if (!isOver) this.#polls--
      isOver = true
    }
    const cancel = super.after(ms, () => {
      over()
      fn()
    })
    return () => {
      over()
      cancel()
    }
  }
}
