/** Looking at jobs: one, pages, counts, logs, and why one is not running. */
import type { Codec } from '../codec/codec.ts'
import { LOG_LEVELS, type LogLevel } from '../core/job/log-level.ts'
import { JOB_STATES, type JobState } from '../core/job/state.ts'
import { checkOptions } from '../core/options.ts'
import type { JobFilter, Store } from '../store/contract/index.ts'
import { instantOf, invalid, oneOf, wholeOf, wordsOf } from './arguments.ts'
import { type JobInfo, viewJob } from './job-view.ts'

/** Which jobs. A single value or several; absent parts match everything. */
export interface JobQuery {
  readonly state?: JobState | readonly JobState[]
  readonly queue?: string | readonly string[]
  readonly name?: string | readonly string[]
  readonly tag?: string
  readonly createdAfter?: Date
  readonly createdBefore?: Date
}

/** Which page of which jobs. */
export interface ListOptions extends JobQuery {
  /** 1–200, default 50. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly cursor?: string
  /** By creation; default `newest`. */
  readonly order?: 'newest' | 'oldest'
}

/** Which lines of a job's log. */
export interface LogOptions {
  /** Only lines after this `seq`. */
  readonly after?: number
  /** 1–1,000, default 1,000. */
  readonly limit?: number
}

/** A page of jobs. */
export interface JobPage {
  readonly jobs: readonly JobInfo[]
  /** Absent on the last page. */
  readonly next?: string
}

/** One line of a job's log. */
export interface LogEntry {
  readonly seq: number
  readonly attempt: number
  readonly at: Date
  readonly level: LogLevel
  readonly message: string
}

const QUERY = ['state', 'queue', 'name', 'tag', 'createdAfter', 'createdBefore']
const LIST = [...QUERY, 'limit', 'cursor', 'order']

/** The job as it stands, or null. */
export async function getJob(store: Store, codec: Codec, id: string): Promise<JobInfo | null> {
  const row = await store.jobs.get(id)
  return row === null ? null : viewJob(codec, row)
}

/** A page of jobs by creation. */
export async function listJobs(store: Store, codec: Codec, options: ListOptions): Promise<JobPage> {
  checkOptions(options, LIST, 'list')
  const limit = wholeOf(options.limit ?? 50, 'limit', 1, 200)
  const order = oneOf(options.order ?? 'newest', 'order', ['newest', 'oldest'])
  if (options.cursor !== undefined && typeof options.cursor !== 'string')
    throw invalid('cursor', options.cursor, 'it is not text', 'Pass the `next` of the page before.')
  const { rows, next } = await store.jobs.list({
    filter: filterOf(options),
    limit,
    ...(options.cursor !== undefined && { cursor: options.cursor }),
    oldestFirst: order === 'oldest',
  })
  const jobs = await Promise.all(rows.map((row) => viewJob(codec, row)))
  return next === undefined ? { jobs } : { jobs, next }
}

/** How many match; counted no further than `cap` (default 10,000). */
export async function countJobs(
  store: Store,
  query: JobQuery,
  cap = 10_000,
): Promise<{ readonly count: number; readonly capped: boolean }> {
  checkOptions(query, QUERY, 'count')
  return store.jobs.count(filterOf(query), wholeOf(cap, 'cap', 1, 1_000_000_000))
}

/** Lines of a job's log, opened; none for an unknown id. */
export async function readLogs(
  store: Store,
  codec: Codec,
  id: string,
  options: LogOptions,
): Promise<readonly LogEntry[]> {
  checkOptions(options, ['after', 'limit'], 'logs')
  const afterSeq = wholeOf(options.after ?? 0, 'after', 0, Number.MAX_SAFE_INTEGER)
  const limit = wholeOf(options.limit ?? 1000, 'limit', 1, 1000)
  const row = await store.jobs.get(id)
  if (row === null) return []
  const lines = await store.jobs.logs(id, afterSeq, limit)
  const entries: LogEntry[] = []
  for (const line of lines) {
    const field = `log:${line.seq}` as const
    const message = await codec.decode({ jobId: id, jobName: row.name, field }, line.message)
    const level = LOG_LEVELS.find((known) => known === line.level) ?? 'info'
    entries.push({ seq: line.seq, attempt: line.attempt, at: new Date(line.at), level, message: String(message) })
  }
  return entries
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
