/**
 * Runs around every test file: a file may leave no process, server or file watcher behind, and its properties try the same
 * inputs in every run, so that a red run is red again. MILLRACE_SEED and the long forms try others; a failure prints its seed.
 * A signal to nobody is refused: to process 0 it ends vitest itself, and every count with it.
 */
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll } from 'vitest'

const SEED = 20_261_128
const { MILLRACE_LONG, MILLRACE_SEED } = process.env
if (MILLRACE_SEED !== undefined || !MILLRACE_LONG) fc.configureGlobal({ seed: Number(MILLRACE_SEED ?? SEED) })

const LEFTOVERS = new Set(['ProcessWrap', 'TCPServerWrap', 'PipeServerWrap', 'FSEventWrap'])
const DEADLINE_MS = 3_000
const TURN_MS = 10

const { kill } = process
process.kill = (pid, signal) => {
  if (!(Math.abs(pid) > 1)) throw new Error(`this test has no process to signal: ${pid}`)
  return kill.call(process, pid, signal)
}

afterAll(async () => {
  // What was closed in the last test may need a turn of the loop to go.
  const end = performance.now() + DEADLINE_MS
  while (leftovers().length > 0 && performance.now() < end) await pause(TURN_MS)
  const left = leftovers()
  if (left.length > 0) throw new Error(`this test file left behind: ${left.join(', ')}`)
})

function leftovers(): string[] {
  return process.getActiveResourcesInfo().filter((name) => LEFTOVERS.has(name))
}
