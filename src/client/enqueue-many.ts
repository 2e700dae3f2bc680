/** Many jobs of one kind in few statements. */
import type { Clock } from '../base/clock.ts'
import type { Codec } from '../codec/codec.ts'
import { takeBatch } from '../core/batch.ts'
import { StoreError } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import type { JobDefinition } from '../job/define-job.ts'
import type { InsertResult, NewJob, Store } from '../store/contract/index.ts'
import { invalid } from './arguments.ts'
import { type Accepted, allAccepted, mayBeWritten, stopped, stoppedWithin } from './bulk-enqueue-error.ts'
import { checkId, ENQUEUE_OPTIONS, type EnqueueOptions, newJob, rowWithin } from './enqueue.ts'

/** How many jobs of one kind are to run. What is absent comes from their definition. */
export interface EnqueueManyOptions extends Omit<EnqueueOptions, 'id' | 'unique'> {
  /**
   * The jobs' ids, as many as there are inputs and in their order: UUIDs in lower case. The same call again with the same ids
   * makes no job twice, whatever became of it the first time. Two inputs of one id are one job, that of the first.
   */
  readonly ids?: readonly string[]
}

/** One id or key cannot be that of many jobs. */
const OPTIONS = [...ENQUEUE_OPTIONS.filter((option) => option !== 'id' && option !== 'unique'), 'ids']

/** What many jobs are enqueued with. */
export interface ManyParts {
  readonly store: Store
  readonly codec: Codec
  readonly clock: Clock
  /** Called after a commit that may have made jobs claimable. */
  readonly wake: () => void
}

/** A call that failed after more than this has had its time: whoever waits is told. */
const QUICK_MS = 1_000
/**
 * A statement whose connection broke may still be on its way to its end. Where its rows were said to be new it does not look
 * for jobs that have ended (`NewJob.fresh`), so what comes after it must not be so early that a job could have ended between.
 */
const AGAIN_AFTER_MS = 100

/**
 * Every input is checked before the first row is written. Each batch (1,000 rows or 1 MiB) is one transaction; one that fails
 * with a transient error within a second is written once more, under the same ids. When a batch fails, or some rows are
 * refused, the error says what was committed, what may have been, and the ids of all: see `BulkEnqueueFields`. Between batches
 * the event loop has its turn. With `tx` the batches follow each other inside the caller's transaction, each of them once. When
 * rows are refused there, `BULK_PARTIAL` says what stands in it; when a batch fails, the store's own error says to begin it again.
 */
export async function enqueueBatch(
  parts: ManyParts,
  definition: JobDefinition,
  inputs: readonly unknown[],
  options: EnqueueManyOptions | undefined,
): Promise<readonly Accepted[]> {
  if (!Array.isArray(inputs)) throw invalid('inputs', inputs, 'it is not a list', 'Pass one input for each job.')
  const { store, codec, wake } = parts
  const optionsAt = optionsOf(inputs, options)
  const rows: NewJob[] = []
  for (const [i, input] of inputs.entries()) {
    const row = newJob(codec, definition, input, optionsAt(i))
    if (options?.tx !== undefined) rows.push(rowWithin(store, definition, row))
    else rows.push(row instanceof Promise ? await row : row)
  }
  if (options?.tx !== undefined) return insertAllWithin(store, options, rows)
  const results: InsertResult[] = []
  for (let rest = rows; rest.length > 0; ) {
    const count = takeBatch(rest, (job) => job.payload.byteLength)
    try {
      results.push(...(await insertBatch(parts, count === rest.length ? rest : rest.slice(0, count))))
    } catch (error) {
      throw stopped(results, rows, count, error)
    }
    wake()
    rest = count === rest.length ? [] : rest.slice(count)
    if (rest.length > 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return allAccepted(results, rows)
}

/** What each input is enqueued with. */
function optionsOf(
  inputs: readonly unknown[],
  options: EnqueueManyOptions | undefined,
): (index: number) => EnqueueOptions | undefined {
  if (options === undefined) return () => undefined
  checkOptions(options, OPTIONS, 'enqueueMany')
  const { ids, ...shared } = options
  if (ids === undefined) return () => shared
  if (!Array.isArray(ids)) throw invalid('ids', ids, 'it is not a list', 'Pass one id for each input, or leave it out.')
  if (ids.length !== inputs.length) {
    const why = inputs.length === 1 ? 'there is 1 input' : `there are ${inputs.length} inputs`
    throw invalid('ids', `${ids.length} ids`, why, 'Pass one id for each input, in their order.')
  }
  for (let i = 0; i < ids.length; i++) checkId(ids[i], `ids[${i}]`)
  return (index) => {
    const id = ids[index]
    return id === undefined ? shared : { ...shared, id }
  }
}

/** Writes one batch, once more when its answer was soon lost. Fails with an error that leaves its outcome open, if one did. */
async function insertBatch({ store, clock }: ManyParts, batch: readonly NewJob[]): Promise<readonly InsertResult[]> {
  const sentAt = clock.monotonic()
  try {
    return await store.jobs.insert(batch)
  } catch (error) {
    const isTransient = error instanceof StoreError && error.kind === 'transient'
    if (!isTransient || clock.monotonic() - sentAt > QUICK_MS) throw error
    await pause(clock)
    return await insertAgain(store, batch).catch((again: unknown) => {
      throw mayBeWritten(again) ? again : error
    })
  }
}

async function insertAgain(store: Store, batch: readonly NewJob[]): Promise<readonly InsertResult[]> {
  const results = await store.jobs.insert(batch.map((job) => ({ ...job, fresh: false })))
  // Under an id that was made for this call nobody else has made a job.
  return results.map((result, i) =>
    result.status === 'existing' && batch[i]?.fresh === true ? { ...result, status: 'created' } : result,
  )
}

async function pause(clock: Clock): Promise<void> {
  // A caller awaits this: the process must stay alive for it, and a timer of the clock does not see to that.
  const keepAlive = setInterval(() => {}, 60_000)
  await new Promise<void>((resolve) => {
    clock.after(AGAIN_AFTER_MS, resolve)
  })
  clearInterval(keepAlive)
}

/** Batch after batch without a turn of the event loop between them, when the driver has none: the caller's transaction is open. */
async function insertAllWithin(
  store: Store,
  { tx, notify }: EnqueueManyOptions,
  rows: readonly NewJob[],
): Promise<readonly Accepted[]> {
  const results: InsertResult[] = []
  for (let rest = rows; rest.length > 0; ) {
    const count = takeBatch(rest, (job) => job.payload.byteLength)
    try {
      const answer = store.jobs.insertWithin(tx, rest.slice(0, count), notify)
      results.push(...(answer instanceof Promise ? await answer : answer))
    } catch (error) {
      throw stoppedWithin(results, rows, count, error)
    }
    rest = rest.slice(count)
  }
  return allAccepted(results, rows, true)
}
