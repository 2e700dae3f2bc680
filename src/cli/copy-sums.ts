/** What a part of a store comes to, whatever the order that its database reads it in: two that are the same have one sum. */
import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { ID_MEMORY_MS } from '../core/job/limits.ts'
import { COPY_NOTE } from '../runtime/copy-note.ts'
import type { CopyPart, CopyParts, Store } from '../store/contract/index.ts'

/** A part in numbers. */
export interface CopiedPart {
  readonly part: CopyPart
  /** Of the items that were compared (`comparedIn`). */
  readonly count: number
  /** Of what the items say, whatever their order: 16 hexadecimal digits. */
  readonly checksum: string
}

/** How many items are read at once. */
export const COPY_PAGE = 500

/** Within what time the source's sum of remembered ids has to be read: those that are forgotten sooner are not compared. */
const READ_WITHIN_MS = 30_000

/** Tells which items of a part are compared. */
export type IsCompared = (item: CopyParts[CopyPart]) => boolean

/**
 * Says which items of a part have to be the same on both sides: all, but of remembered ids only those that are not about to be
 * forgotten by the source's clock as it is now. A worker of the source that is alive, which `force` allows, forgets the others
 * at any time, and the target, on which nobody works, keeps them: that is no difference to anybody.
 */
export async function comparedIn(from: Store, part: CopyPart): Promise<IsCompared> {
  if (part !== 'remembered') return () => true
  const since = (await from.time()) - ID_MEMORY_MS + READ_WITHIN_MS
  return (item) => !('doneAt' in item) || item.doneAt > since
}

/** Counts what is compared of a part and sums its hashes; null when it was stopped. Cost: reads the part once. */
export async function sumOf<P extends CopyPart>(
  store: Store,
  part: P,
  isCompared: IsCompared,
  signal: AbortSignal | undefined,
  tell: (count: number) => void = () => undefined,
): Promise<CopiedPart | null> {
  let count = 0
  let sum = 0n
  let cursor: string | null = null
  do {
    await setImmediate() // As in copy-store.ts: for Ctrl-C.
    if (signal?.aborted) return null
    const page: Awaited<ReturnType<typeof store.copy.read<P>>> = await store.copy.read(part, cursor, COPY_PAGE)
    for (const item of page.items) {
      if (isNote(part, item) || !isCompared(item)) continue
      count++
      sum = BigInt.asUintN(64, sum + hashOf(item))
    }
    cursor = page.next
    tell(page.items.length)
  } while (cursor !== null)
  return { part, count, checksum: sum.toString(16).padStart(16, '0') }
}

/** Whether an item is the target's own note, which is not copied. */
export function isNote(part: CopyPart, item: CopyParts[CopyPart]): boolean {
  return part === 'values' && 'value' in item && item.key === COPY_NOTE
}

function hashOf(item: CopyParts[CopyPart]): bigint {
  const text = JSON.stringify(item, (_, value: unknown) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    // Drivers name the fields in orders of their own.
    return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
  return createHash('sha256').update(text).digest().readBigUInt64BE()
}
