/**
 * When an isolate is used no more for what its jobs have left in it. Pure.
 *
 * What one job leaves (a module's cache, a list that only grows) is there for the next, which would be the one to run out of memory.
 * So a part of the room is kept for it: jobs may leave as much as a third of what the limit leaves beyond the code that was loaded, and
 * where there is no limit 256 MiB, buffers counted with it. The wear is the share of that which is in use: beyond 1 an isolate ends.
 *
 * A heap is garbage for the most part, and only a collection tells how much of it is held. It costs the more the more is held, so
 * one that has found less than all of it pays for a while: until a quarter more is in use, garbage or not. So more than half of that
 * room is every job's own: where a job is given twice what it needs, none dies for another.
 */

/** What JavaScript holds in one thread or process. */
export interface HeapUse {
  readonly heapBytes: number
  /** Beside its heap, but held by it: buffers above all. */
  readonly externalBytes: number
}

const SHARE = 1 / 3
/** Code that fills its limit by itself leaves its jobs this much of it all the same: a fresh isolate would be no better. */
const LEAST_SHARE = 1 / 8
const UNLIMITED_BYTES = 256 * 2 ** 20
const STEP = 1 / 4

/** How much of what jobs may leave is in use; 1 is all of it. `base`: in use with the code loaded and nothing done. */
export function wearOf(now: HeapUse, base: HeapUse, limitBytes: number | undefined): number {
  const heap = now.heapBytes - base.heapBytes
  const external = now.externalBytes - base.externalBytes
  if (limitBytes === undefined) return (heap + external) / UNLIMITED_BYTES
  // The limit is the heap's; buffers would grow for ever beside it.
  const mayLeave = Math.max((limitBytes - base.heapBytes) * SHARE, limitBytes * LEAST_SHARE)
  return Math.max(heap / mayLeave, (heap + external) / Math.max(UNLIMITED_BYTES, mayLeave))
}

/** Whether a collection is to tell how much is held. `kept`: the wear that the last one found, 0 before the first. */
export function isCollectionDue(wear: number, kept: number): boolean {
  return wear > 1 && wear >= kept + STEP
}

/** Whether the isolate ends, its garbage collected. */
export function isWornOut(kept: number): boolean {
  return kept > 1
}
