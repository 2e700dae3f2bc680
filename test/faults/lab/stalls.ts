/** How late something was, without what its process stood still meanwhile: that is the machine's doing, or a fault's. */
import type { FaultLine } from './ledgers.ts'

/** Milliseconds between two instants in which no stall of this process is on record. */
export function withoutStalls(faults: readonly FaultLine[], pid: number, from: number, to: number): number {
  const stalls = faults.filter((fault) => fault.kind === 'stall' && fault.pid === pid)
  let [at, ms] = [from, 0]
  for (const stall of stalls.toSorted((a, b) => a.from - b.from)) {
    const begun = Math.min(to, Math.max(at, stall.from))
    ms += begun - at
    at = Math.min(to, Math.max(begun, stall.to ?? stall.from))
  }
  return ms + to - at
}
