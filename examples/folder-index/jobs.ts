/**
 * The three kinds of jobs of this example.
 *
 * One job per file; one `fold` per 200 files, which waits for them and sums them up; one `report`, which waits for the folds.
 * A report that waited for 40,000 files itself would be one row with 40,000 edges, written in one long transaction; the tree
 * keeps every transaction short and every result under the 1 MiB limit.
 *
 * Their names say whose they are, since a store may be shared; their queue is the run's own (run.ts) and named when they are
 * enqueued.
 */
import { defineJob, shape } from 'millrace'

/** Files of one fold. */
export const FOLD_SIZE = 200

/** What is known of one file. Lengths in bytes, but `longestLine` in characters. */
export interface FileEntry {
  readonly path: string
  readonly kind: 'text' | 'binary'
  readonly size: number
  readonly sha256: string
  readonly lines: number
  readonly words: number
  readonly longestLine: number
  /** Compressed to uncompressed, in pieces of 1 MiB; 1 for an empty file. */
  readonly gzipRatio: number
}

export type WordCounts = readonly (readonly [word: string, count: number])[]

/** The most frequent words; `cut` bounds how often a word that was left out, or came late, may really be there more. */
export interface TopWords {
  readonly top: WordCounts
  readonly cut: number
}

export interface Failure {
  readonly path: string
  /** `Unreadable`, `TooLarge`, `Vanished` or the name of an unexpected error. */
  readonly reason: string
  readonly message: string
}

/** What the folds hand to the report. */
export interface Folded {
  readonly files: readonly FileEntry[]
  readonly failures: readonly Failure[]
  readonly words: TopWords
}

export const indexFile = defineJob({
  name: 'folder-index.file',
  timeout: '2m',
  // A file that cannot be read now may be readable in a moment: a lock, an editor that replaces it.
  retry: { attempts: 3, backoff: 'fixed', delay: '100ms', jitter: 'none' },
  input: shape<{ readonly root: string; readonly path: string }>(),
  output: shape<{ readonly entry: FileEntry; readonly words: TopWords }>(),
})

export const fold = defineJob({
  name: 'folder-index.fold',
  priority: 'high',
  input: shape<{ readonly jobs: readonly string[] }>(),
  output: shape<Folded>(),
})

export const report = defineJob({
  name: 'folder-index.report',
  input: shape<{ readonly root: string; readonly out: string; readonly folds: readonly string[] }>(),
  output: shape<Summary>(),
})

/** What was found in a folder. */
export interface Totals {
  readonly root: string
  readonly files: number
  readonly text: number
  readonly binary: number
  readonly failed: number
  readonly bytes: number
  readonly lines: number
  readonly words: number
}

/** The totals of a run and where its report is. */
export interface Summary extends Totals {
  readonly reportJson: string
  readonly reportHtml: string
}
