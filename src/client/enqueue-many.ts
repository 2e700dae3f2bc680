/** Many jobs of one kind in few statements. */
import type { Codec } from '../codec/codec.ts'
import { takeBatch } from '../core/batch.ts'
import { MillraceError } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import type { JobDefinition } from '../job/define-job.ts'
import type { InsertResult, NewJob, Store } from '../store/contract/index.ts'
import { invalid } from './arguments.ts'
import { ENQUEUE_OPTIONS, type EnqueueOptions, newJob, rowWithin } from './enqueue.ts'

/** A row that stands in the store. */
export type Accepted = Exclude<InsertResult, { status: 'refused' }>

/** One id or key cannot be that of many jobs. */
const OPTIONS = ENQUEUE_OPTIONS.filter((option) => option !== 'id' && option !== 'unique')

/** What a `BULK_PARTIAL` of `enqueueMany` carries in `fields`. */
export interface BulkEnqueueFields {
  /** How many inputs were given. */
  readonly total: number
  /** What was committed: the place of its input, its id, and `created` or `existing`. */
  readonly done: readonly { readonly index: number; readonly id: string; readonly status: string }[]
  /** What the store refused row by row; nothing else was harmed by it. */
  readonly refused: readonly { readonly index: number; readonly id: string; readonly code: string }[]
  /** Places of the inputs that were not written, refused ones included: enqueue these again. */
  readonly remaining: readonly number[]
}

/**
 * Every input is checked before the first row is written. Each batch (1,000 rows or 1 MiB) is one transaction; when a
 * later one fails, or some rows are refused, `BULK_PARTIAL` says what was committed. Between batches the event loop has its
 * turn. With `tx` the batches follow each other inside the caller's transaction, and `BULK_PARTIAL` says what stands in it.
 */
export async function enqueueBatch(
  store: Store,
  codec: Codec,
  definition: JobDefinition,
  inputs: readonly unknown[],
  options: Omit<EnqueueOptions, 'id' | 'unique'> | undefined,
  onCommit: () => void,
): Promise<readonly Accepted[]> {
  if (!Array.isArray(inputs)) throw invalid('inputs', inputs, 'it is not a list', 'Pass one input for each job.')
  if (options !== undefined) checkOptions(options, OPTIONS, 'enqueueMany')
  const rows: NewJob[] = []
  for (const input of inputs) {
    const row = newJob(codec, definition, input, options)
    if (options?.tx !== undefined) rows.push(rowWithin(store, definition, row))
    else rows.push(row instanceof Promise ? await row : row)
  }
  if (options?.tx !== undefined) return insertAllWithin(store, options, rows)
  const results: InsertResult[] = []
  for (let rest = rows; rest.length > 0; ) {
    const count = takeBatch(rest, (job) => job.payload.byteLength)
    try {
      results.push(...(await store.jobs.insert(count === rest.length ? rest : rest.slice(0, count))))
    } catch (error) {
      if (results.length === 0) throw error
      throw partial(results, rows.length, error)
    }
    onCommit()
    rest = count === rest.length ? [] : rest.slice(count)
    if (rest.length > 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return allAccepted(results, rows)
}

/** Batch after batch without a turn of the event loop between them, when the driver has none: the caller's transaction is open. */
async function insertAllWithin(
  store: Store,
  { tx, notify }: EnqueueOptions,
  rows: readonly NewJob[],
): Promise<readonly Accepted[]> {
  const results: InsertResult[] = []
  for (let rest = rows; rest.length > 0; ) {
    const count = takeBatch(rest, (job) => job.payload.byteLength)
    try {
      const answer = store.jobs.insertWithin(tx, rest.slice(0, count), notify)
      results.push(...(answer instanceof Promise ? await answer : answer))
    } catch (error) {
      if (results.length === 0) throw error
      throw partial(results, rows.length, error)
    }
    rest = rest.slice(count)
  }
  return allAccepted(results, rows)
}

function allAccepted(results: readonly InsertResult[], rows: readonly NewJob[]): readonly Accepted[] {
  const accepted = results.filter(isAccepted)
  if (accepted.length === results.length) return accepted
  const refused = results.find((result) => result.status === 'refused')
  const cause = refused === undefined ? undefined : refusal(refused, rows[0]?.name ?? '')
  throw accepted.length === 0 ? cause : partial(results, rows.length, cause)
}

function isAccepted(result: InsertResult): result is Accepted {
  return result.status !== 'refused'
}

function partial(results: readonly InsertResult[], total: number, cause: unknown): MillraceError {
  const done: BulkEnqueueFields['done'][number][] = []
  const refused: BulkEnqueueFields['refused'][number][] = []
  for (const [index, result] of results.entries()) {
    if (isAccepted(result)) done.push({ index, id: result.id, status: result.status })
    else refused.push({ index, id: result.id, code: result.code })
  }
  const unwritten = Array.from({ length: total - results.length }, (_, i) => results.length + i)
  const fields: BulkEnqueueFields = {
    total,
    done,
    refused,
    remaining: [...refused.map(({ index }) => index), ...unwritten],
  }
  const why = cause instanceof Error ? `: ${cause.message}` : ''
  return new MillraceError('BULK_PARTIAL', `${done.length} of ${total} jobs were enqueued, then it stopped${why}`, {
    fields: { ...fields },
    hint: 'What `fields.done` names is committed; enqueue the inputs at `fields.remaining` again.',
    cause,
  })
}

/** The error of one refused row. */
export function refusal(result: Extract<InsertResult, { status: 'refused' }>, name: string): MillraceError {
  return new MillraceError(result.code, `the job ${name} was refused: ${result.message}`, {
    fields: { id: result.id, name },
  })
}
