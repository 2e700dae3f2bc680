/** Looking at jobs: one, pages, counts, logs, and why one is not running. */
import type { Codec } from '../codec/codec.ts'
import { ConfigError } from '../core/errors.ts'
import { LOG_LEVELS, type LogLevel } from '../core/job/log-level.ts'
import { JOB_STATES, type JobState } from '../core/job/state.ts'
import { checkOptions } from '../core/options.ts'
import type { JobFilter, Store } from '../store/contract/index.ts'
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

export interface ListOptions extends JobQuery {
  /** 1–200, default 50. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly cursor?: string
  /** By creation; default `newest`. */
  readonly order?: 'newest' | 'oldest'
}

export interface JobPage {
  readonly jobs: readonly JobInfo[]
  /** Absent on the last page. */
  readonly next?: string
}

export interface LogEntry {
  readonly seq: number
  readonly attempt: number
  readonly at: Date
  readonly level: LogLevel
  readonly message: string
}

const QUERY = ['state', 'queue', 'name', 'tag', 'createdAfter', 'createdBefore']
const LIST = [...QUERY, 'limit', 'cursor', 'order']

export async function getJob(store: Store, codec: Codec, id: string): Promise<JobInfo | null> {
  const row = await store.jobs.get(id)
  return row === null ? null : viewJob(codec, row)
}

export async function listJobs(store: Store, codec: Codec, options: ListOptions): Promise<JobPage> {
  checkOptions(options, LIST, 'list')
  const limit = options.limit ?? 50
  if (!Number.isInteger(limit) || limit < 1 || limit > 200) {
    throw new ConfigError('CONFIG_INVALID', `the limit ${String(limit)} is not a whole number from 1 to 200`)
  }
  const { rows, next } = await store.jobs.list({
    filter: filterOf(options),
    limit,
    ...(options.cursor !== undefined && { cursor: options.cursor }),
    oldestFirst: options.order === 'oldest',
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
  return store.jobs.count(filterOf(query), cap)
}

export async function readLogs(
  store: Store,
  codec: Codec,
  id: string,
  afterSeq: number,
  limit: number,
): Promise<readonly LogEntry[]> {
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
  const states = several(query.state)
  const unknown = states?.find((state) => !JOB_STATES.includes(state))
  if (unknown !== undefined) {
    throw new ConfigError('CONFIG_INVALID', `no state is called ${JSON.stringify(unknown)}`, {
      fields: { state: unknown },
      hint: `The states are ${JOB_STATES.join(', ')}.`,
    })
  }
  return {
    ...(states !== undefined && { states }),
    ...(query.queue !== undefined && { queues: several(query.queue) }),
    ...(query.name !== undefined && { names: several(query.name) }),
    ...(query.tag !== undefined && { tag: query.tag }),
    ...(query.createdAfter !== undefined && { createdAfter: query.createdAfter.getTime() }),
    ...(query.createdBefore !== undefined && { createdBefore: query.createdBefore.getTime() }),
  }
}

function several<T extends string>(value: T | readonly T[]): readonly T[]
function several<T extends string>(value: T | readonly T[] | undefined): readonly T[] | undefined
function several<T extends string>(value: T | readonly T[] | undefined): readonly T[] | undefined {
  return value === undefined ? undefined : typeof value === 'string' ? [value] : value
}
