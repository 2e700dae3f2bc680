/** Looking at jobs: one, pages, counts, logs, and why one is not running. */
import type { Codec } from '../codec/codec.ts'
import { writeCursor } from '../core/filter/cursor.ts'
import { LOG_LEVELS, type LogLevel } from '../core/job/log-level.ts'
import { checkOptions } from '../core/options.ts'
import type { Store } from '../store/contract/index.ts'
import { invalid, oneOf, wholeOf } from './arguments.ts'
import { type JobInfo, viewJob } from './job-view.ts'
import { type JobQuery, openMatching, QUERY_OPTIONS, readyQuery } from './query.ts'

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
  /** Fewer than `limit`, even none, do not mean that there are no more: see `next`. */
  readonly jobs: readonly JobInfo[]
  /** The cursor of the next page; absent when nothing is left to look at. */
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

const LIST = [...QUERY_OPTIONS, 'limit', 'cursor', 'order']
/** One page asks the store so often at most, when few of the rows that it looks at match. */
const MAX_CALLS = 20
/** Rows that are opened at once to look into their errors. */
const OPENED = 200

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
  const { filter, errors } = await readyQuery(store, options)
  const jobs: JobInfo[] = []
  let cursor = options.cursor
  for (let calls = 1; ; calls++) {
    const page = await store.jobs.list({
      filter,
      limit: errors.length > 0 ? OPENED : limit - jobs.length,
      ...(cursor !== undefined && { cursor }),
      oldestFirst: order === 'oldest',
    })
    jobs.push(...(await openMatching(codec, page.rows, errors)))
    const last = jobs[limit - 1]
    // More were opened than the page takes: the next one begins behind the last that it took.
    if (jobs.length > limit && last !== undefined) {
      return { jobs: jobs.slice(0, limit), next: writeCursor(order, last.id) }
    }
    cursor = page.next
    if (cursor === undefined) return { jobs }
    if (jobs.length === limit || calls === MAX_CALLS) return { jobs, next: cursor }
  }
}

/** How many match; counted no further than `cap` (default 10,000). */
export async function countJobs(
  store: Store,
  codec: Codec,
  query: JobQuery,
  cap = 10_000,
): Promise<{ readonly count: number; readonly capped: boolean }> {
  checkOptions(query, QUERY_OPTIONS, 'count')
  const most = wholeOf(cap, 'cap', 1, 1_000_000_000)
  const { filter, errors } = await readyQuery(store, query)
  let count = 0
  for (let cursor: string | undefined; ; ) {
    const at = cursor === undefined ? {} : { cursor }
    if (errors.length === 0) {
      const part = await store.jobs.count(filter, most - count, cursor)
      count += part.count
      if (part.capped) return { count, capped: true }
      cursor = part.next
    } else {
      const page = await store.jobs.list({ filter, limit: OPENED, oldestFirst: true, ...at })
      count += (await openMatching(codec, page.rows, errors)).length
      if (count > most) return { count: most, capped: true }
      cursor = page.next
    }
    if (cursor === undefined) return { count, capped: false }
  }
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
