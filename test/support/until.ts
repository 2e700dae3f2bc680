/** Waiting for a condition with a deadline, in processes that have no Vitest too. */
import { setTimeout as pause } from 'node:timers/promises'

const LOOK_MS = 10

/** Resolves when the condition holds; rejects with what `said` says when it does not within the time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs: number,
  said: () => string,
): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(said())
    await pause(LOOK_MS)
  }
}
