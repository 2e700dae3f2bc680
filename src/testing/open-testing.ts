/** A whole Millrace in memory: what an app enqueues can be looked at, and run when the test says so. */
import { ManualClock } from '../base/clock.ts'
import { type Handlers, Millrace } from '../runtime/millrace.ts'
import { createMemoryStore } from '../store/memory/store.ts'

/** A Millrace for a test, with the clock that it lives by. */
export interface TestingMillrace {
  readonly mill: Millrace
  readonly clock: ManualClock
  /** Runs what is due now, and what that enqueues, to its end. Returns how many attempts ended. */
  drain(handlers: Handlers): Promise<number>
}

/** Opens an empty one. Time stands still but for `clock.advance`; close it with `mill.close()`. */
export async function openTesting(): Promise<TestingMillrace> {
  const clock = new ManualClock()
  const mill = await Millrace.open({ store: createMemoryStore({ clock }) })
  return {
    mill,
    clock,
    async drain(handlers) {
      // The worker itself goes by the machine's clock: its polls and timeouts must pass while the store's time stands still.
      const worker = mill.work(handlers, { drain: true, poll: '5ms' })
      await worker.done
      return worker.jobsDone
    },
  }
}
