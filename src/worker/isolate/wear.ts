/** What the jobs of one isolate have left in it, as it knows by itself: see core/process/isolate-wear.ts. */
import { type HeapUse, isCollectionDue, isWornOut, wearOf } from '../../core/process/isolate-wear.ts'

const MIB = 2 ** 20
/** In so short a time little can be filled, and a look takes a part of what the shortest jobs do. */
const LOOK_APART_MS = 5

/** What JavaScript holds here now. Takes some 10 µs. */
export function heapUse(): HeapUse {
  const { heapUsed, external } = process.memoryUsage()
  return { heapBytes: heapUsed, externalBytes: external }
}

/** The wear of the isolate that this runs in. */
export class Wear {
  #base: HeapUse | undefined
  #limitBytes: number | undefined
  #kept = 0
  #leftBytes = 0
  #lookedAt = Number.NEGATIVE_INFINITY

  /** Code was loaded, with so much in use before: that is not what jobs have left. `memoryMib`: the isolate's limit. */
  loaded(before: HeapUse, memoryMib: number | undefined): void {
    const now = heapUse()
    this.#limitBytes = memoryMib === undefined ? undefined : memoryMib * MIB
    this.#base =
      this.#base === undefined
        ? now
        : {
            heapBytes: this.#base.heapBytes + Math.max(0, now.heapBytes - before.heapBytes),
            externalBytes: this.#base.externalBytes + Math.max(0, now.externalBytes - before.externalBytes),
          }
  }

  /** Whether to look after an attempt that ends now, in monotonic ms: what jobs leave in less than 5 ms is seen after a later one. */
  isLookDue(nowMs: number): boolean {
    if (nowMs - this.#lookedAt < LOOK_APART_MS) return false
    this.#lookedAt = nowMs
    return true
  }

  /** Whether only a collection tells how much its jobs have left here, and it may be too much. */
  isCollectionDue(now: HeapUse): boolean {
    return isCollectionDue(this.#wearOf(now), this.#kept)
  }

  /** It is looked, perhaps with an attempt under way, which holds what it needs: `leftBytes` tells, and nothing is decided by it. */
  look(now: HeapUse): void {
    this.#wearOf(now)
  }

  /** Garbage was collected, with no attempt under way. Whether so much is left that the isolate should not be used again. */
  isWornOut(now: HeapUse): boolean {
    this.#kept = this.#wearOf(now)
    return isWornOut(this.#kept)
  }

  /** How much was in use beyond the loaded code when it was last looked, in bytes. */
  get leftBytes(): number {
    return this.#leftBytes
  }

  #wearOf(now: HeapUse): number {
    if (this.#base === undefined) return 0
    const { heapBytes, externalBytes } = this.#base
    this.#leftBytes = Math.max(0, now.heapBytes - heapBytes + now.externalBytes - externalBytes)
    return wearOf(now, this.#base, this.#limitBytes)
  }
}
