/** Reads: one job, pages of jobs, counts, logs, edges. They take no lock. */
import type { SQLInputValue } from 'node:sqlite'
import type { CountResult, EdgeRow, JobFilter, JobRow, ListRequest, ListResult, LogLine } from '../contract/index.ts'
import type { RunQuery } from '../sql/query/search.ts'
import type { QueryWords } from '../sql/query/words.ts'
import { searchOf } from '../sql/read.ts'
import { ARCHIVE_COLUMNS, type Columns, int, LIVE_COLUMNS, text, toJobRow } from '../sql/rows.ts'
import type { SqlValue } from '../sql/session.ts'
import { attemptsOf } from './attempts.ts'
import { READ_BYTES } from './claim.ts'
import type { Connection } from './connection.ts'

const LIVE_BY_ID = `SELECT ${LIVE_COLUMNS} FROM millrace_job WHERE id = ?`
const ARCHIVED_BY_ID = `SELECT ${ARCHIVE_COLUMNS} FROM millrace_archive WHERE id = ?`
const LOGS =
  'SELECT attempt, seq, at, level, message FROM millrace_log WHERE job_id = ? AND seq > ? ORDER BY seq LIMIT ? + 0'
const EDGES =
  'SELECT parent_id, child_id, policy FROM millrace_edge WHERE parent_id = ?1 UNION ALL ' +
  'SELECT parent_id, child_id, policy FROM millrace_edge WHERE child_id = ?1 ORDER BY 1, 2'

/** How queries by filter are said to SQLite. A sign before a column keeps its indexes out: see `sql/query/ways.ts`. */
export const WORDS: QueryWords = {
  compiler: ({ SqliteQueryCompiler }) => new SqliteQueryCompiler(),
  table: (name) => [`millrace_${name}`],
  along: { id: '', state: '' },
  masked: { queue: '+a.queue', state: '+a.state' },
  uniqueKey: 'a.unique_key',
  tags: 'json_each(case when json_valid(a.tags) then a.tags end) as t',
  tag: 't.value',
  position: { name: 'instr', first: 'text' },
}

/** See `JobsFacet.get`. */
export function jobById(c: Connection, id: string): JobRow | null {
  const row = c.get(LIVE_BY_ID, id) ?? c.get(ARCHIVED_BY_ID, id)
  return row === undefined ? null : rowToJob(c, row)
}

/** See `JobsFacet.finished`. */
export function finishedJobs(c: Connection, ids: readonly string[]): readonly JobRow[] {
  return ids.flatMap((id) => {
    const row = c.get(ARCHIVED_BY_ID, id)
    return row === undefined ? [] : [rowToJob(c, row)]
  })
}

/** See `JobsFacet.list`. */
export async function listJobs(c: Connection, request: ListRequest): Promise<ListResult> {
  const { search } = await import('../sql/query/index.ts')
  const { rows, ...end } = await search(runOn(c), WORDS, 'all', searchOf(request))
  return { rows: c.read(() => rows.map((row) => rowToJob(c, row))), ...end }
}

/** See `JobsFacet.count`. */
export async function countJobs(
  c: Connection,
  filter: JobFilter,
  cap: number,
  cursor: string | undefined,
): Promise<CountResult> {
  const { countMatching } = await import('../sql/query/index.ts')
  return countMatching(runOn(c), WORDS, filter, cap, cursor)
}

/** Runs compiled queries here: each at once when it is asked for, so that those asked for together see the same. */
export function runOn(c: Connection): RunQuery {
  return async (text, values) => c.read(() => rowsOf(c, text, values))
}

/** The rows of a compiled query. */
export function rowsOf(c: Connection, text: string, values: readonly SqlValue[]): readonly Columns[] {
  // Lists go as values one by one: none of the queries binds a list.
  return c.all(text, ...(values as readonly SQLInputValue[]))
}

/** See `JobsFacet.logs`. */
export function logLines(c: Connection, id: string, afterSeq: number, limit: number): readonly LogLine[] {
  return c.all(LOGS, id, afterSeq, limit).map((row) => ({
    attempt: int(row[0]),
    seq: int(row[1]),
    at: int(row[2]),
    // Only `report` writes this column.
    level: text(row[3]) as LogLine['level'],
    message: row[4] instanceof Uint8Array ? row[4] : new Uint8Array(0),
  }))
}

/** See `JobsFacet.edges`. */
export function edgesOf(c: Connection, id: string): readonly EdgeRow[] {
  return c
    .all(EDGES, id)
    .map((row) => ({ parentId: text(row[0]), childId: text(row[1]), policy: text(row[2]) as EdgeRow['policy'] }))
}

function rowToJob(c: Connection, row: Columns): JobRow {
  return toJobRow(
    row,
    (id, field) => bytesOf(c, id, field),
    (id) => attemptsOf(c, id),
  )
}

/** A field of a job, wherever it is kept. */
export function bytesOf(c: Connection, id: string, field: number): Uint8Array | null {
  const data = c.first(READ_BYTES, id, field)
  return data instanceof Uint8Array ? data : null
}
