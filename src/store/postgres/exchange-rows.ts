/** What the statements of the exchange are given and answer (exchange-sql.ts), as values. */
import { createHash } from 'node:crypto'
import type { Lease, QueueShare, Settlement } from '../contract/index.ts'
import { bytesArray } from './arrays.ts'

/** Of the names' hash so many characters: a name that is wrong now and then is a hint that is wrong. */
const HASH_LENGTH = 16
/** A worker claims with the same list each time. */
const hashes = new WeakMap<readonly string[], string>()

/** The results in the order of their jobs; none at all where there is none, since each is looked up in the list. */
export function resultsOf(settle: readonly Settlement[]): Buffer | null {
  const results = settle.map((s) => (s.to === 'completed' ? s.result : null))
  return results.every((result) => result === null) ? null : bytesArray(results)
}

/** The jobs of the worker that are asked to stop, in the first column of the first row. */
export function leasesOf(json: unknown): readonly Lease[] {
  return pairsOf(json).map(([id, epoch]) => ({ id, epoch }))
}

/** A queue that was asked, and whether from where the last claim ended. */
export interface ToldShare extends QueueShare {
  readonly goesOn: boolean
}

/** The queues that a claim asked, in the fourth, where they are told. */
export function sharesOf(json: unknown): readonly ToldShare[] {
  return pairsOf(json).map(([queue, max, goesOn]) => ({ queue, max, goesOn: goesOn === 1 }))
}

/** What tells the names of a claim from others. */
export function namesHash(names: readonly string[]): string {
  const known = hashes.get(names)
  if (known !== undefined) return known
  const hash = createHash('sha256').update(JSON.stringify(names.toSorted())).digest('base64url').slice(0, HASH_LENGTH)
  hashes.set(names, hash)
  return hash
}

/** Those leases that are not settled by now. */
export function without(leases: readonly Lease[], settled: readonly Lease[]): readonly Lease[] {
  if (leases.length === 0) return leases
  const gone = new Set(settled.map(({ id }) => id))
  return leases.filter(({ id }) => !gone.has(id))
}

/** Only our own statements write this text. */
function pairsOf(json: unknown): readonly (readonly [string, number, number?])[] {
  return typeof json === 'string' ? JSON.parse(json) : []
}
