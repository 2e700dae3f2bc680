/** Spans of time, and what is left between them. */

/** From one instant to another, in the world's milliseconds. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** The longest time within a span that none of the others covers. */
export function longestClear({ from, to }: Span, covered: readonly Span[]): number {
  let longest = 0
  let at = from
  for (const span of covered.toSorted((a, b) => a.from - b.from)) {
    if (span.from >= to) break
    longest = Math.max(longest, span.from - at)
    at = Math.max(at, span.to)
  }
  return Math.max(longest, to - at)
}

/** Whether two spans have an instant in common. */
export function overlap(a: Span, b: Span): boolean {
  return a.from <= b.to && b.from <= a.to
}
