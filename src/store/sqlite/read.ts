/** Reads: one job, pages of jobs, counts, logs, edges. They take no lock. */
import type { EdgeRow, JobFilter, JobRow, ListRequest, ListResult, LogLine } from '../contract/index.ts'
import { ARCHIVE_COLUMNS, type Columns, int, LIVE_COLUMNS, STATE, text, toJobRow } from '../sql/rows.ts'
import { attemptsOf } from './attempts.ts'
import { READ_BYTES } from './claim.ts'
import type { Connection } from './connection.ts'

const LIVE_BY_ID = `SELECT ${LIVE_COLUMNS} FROM millrace_job WHERE id = ?`
const ARCHIVED_BY_ID = `SELECT ${ARCHIVE_COLUMNS} FROM millrace_archive WHERE id = ?`
// One filter for both tables; a NULL parameter matches everything. Lists arrive as JSON.
const MATCHES =
  '(?1 IS NULL OR state IN (SELECT value FROM json_each(?1))) AND (?2 IS NULL OR queue IN (SELECT value FROM json_each(?2))) ' +
  'AND (?3 IS NULL OR name IN (SELECT value FROM json_each(?3))) ' +
  'AND (?4 IS NULL OR EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid(tags) THEN tags END) WHERE value = ?4)) ' +
  'AND (?5 IS NULL OR created_at > ?5) AND (?6 IS NULL OR created_at < ?6)'
const LIST_LIVE_DOWN = `SELECT ${LIVE_COLUMNS} FROM millrace_job WHERE id < ?7 AND ${MATCHES} ORDER BY id DESC LIMIT ?8 + 0`
const LIST_LIVE_UP = `SELECT ${LIVE_COLUMNS} FROM millrace_job WHERE id > ?7 AND ${MATCHES} ORDER BY id LIMIT ?8 + 0`
const LIST_ARCHIVE_DOWN = `SELECT ${ARCHIVE_COLUMNS} FROM millrace_archive WHERE id < ?7 AND ${MATCHES} ORDER BY id DESC LIMIT ?8 + 0`
const LIST_ARCHIVE_UP = `SELECT ${ARCHIVE_COLUMNS} FROM millrace_archive WHERE id > ?7 AND ${MATCHES} ORDER BY id LIMIT ?8 + 0`
// The rare states have an index of their own: the newest failed job among a million completed is one step away.
const BAD_DOWN = LIST_ARCHIVE_DOWN.replace('WHERE', 'WHERE state = ?9 AND state IN (6, 7) AND')
const BAD_UP = LIST_ARCHIVE_UP.replace('WHERE', 'WHERE state = ?9 AND state IN (6, 7) AND')
const COUNT_LIVE = `SELECT count(*) FROM (SELECT 1 FROM millrace_job WHERE ${MATCHES} LIMIT ?7 + 0)`
const COUNT_ARCHIVE = `SELECT count(*) FROM (SELECT 1 FROM millrace_archive WHERE ${MATCHES} LIMIT ?7 + 0)`
const LOGS =
  'SELECT attempt, seq, at, level, message FROM millrace_log WHERE job_id = ? AND seq > ? ORDER BY seq LIMIT ? + 0'
const EDGES =
  'SELECT parent_id, child_id, policy FROM millrace_edge WHERE parent_id = ?1 UNION ALL ' +
  'SELECT parent_id, child_id, policy FROM millrace_edge WHERE child_id = ?1 ORDER BY 1, 2'

/** An id above every UUID, where a list from the newest begins. */
const ABOVE_ALL = '~'

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
export function listJobs(c: Connection, request: ListRequest): ListResult {
  const up = request.oldestFirst === true
  const from = request.cursor === undefined ? (up ? '' : ABOVE_ALL) : readCursor(request.cursor)
  const take = request.limit + 1
  const filter = filterParams(request.filter)
  const wanted = request.filter.states
  const rows: JobRow[] = []
  if (wanted === undefined || wanted.some((state) => STATE[state] <= 4)) {
    rows.push(...pages(c, up ? LIST_LIVE_UP : LIST_LIVE_DOWN, [...filter, from, take]))
  }
  const bad = wanted?.filter((state) => state === 'failed' || state === 'cancelled')
  if (wanted === undefined || wanted.includes('completed')) {
    rows.push(...pages(c, up ? LIST_ARCHIVE_UP : LIST_ARCHIVE_DOWN, [...filter, from, take]))
  } else {
    for (const state of bad ?? []) rows.push(...pages(c, up ? BAD_UP : BAD_DOWN, [...filter, from, take, STATE[state]]))
  }
  rows.sort((a, b) => (a.id < b.id ? -1 : 1) * (up ? 1 : -1))
  const page = rows.slice(0, request.limit)
  const last = page.at(-1)
  return rows.length > request.limit && last !== undefined ? { rows: page, next: writeCursor(last.id) } : { rows: page }
}

/** See `JobsFacet.count`. */
export function countJobs(
  c: Connection,
  filter: JobFilter,
  cap: number,
): { readonly count: number; readonly capped: boolean } {
  const params = filterParams(filter)
  let count = 0
  for (const sql of [COUNT_LIVE, COUNT_ARCHIVE]) {
    if (count <= cap) count += int(c.first(sql, ...params, cap + 1 - count))
  }
  return { count: Math.min(count, cap), capped: count > cap }
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

function pages(c: Connection, sql: string, params: readonly (string | number | null)[]): readonly JobRow[] {
  return c.all(sql, ...params).map((row) => rowToJob(c, row))
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

function filterParams(filter: JobFilter): readonly (string | number | null)[] {
  const json = (list: readonly unknown[] | undefined) => (list === undefined ? null : JSON.stringify(list))
  return [
    json(filter.states?.map((state) => STATE[state])),
    json(filter.queues),
    json(filter.names),
    filter.tag ?? null,
    filter.createdAfter ?? null,
    filter.createdBefore ?? null,
  ]
}

function writeCursor(id: string): string {
  return Buffer.from(id).toString('base64url')
}

function readCursor(cursor: string): string {
  return Buffer.from(cursor, 'base64url').toString()
}
