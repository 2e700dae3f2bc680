/** Counting words within bounds: every list is cut, and carries by how much the cut may be wrong. */
import type { TopWords } from './jobs.ts'

const WORD = /[\p{L}_][\p{L}\p{N}_'’-]+/gu
const LONGEST_WORD = 40

/** Adds the words of a text to the counts and returns how many there were. */
export function countWords(text: string, counts: Map<string, number>): number {
  let found = 0
  for (const [word] of text.matchAll(WORD)) {
    found++
    if (word.length > LONGEST_WORD) continue
    const key = word.toLowerCase()
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return found
}

/** Keeps the `limit` most frequent words. */
export function topWords(counts: ReadonlyMap<string, number>, limit: number, cutBefore = 0): TopWords {
  const all = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  return { top: all.slice(0, limit), cut: cutBefore + (all[limit]?.[1] ?? 0) }
}

/** Sums several lists up. A word missing in one may have been cut there: the cuts add up. */
export function mergeWords(lists: Iterable<TopWords>, limit: number): TopWords {
  const counts = new Map<string, number>()
  let cut = 0
  for (const list of lists) {
    cut += list.cut
    for (const [word, count] of list.top) counts.set(word, (counts.get(word) ?? 0) + count)
  }
  return topWords(counts, limit, cut)
}
