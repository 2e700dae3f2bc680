/**
 * Puts the folds together into `report.json` and `report.html`.
 *
 * The same files give the same `report.json`, byte for byte, whatever store the jobs were kept in, whenever they ran and however
 * often the run was killed: it holds nothing about the run itself. When and in what store is said by the page alone.
 */
import { mkdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import { handle, type Millrace } from 'millrace'
import { type Failure, type FileEntry, type Folded, report, type Totals, type WordCounts } from './jobs.ts'
import { page } from './page.ts'
import { writeWhole } from './run.ts'
import { mergeWords } from './words.ts'

const SHOWN_WORDS = 20
const KEPT_WORDS = 3000

export interface ExtensionTotals {
  readonly extension: string
  readonly files: number
  readonly bytes: number
  readonly lines: number
}

export interface Duplicates {
  readonly sha256: string
  readonly size: number
  readonly paths: readonly string[]
}

/** What `report.json` holds, in this order; README.md beside this file says what each key means. */
export interface Report extends Totals {
  readonly byExtension: readonly ExtensionTotals[]
  readonly frequentWords: WordCounts
  /** At most this many of each frequent word were not counted; 0 means the counts are exact. */
  readonly uncountedAtMost: number
  readonly duplicates: readonly Duplicates[]
  readonly failuresByReason: Readonly<Record<string, readonly Failure[]>>
  readonly entries: readonly FileEntry[]
}

export function reportHandler(mill: Millrace) {
  return handle(report, async ({ root, out, folds }, job) => {
    const parts: Folded[] = []
    for (const [i, id] of folds.entries()) {
      parts.push((await mill.result(id)) as Folded)
      job.progress(i / folds.length)
    }
    const made = makeReport(root, parts)
    const [reportJson, reportHtml] = [join(out, 'report.json'), join(out, 'report.html')]
    mkdirSync(out, { recursive: true })
    writeWhole(reportJson, `${JSON.stringify(made, null, 1)}\n`)
    writeWhole(reportHtml, page(made, { store: mill.store.description, madeAt: new Date() }))
    const { files, text, binary, failed, bytes, lines, words } = made
    return { root, files, text, binary, failed, bytes, lines, words, reportJson, reportHtml }
  })
}

/** The whole report of what the folds found. */
function makeReport(root: string, parts: readonly Folded[]): Report {
  const entries = parts.flatMap((part) => part.files)
  const failures = parts.flatMap((part) => part.failures)
  const words = mergeWords(
    parts.map((part) => part.words),
    KEPT_WORDS,
  )
  const sum = (of: (entry: FileEntry) => number) => entries.reduce((total, entry) => total + of(entry), 0)
  return {
    root,
    files: entries.length + failures.length,
    text: sum((entry) => (entry.kind === 'text' ? 1 : 0)),
    binary: sum((entry) => (entry.kind === 'binary' ? 1 : 0)),
    failed: failures.length,
    bytes: sum((entry) => entry.size),
    lines: sum((entry) => entry.lines),
    words: sum((entry) => entry.words),
    byExtension: byExtension(entries),
    frequentWords: words.top.slice(0, SHOWN_WORDS),
    uncountedAtMost: words.cut,
    duplicates: duplicates(entries),
    failuresByReason: Object.groupBy(failures, (failure) => failure.reason) as Report['failuresByReason'],
    entries,
  }
}

function byExtension(entries: readonly FileEntry[]): readonly ExtensionTotals[] {
  const totals = new Map<string, { files: number; bytes: number; lines: number }>()
  for (const { path, size, lines } of entries) {
    const extension = extname(path).toLowerCase() || '(none)'
    const total = totals.get(extension) ?? { files: 0, bytes: 0, lines: 0 }
    totals.set(extension, { files: total.files + 1, bytes: total.bytes + size, lines: total.lines + lines })
  }
  return [...totals].map(([extension, total]) => ({ extension, ...total })).sort((a, b) => b.bytes - a.bytes)
}

/** Files with the same content, those that waste most first. Empty files are all alike and left out. */
function duplicates(entries: readonly FileEntry[]): readonly Duplicates[] {
  const same = Map.groupBy(
    entries.filter((entry) => entry.size > 0),
    (entry) => entry.sha256,
  )
  return [...same]
    .filter(([, group]) => group.length > 1)
    .map(([sha256, group]) => ({ sha256, size: group[0]?.size ?? 0, paths: group.map((entry) => entry.path) }))
    .sort((a, b) => b.size * (b.paths.length - 1) - a.size * (a.paths.length - 1))
}
