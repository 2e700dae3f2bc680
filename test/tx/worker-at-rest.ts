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

/** How often such a worker polls at rest, by its clock. */
export const POLL_MS = 1_000
/** On a server it looks after 5 ms, 10 and so on first: after so many claims in vain for long no sooner than at its poll. */
const CLAIMS_TO_REST = 14

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
  const clock = new ManualClock()
  const claims: (number | null)[] = []
  let claimsAtHint: number | null = null
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
      claimsAtHint = claims.length
      onWake()
    })
  const store: Store = Object.assign(Object.create(counted), {
    wake: { subscribe: hints === 'heard' ? subscribe : () => () => undefined },
  })
  const mill = await openMill({ store, clock })
  const worker = mill.work(handlers, { poll: POLL_MS, heartbeat: '1h', lease: '3h' })
  // Before the store is closed: nothing waits here for a clock that stands still.
  onTestFinished(() => worker.stop())
  // PostgreSQL wakes whoever begins to listen, for what happened until then: it claims once more.
  const isToldFirst = hints === 'heard' && url.startsWith('postgres')
  const hasListened = () => (claimsAtHint === null ? !isToldFirst : claims.length > claimsAtHint)
  const isResting = () => {
    // Its next poll is set as soon as a claim is answered.
    if (claims.includes(null)) return false
    if (hasListened() && claims.length >= CLAIMS_TO_REST) return true
    clock.advance(POLL_MS)
    return false
  }
  await expect.poll(isResting, { timeout: 20_000, interval: 5 }).toBe(true)
  claims.length = 0
  return { claims: () => claims, advance: (ms) => clock.advance(ms) }
}
