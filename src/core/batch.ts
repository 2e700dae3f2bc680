/** How much goes together in one statement. */

/** Rows in one statement at most. */
export const MAX_BATCH_ROWS = 1000

/**
 * Encoded bytes in one statement at most, but for one larger row, which goes alone. A commit on SQLite holds the event loop:
 * four rows of 250 kB for 1 to 4 ms, 4 MiB of them for 28 to 30 (2 EPYC cores).
 */
export const MAX_BATCH_BYTES = 1024 * 1024

/** Encoded bytes of a value up to which it stands in its job's row; a larger one has a row of its own beside it. */
export const INLINE_BYTES = 2048

/**
 * How many items from the head of a list go together: at most `maxRows`, and together at most `maxBytes`. At least one when
 * there is one, however large it is, so that a list always gets shorter. Cost: O(rows taken).
 */
export function takeBatch<T>(
  items: readonly T[],
  sizeOf: (item: T) => number,
  maxRows: number = MAX_BATCH_ROWS,
  maxBytes: number = MAX_BATCH_BYTES,
): number {
  const most = Math.min(items.length, Math.max(1, maxRows))
  let bytes = 0
  let rows = 0
  for (const item of items) {
    if (rows >= most) break
    bytes += sizeOf(item)
    if (rows > 0 && bytes > maxBytes) break
    rows++
  }
  return rows
}
