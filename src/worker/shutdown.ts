/** How a worker that claims nothing more comes to its end: what runs may finish, is then told to stop, and is then let go. */
import type { Clock } from '../base/clock.ts'
import type { Worker } from './worker.ts'

/** How much time there is, and what shortens it. */
export interface ShutdownOptions {
  readonly clock: Clock
  /** How long running jobs may go on. */
  readonly softMs: number
  /** Resolves when nothing is waited for any longer, but for handlers that heed their signal. */
  readonly hurry: Promise<void>
}

/** After the soft stop: how long aborted handlers may take to heed their signal. */
const HARD_STOP_MS = 5_000
/** After a second, hurried stop: the same, just long enough for a handler that heeds it to settle. */
const HURRIED_STOP_MS = 100

/**
 * Lets running jobs finish for `softMs`, then aborts them, and gives their leases back after 5 s more, attempts uncounted. Resolves
 * when the worker is idle; 5 s after the last of this at the latest, whatever the store has not taken by then.
 */
export async function shutDown(
  worker: Pick<Worker, 'idle' | 'abortAll' | 'abandonAll'>,
  { clock, softMs, hurry }: ShutdownOptions,
): Promise<void> {
  const idle = worker.idle()
  const within = (ms: number) =>
    Promise.race([idle.then(() => true), new Promise<boolean>((resolve) => clock.after(ms, () => resolve(false)))])
  const hurried = hurry.then(() => within(HURRIED_STOP_MS))
  if (await Promise.race([within(softMs), hurried])) return
  worker.abortAll()
  if (await Promise.race([within(HARD_STOP_MS), hurried])) return
  worker.abandonAll()
  await within(HARD_STOP_MS)
}

/** Resolves with the work, or after 5 s: a store that does not answer must not keep a worker from ending. */
export function inTime(clock: Clock, work: Promise<unknown>): Promise<unknown> {
  return Promise.race([work, new Promise<void>((resolve) => clock.after(HARD_STOP_MS, resolve))])
}
