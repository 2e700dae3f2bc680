/**
 * Changing all jobs of a filter: 500 a transaction, by id from the oldest, and only jobs that were made before it began, so
 * that it ends whatever is enqueued meanwhile. A job that does not match any more when its turn comes is left alone.
 */
import type { Codec } from '../codec/codec.ts'
import { MillraceError } from '../core/errors.ts'
import type { JobFilter } from '../core/filter/job-filter.ts'
import { checkOptions } from '../core/options.ts'
import type { JobChange, Store } from '../store/contract/index.ts'
import { instantOf, invalid } from './arguments.ts'
import { countJobs, listJobs } from './inspect.ts'
import type { JobInfo } from './job-view.ts'
import { type JobQuery, openMatching, QUERY_OPTIONS, readyQuery } from './query.ts'

/** Which jobs: options, or text in the filter grammar. */
export type Where = JobQuery | string

/** How a change of all jobs of a filter is done. */
export interface WhereOptions {
  /** Called after each transaction. */
  readonly onProgress?: (progress: WhereResult) => void
  /** Stops between two transactions, with `BULK_PARTIAL`. */
  readonly signal?: AbortSignal
  /** To go on after `BULK_PARTIAL`: its `fields.cursor` and `fields.createdBefore`. */
  readonly cursor?: string
  readonly createdBefore?: Date
}

/** What a change of all jobs of a filter came to. */
export interface WhereResult {
  /** How many jobs matched when their turn came. */
  readonly matched: number
  /** How many of them had each outcome, by the words of the operation by ids. */
  readonly outcomes: Readonly<Record<string, number>>
}

/** What a change of all jobs of a filter would meet. */
export interface Preview {
  /** Counted no further than 10,000. */
  readonly count: number
  /** There are more. */
  readonly capped: boolean
  /** The newest of them, at most five. */
  readonly jobs: readonly JobInfo[]
}

/** Hears what one transaction did. */
export type OnChunk = (results: readonly { readonly id: string; readonly outcome: string }[]) => void

/** How many jobs one transaction changes at most. */
const CHUNK = 500

/** Looks at what a change would meet, changing nothing. */
export async function previewWhere(store: Store, codec: Codec, where: Where): Promise<Preview> {
  const query = queryFrom(where)
  const { count, capped } = await countJobs(store, codec, query)
  const { jobs } = count === 0 ? { jobs: [] } : await listJobs(store, codec, { ...query, limit: 5 })
  return { count, capped, jobs }
}

/** Changes all jobs of a filter. `onChunk` hears of each transaction's jobs. */
export async function changeAllWhere(
  store: Store,
  codec: Codec,
  where: Where,
  change: JobChange,
  options: WhereOptions,
  onChunk: OnChunk = () => {},
): Promise<WhereResult> {
  checkOptions(options, ['onProgress', 'signal', 'cursor', 'createdBefore'], 'changes by filter')
  const { filter, errors } = await readyQuery(store, queryFrom(where))
  // Millisecond by millisecond: what is made in this one may still come in.
  const begunAt =
    options.createdBefore === undefined ? (await store.time()) + 1 : instantOf(options.createdBefore, 'createdBefore')
  const createdBefore = Math.min(filter.createdBefore ?? begunAt, begunAt)
  const bounded: JobFilter = { ...filter, createdBefore }
  const outcomes: Record<string, number> = {}
  let matched = 0
  for (let cursor = options.cursor; ; ) {
    const at = cursor === undefined ? {} : { cursor }
    try {
      options.signal?.throwIfAborted()
      let results: readonly { readonly id: string; readonly outcome: string }[]
      let next: string | undefined
      if (errors.length === 0) {
        ;({ results, next } = await store.jobs.changeWhere({ filter: bounded, change, limit: CHUNK, ...at }))
      } else {
        const page = await store.jobs.list({ filter: bounded, limit: CHUNK, oldestFirst: true, ...at })
        const ids = (await openMatching(codec, page.rows, errors)).map(({ id }) => id)
        const among = { ...bounded, ids }
        results =
          ids.length === 0 ? [] : (await store.jobs.changeWhere({ filter: among, change, limit: CHUNK })).results
        next = page.next
      }
      for (const { outcome } of results) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      matched += results.length
      onChunk(results)
      options.onProgress?.({ matched, outcomes: { ...outcomes } })
      cursor = next
      if (cursor === undefined) return { matched, outcomes }
    } catch (error) {
      if (matched === 0 && cursor === options.cursor && options.signal?.aborted !== true) throw error
      const why = error instanceof Error ? `: ${error.message}` : ''
      throw new MillraceError('BULK_PARTIAL', `stopped after ${matched} jobs${why}`, {
        fields: { matched, outcomes, ...(cursor !== undefined && { cursor }), createdBefore: new Date(begunAt) },
        hint: 'What was done is committed; call again with `fields.cursor` and `fields.createdBefore` to go on.',
        cause: error,
      })
    }
  }
}

/** The query, which has to say something: a filter that was left empty by mistake would name every job. */
function queryFrom(where: Where): JobQuery {
  const query = typeof where === 'string' ? { where } : where
  checkOptions(query, QUERY_OPTIONS, 'the filter')
  const { where: text = '', ...rest } = query
  if (text.trim() === '' && Object.values(rest).every((value) => value === undefined)) {
    throw invalid('where', text, 'it is empty, which names every job', 'Say which jobs, for example state:failed.')
  }
  return query
}
