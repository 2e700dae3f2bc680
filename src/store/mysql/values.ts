/** What the driver gives, as text, numbers and bytes of our own. */
import type { FieldPacket } from 'mysql2'
import type { Columns } from '../sql/rows.ts'
import type { SqlResult } from '../sql/session.ts'

/** Small values share memory, in pieces of this size: one of its own for each costs more than all else that is done with it. */
const SLAB_BYTES = 8_192
/** Larger values have memory of their own: a slab lives as long as anything in it. */
const MAX_SHARED = 1_024
let slab = new ArrayBuffer(0)
let used = 0

/** Columns that hold bytes; all others that are binary to the server hold text in UTF-8, compared byte by byte. */
const BYTES: ReadonlySet<string> = new Set(['payload', 'result', 'error', 'progress_note', 'data', 'message', 'NULL'])

/** The protocol's number of the type BIGINT. */
const BIGINT = 8

/** Whether bytes in a column of this name are text. */
export function isTextColumn(name: string): boolean {
  return !BYTES.has(name)
}

/** What the driver answered, as the slow road and the hot path take it. */
export function resultOf(rows: unknown, fields: readonly FieldPacket[] | undefined): SqlResult {
  if (!Array.isArray(rows)) return { rows: [], changes: changesOf(rows) }
  if (rows.length > 0 && fields !== undefined) {
    for (let i = 0; i < fields.length; i++) mendColumn(rows, i, fields[i]?.name ?? '', fields[i]?.columnType === BIGINT)
  }
  // Rows are arrays, as was asked, of what `mendColumn` leaves: columns.
  return { rows: rows as readonly unknown[] as readonly Columns[], changes: rows.length }
}

/** Turns what the driver gives for one column into text, numbers and bytes of our own. */
function mendColumn(rows: unknown[], column: number, name: string, isBig: boolean): void {
  const isText = isTextColumn(name)
  // The driver's rows are arrays, one value for each field.
  for (const row of rows as unknown[][]) {
    const value = row[column]
    if (Buffer.isBuffer(value)) row[column] = isText ? value.toString() : copyOf(value)
    // The driver gives a whole number as text when no number can hold it.
    else if (isBig && typeof value === 'string') row[column] = BigInt(value)
  }
}

/** A copy, since the driver's bytes are a part of all that came with them: 64 KiB and more. */
function copyOf(bytes: Buffer): Uint8Array {
  const size = bytes.byteLength
  if (size > MAX_SHARED) return new Uint8Array(bytes)
  if (used + size > slab.byteLength) {
    slab = new ArrayBuffer(SLAB_BYTES)
    used = 0
  }
  const copy = new Uint8Array(slab, used, size)
  copy.set(bytes)
  used += size
  return copy
}

/** Rows written. The driver counts rows that an UPDATE changed; the server's sentence also tells how many it found. */
function changesOf(header: unknown): number {
  if (typeof header !== 'object' || header === null || !('affectedRows' in header)) return 0
  const found = 'info' in header && typeof header.info === 'string' ? /^Rows matched: (\d+)/.exec(header.info) : null
  return Number(found?.[1] ?? header.affectedRows)
}
