/**
 * Moving a store: everything that it holds, read in pages and written elsewhere as it is.
 *
 * A page is read in the order of its part's key, whatever order the database gives that key, and ends where the cursor for
 * the next one begins. What is written is taken as it is: instants, epochs, leases, sealed bytes, counts of edges. Nothing is
 * derived, so parts may be written one after the other; a store is whole when all are.
 */
import type { EdgeRow, JobRow, LogLine } from './job-row.ts'

/** A job with what its row does not show. */
export interface CopiedJob extends JobRow {
  readonly uniqueScope: string | null
  /** When the handler of the current or the last attempt began; null: not on record. */
  readonly startedAt: number | null
  /** What a `blocked` job with reason `key` waits for. */
  readonly blockedOn: string | null
  readonly checkpoint: Uint8Array | null
}

/** A unique key in force or not yet pruned. `until` null: held while the job lives. */
export interface CopiedKey {
  readonly scope: string
  readonly key: string
  readonly jobId: string
  readonly until: number | null
}

/** A line of a job's log. */
export interface CopiedLine extends LogLine {
  readonly jobId: string
}

/** The settings of a queue. */
export interface CopiedQueue {
  readonly name: string
  readonly pausedAt: number | null
  readonly pausedBy: string | null
  readonly pauseReason: string | null
}

/** A small shared value. */
export interface CopiedValue {
  readonly key: string
  readonly value: string
  readonly version: number
}

/** The id of a completed job of which nothing else is kept, so that inserting it again is recognised for two minutes. */
export interface CopiedId {
  readonly id: string
  readonly doneAt: number
}

/** The parts of a store in the order in which they are copied. */
export const COPY_PARTS = ['live', 'archive', 'edges', 'keys', 'logs', 'queues', 'values', 'remembered'] as const

/** What a store consists of, by part. Who is alive is not copied, nor what they are told. */
export interface CopyParts {
  readonly live: CopiedJob
  readonly archive: CopiedJob
  readonly edges: EdgeRow
  readonly keys: CopiedKey
  readonly logs: CopiedLine
  readonly queues: CopiedQueue
  readonly values: CopiedValue
  /** One item for each id, also where a store keeps several in a row. */
  readonly remembered: CopiedId
}

/** The name of a part. */
export type CopyPart = (typeof COPY_PARTS)[number]

/** A page of a part. */
export interface CopyPage<T> {
  readonly items: readonly T[]
  /** Where the next page begins; null at the end. Opaque. */
  readonly next: string | null
}

/** Reading and writing whole stores. For a store that nobody works on meanwhile. */
export interface CopyFacet {
  /** At most `limit` items after the cursor (null: from the start), fewer when they come to more than 4 MiB. Takes no lock. */
  read<P extends CopyPart>(part: P, cursor: string | null, limit: number): Promise<CopyPage<CopyParts[P]>>
  /**
   * Writes items as they are, in one transaction. Those whose key is there already are left, so it may be repeated; a job's key
   * is its id, whether it lives there or has ended.
   */
  write<P extends CopyPart>(part: P, items: readonly CopyParts[P][]): Promise<void>
}
