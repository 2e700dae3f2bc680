/** Which jobs a caller means: options, text in the filter grammar, or both, made ready for the store. */
import type { Codec } from '../codec/codec.ts'
import type { JobFilter } from '../core/filter/job-filter.ts'
import { parseFilter } from '../core/filter/parse.ts'
import { type FilterQuery, passesErrors, queryOf } from '../core/filter/query.ts'
import { JOB_STATES, type JobState } from '../core/job/state.ts'
import type { JobRow, Store } from '../store/contract/index.ts'
import { instantOf, invalid, oneOf, wordsOf } from './arguments.ts'
import { type JobInfo, viewJob } from './job-view.ts'

/** Which jobs. A single value or several; absent parts match everything; all parts have to hold. */
export interface JobQuery {
  readonly state?: JobState | readonly JobState[]
  readonly queue?: string | readonly string[]
  readonly name?: string | readonly string[]
  readonly tag?: string
  readonly createdAfter?: Date
  readonly createdBefore?: Date
  /** In the filter grammar (docs/filters.md): `'error:timeout age>10m -queue:bulk'`. Throws `FILTER_INVALID`. */
  readonly where?: string
}

/** The options that say which jobs. */
export const QUERY_OPTIONS = ['state', 'queue', 'name', 'tag', 'createdAfter', 'createdBefore', 'where'] as const

/** Reads a query; asks the store for its time when ages are measured. */
export async function readyQuery(store: Store, query: JobQuery): Promise<FilterQuery> {
  const filter = filterOf(query)
  const { where } = query
  if (where === undefined) return { filter, errors: [] }
  if (typeof where !== 'string')
    throw invalid('where', where, 'it is not text', "Pass for example 'state:failed age>10m'.")
  const terms = parseFilter(where)
  if (terms.length === 0) return { filter, errors: [] }
  const said = queryOf(terms, await store.time())
  const lists = {
    ...both('states', said.filter, filter),
    ...both('queues', said.filter, filter),
    ...both('names', said.filter, filter),
  }
  return { filter: { ...said.filter, ...filter, ...lists }, errors: said.errors }
}

/** Opens rows, and keeps those whose errors say what was asked for. */
export async function openMatching(
  codec: Codec,
  rows: readonly JobRow[],
  errors: FilterQuery['errors'],
): Promise<readonly JobInfo[]> {
  const jobs = await Promise.all(rows.map((row) => viewJob(codec, row)))
  return errors.length === 0 ? jobs : jobs.filter((job) => passesErrors(job, errorText(job), errors))
}

function errorText({ error }: JobInfo): string | null {
  return error === null ? null : `${error.name}: ${error.message}`
}

function both<K extends 'states' | 'queues' | 'names'>(key: K, a: JobFilter, b: JobFilter): Pick<JobFilter, K> {
  const [one, other]: readonly (readonly string[] | undefined)[] = [a[key], b[key]]
  const list = one === undefined || other === undefined ? (one ?? other) : one.filter((value) => other.includes(value))
  // A part of one of the two lists, of their kind.
  return (list === undefined ? {} : { [key]: list }) as Pick<JobFilter, K>
}

function filterOf(query: JobQuery): JobFilter {
  const { state, queue, name, tag, createdAfter, createdBefore } = query
  if (tag !== undefined && typeof tag !== 'string') throw invalid('tag', tag, 'it is not text', 'Pass one tag.')
  return {
    ...(state !== undefined && { states: wordsOf(state, 'state').map((word) => oneOf(word, 'state', JOB_STATES)) }),
    ...(queue !== undefined && { queues: wordsOf(queue, 'queue') }),
    ...(name !== undefined && { names: wordsOf(name, 'name') }),
    ...(tag !== undefined && { tag }),
    ...(createdAfter !== undefined && { createdAfter: instantOf(createdAfter, 'createdAfter') }),
    ...(createdBefore !== undefined && { createdBefore: instantOf(createdBefore, 'createdBefore') }),
  }
}
