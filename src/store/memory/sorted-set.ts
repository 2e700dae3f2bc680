/**
 * A set kept in order, in buckets: add, remove and first are O(log n) plus a splice in one bucket of at most 512, which for
 * the sizes of a store in memory is faster than a tree and a fifth of its code. Members must not change in what they are
 * ordered by while they are in the set: take them out, change them, put them back.
 */

const FULL = 512

/** Values in the order of a comparison. */
export class SortedSet<T> implements Iterable<T> {
  readonly #compare: (a: T, b: T) => number
  readonly #buckets: T[][] = []
  #size = 0

  /** `compare` must order every two different members; 0 means the same member. */
  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare
  }

  get size(): number {
    return this.#size
  }

  /** The smallest member; undefined when the set is empty. */
  first(): T | undefined {
    return this.#buckets[0]?.[0]
  }

  /** Puts a member in; nothing changes when it is in already. */
  add(item: T): void {
    const at = Math.min(this.#bucketFor(item), this.#buckets.length - 1)
    const bucket = this.#buckets[at]
    if (bucket === undefined) {
      this.#buckets.push([item])
      this.#size = 1
      return
    }
    const index = this.#indexIn(bucket, item)
    const found = bucket[index]
    if (found !== undefined && this.#compare(found, item) === 0) return
    bucket.splice(index, 0, item)
    this.#size++
    if (bucket.length > FULL) this.#buckets.splice(at + 1, 0, bucket.splice(FULL / 2))
  }

  /** Takes a member out; nothing changes when it is not in. */
  delete(item: T): void {
    const at = this.#bucketFor(item)
    const bucket = this.#buckets[at]
    if (bucket === undefined) return
    const index = this.#indexIn(bucket, item)
    const found = bucket[index]
    if (found === undefined || this.#compare(found, item) !== 0) return
    bucket.splice(index, 1)
    this.#size--
    if (bucket.length === 0) this.#buckets.splice(at, 1)
  }

  /** The members in order. The set must not change meanwhile. */
  *[Symbol.iterator](): Iterator<T> {
    for (const bucket of this.#buckets) yield* bucket
  }

  /** The members from the last to the first. The set must not change meanwhile. */
  *reversed(): Iterable<T> {
    for (let b = this.#buckets.length - 1; b >= 0; b--) {
      const bucket = this.#buckets[b] ?? []
      for (let i = bucket.length - 1; i >= 0; i--) {
        const item = bucket[i]
        if (item !== undefined) yield item
      }
    }
  }

  /** The first bucket whose last member is not before `item`; the number of buckets when there is none. */
  #bucketFor(item: T): number {
    let low = 0
    let high = this.#buckets.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const last = this.#buckets[middle]?.at(-1)
      if (last !== undefined && this.#compare(last, item) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #indexIn(bucket: readonly T[], item: T): number {
    let low = 0
    let high = bucket.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const found = bucket[middle]
      if (found !== undefined && this.#compare(found, item) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Orders texts by their code units, as every store does. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
