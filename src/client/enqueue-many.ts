/** Many jobs of one kind in few statements. */
import type { Codec } from '../codec/codec.ts'
import { takeBatch } from '../core/batch.ts'
import { MillraceError } from '../core/errors.ts'
import type { JobDefinition } from '../job/define-job.ts'
import type { InsertResult, NewJob, Store } from '../store/contract/index.ts'
import { type EnqueueOptions, newJob } from './enqueue.ts'

const MAX_ROWS = 1000
const MAX_BYTES = 4 * 1024 * 1024

/**
 * Every input is checked before the first row is written. Each batch (1,000 rows or 4 MiB) is one transaction; when a
 * later one fails, `BULK_PARTIAL` says how many were committed. Between batches the event loop has its turn.
 */
export async function enqueueBatch(
  store: Store,
  codec: Codec,
  definition: JobDefinition,
  inputs: readonly unknown[],
  options: Omit<EnqueueOptions, 'id' | 'unique'> | undefined,
  onCommit: () => void,
): Promise<readonly InsertResult[]> {
  const rows: NewJob[] = []
  for (const input of inputs) {
    const row = newJob(codec, definition, input, options)
    rows.push(row instanceof Promise ? await row : row)
  }
  if (options?.tx !== undefined) return store.jobs.insertWithin(options.tx, rows)
  const results: InsertResult[] = []
  for (let rest = rows; rest.length > 0; ) {
    const count = takeBatch(rest, (job) => job.payload.byteLength, MAX_ROWS, MAX_BYTES)
    try {
      results.push(...(await store.jobs.insert(count === rest.length ? rest : rest.slice(0, count))))
    } catch (error) {
      if (results.length === 0) throw error
      throw new MillraceError('BULK_PARTIAL', `stopped after ${results.length} of ${rows.length} jobs`, {
        fields: { results, remaining: rows.length - results.length },
        hint: `The first ${results.length} inputs are committed; enqueue the others again.`,
        cause: error,
      })
    }
    onCommit()
    rest = count === rest.length ? [] : rest.slice(count)
    if (rest.length > 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return results
}
