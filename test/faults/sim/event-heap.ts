/** What is going to happen, the soonest first: a binary heap. */

/** Something that happens to an actor at an instant. */
export interface Happening {
  at: number
  /** Decides between two of the same instant. */
  tie: number
  /** The actor's own timer, and not an answer or a hint from outside. */
  readonly isTimer: boolean
  /** Taken back: undefined. */
  run: (() => void) | undefined
}

/** Happenings by their instant, then by their tie. */
export class EventHeap<H extends Happening> {
  readonly #heap: H[] = []

  get size(): number {
    return this.#heap.length
  }

  push(item: H): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !isBefore(item, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = item
  }

  pop(): H | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (top === undefined || last === undefined || top === last) return top
    this.#sink(last)
    return top
  }

  #sink(item: H): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      const left = heap[2 * at + 1]
      const right = heap[2 * at + 2]
      if (left === undefined) break
      const isRight = right !== undefined && isBefore(right, left)
      const least = isRight ? right : left
      if (!isBefore(least, item)) break
      heap[at] = least
      at = 2 * at + (isRight ? 2 : 1)
    }
    heap[at] = item
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.tie < b.tie)
}
