/** Waiting for another program's lock on the spot. */
import { MillraceError } from '../../core/errors.ts'
import { isBusy } from './errors.ts'

/**
 * Runs `fn` until SQLite does not answer BUSY, which it does without waiting, for `patienceMs` at most; throws what it threw last.
 * Only for locks that last for milliseconds, as while the log is recovered: the event loop stands still.
 */
export function retryNow<T>(fn: () => T, patienceMs: number): T {
  const end = performance.now() + patienceMs
  for (;;) {
    try {
      return fn()
    } catch (error) {
      if (error instanceof MillraceError || !isBusy(error) || performance.now() > end) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1 + Math.random() * 4)
    }
  }
}
