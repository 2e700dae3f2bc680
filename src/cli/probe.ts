/** The jobs that `millrace test` sends. */
import { setTimeout as pause } from 'node:timers/promises'
import { defineJob } from '../job/define-job.ts'

/** One probe. */
export const ping = defineJob({
  name: 'millrace.ping',
  queue: 'millrace-test',
  timeout: '5s',
  retry: false,
  run: (_: undefined) => ({ pong: true }),
})

/** One of many test jobs: runs for a while, then completes or fails. */
export const load = defineJob({
  name: 'millrace.test',
  queue: 'millrace-test',
  retry: false,
  run: async (input: { readonly fails: boolean; readonly runMs: number; readonly filling: string }, job) => {
    if (input.runMs > 0) await pause(input.runMs, undefined, { signal: job.signal })
    if (input.fails) throw new TestFailure('failed on purpose (--fail-rate)')
    return null
  },
})

class TestFailure extends Error {
  override name = 'TestFailure'
}
