/** What the statements of the exchange are given and answer (exchange-sql.ts), as values. */
import type { Lease, QueueShare, Settlement } from '../contract/index.ts'
import { bytesArray } from './arrays.ts'

/** The results in the order of their jobs; none at all where there is none, since each is looked up in the list. */
export function resultsOf(settle: readonly Settlement[]): Buffer | null {
  const results = settle.map((s) => (s.to === 'completed' ? s.result : null))
  return results.every((result) => result === null) ? null : bytesArray(results)
}

/** The jobs of the worker that are asked to stop, in the first column of the first row. */
export function leasesOf(json: unknown): readonly Lease[] {
  return pairsOf(json).map(([id, epoch]) => ({ id, epoch }))
}

/** The queues that a claim over all asked, in the second. */
export function sharesOf(json: unknown): readonly QueueShare[] {
  return pairsOf(json).map(([queue, max]) => ({ queue, max }))
}

/** Those leases that are not settled by now. */
export function without(leases: readonly Lease[], settled: readonly Lease[]): readonly Lease[] {
  if (leases.length === 0) return leases
  const gone = new Set(settled.map(({ id }) => id))
  return leases.filter(({ id }) => !gone.has(id))
}

/** Only our own statements write this text. */
function pairsOf(json: unknown): readonly (readonly [string, number])[] {
  return typeof json === 'string' ? JSON.parse(json) : []
}
