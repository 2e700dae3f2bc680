/** Somebody who ends sessions at random, one at a time, whatever they are doing. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Outsider } from '../support/outsider.ts'

/** Ends `count` sessions, one each `everyMs`, and calls `onEnd` after each with how many it has been. */
export async function endAtRandom(
  outsider: Outsider,
  random: () => number,
  { count, everyMs }: { readonly count: number; readonly everyMs: number },
  onEnd: (ended: number) => void,
): Promise<void> {
  let next = performance.now()
  for (let ended = 0; ended < count; ) {
    next += everyMs
    await pause(Math.max(0, next - performance.now()))
    if (await outsider.endOne(random)) onEnd(++ended)
  }
}
