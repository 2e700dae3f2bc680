/** `millrace job cancel` of jobs that run: waits until they have stopped, wherever they run. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Outcomes } from '../client/control.ts'
import { type Duration, parseDuration } from '../core/duration.ts'
import type { Millrace } from '../runtime/millrace.ts'

/** Long enough for a heartbeat of a worker that has heard nothing, and for the grace of a handler that ignores its signal. */
const WAIT_MS = 20_000
const LOOK_EVERY_MS = 100

/**
 * The same outcomes, but that each `cancelling` has become the state in which its job ended: `cancelled`, or `completed` or `failed`
 * when it was quicker. One that still runs when the time is over stays `cancelling`.
 */
export async function whenStopped(
  mill: Millrace,
  outcomes: Outcomes<string>,
  timeout: Duration = WAIT_MS,
): Promise<Outcomes<string>> {
  const end = performance.now() + parseDuration(timeout, '--timeout')
  const ended = new Map<string, string>()
  const open = new Set(outcomes.filter(({ outcome }) => outcome === 'cancelling').map(({ id }) => id))
  while (open.size > 0 && performance.now() < end) {
    for (const id of open) {
      const job = await mill.get(id)
      if (job?.state === 'processing') continue
      open.delete(id)
      ended.set(id, job?.state ?? 'missing')
    }
    if (open.size > 0) await pause(LOOK_EVERY_MS)
  }
  return outcomes.map(({ id, outcome }) => ({ id, outcome: ended.get(id) ?? outcome }))
}
