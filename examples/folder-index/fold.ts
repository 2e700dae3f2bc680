/** Sums up the files of one fold: their entries, their failures with the reason, their words. */
import { handle, type Millrace } from 'millrace'
import { type Failure, type FileEntry, fold, type TopWords } from './jobs.ts'
import { mergeWords } from './words.ts'

const KEPT_WORDS = 3000

interface Indexed {
  readonly entry: FileEntry
  readonly words: TopWords
}

export function foldHandler(mill: Millrace) {
  return handle(fold, async ({ jobs }) => {
    const files: FileEntry[] = []
    const failures: Failure[] = []
    const words: TopWords[] = []
    for (const id of jobs) {
      const job = await mill.get(id)
      if (job?.state === 'completed') {
        // What `indexFile` returned: its output type says so.
        const { entry, words: found } = job.result as Indexed
        files.push(entry)
        words.push(found)
      } else {
        const { path } = (job?.input ?? { path: id }) as { readonly path: string }
        const reason = job?.error?.name ?? job?.reason ?? 'missing'
        failures.push({ path, reason, message: job?.error?.message ?? '' })
      }
    }
    return { files, failures, words: mergeWords(words, KEPT_WORDS) }
  })
}
