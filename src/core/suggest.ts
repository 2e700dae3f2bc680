/** The nearest right word to a wrong one, for "did you mean". */

/** Longer words are cut: they are no slips of the fingers, and the cost is quadratic. */
const MAX_LENGTH = 64

/**
 * The candidate that `word` was most likely meant to be, or undefined when none is near: at most one slip in three letters,
 * or a candidate that begins with three letters or more of the word. Case does not count; of equals the first wins.
 * Cost: O(candidates × length²).
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = word.slice(0, MAX_LENGTH).toLowerCase()
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = distanceOf(wanted, candidate.slice(0, MAX_LENGTH).toLowerCase())
    if (distance < bestDistance && distance < candidate.length) {
      best = candidate
      bestDistance = distance
    }
  }
  return best ?? beginningWith(wanted, candidates)
}

function beginningWith(word: string, candidates: readonly string[]): string | undefined {
  return word.length < 3 ? undefined : candidates.find((candidate) => candidate.toLowerCase().startsWith(word))
}

/**
 * Insertions, deletions, substitutions and swaps of neighbours that make `b` of `a` (the "optimal string alignment" form of
 * the Damerau–Levenshtein distance). Three rows of the table are kept: a swap looks two rows back.
 */
function distanceOf(a: string, b: string): number {
  let beforeLast: readonly number[] = []
  let last: readonly number[] = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let least = Math.min(at(last, j) + 1, at(row, j - 1) + 1, change)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwap) least = Math.min(least, at(beforeLast, j - 2) + 1)
      row.push(least)
    }
    beforeLast = last
    last = row
  }
  return at(last, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY
}
