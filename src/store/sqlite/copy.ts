/** Reads and writes everything that a file holds, as it is. */

import type { CopiedJob, CopyFacet, CopyPage, CopyPart, CopyParts, EdgeRow, LogLine } from '../contract/index.ts'
import {
  COPIED,
  COPIED_ARCHIVE,
  COPIED_LIVE,
  copiedJob,
  fitting,
  inlineBytes,
  type NamedRow,
  rowsOf,
} from '../sql/copy-rows.ts'
import { intOrNull } from '../sql/live-job.ts'
import { type Columns, int, text, textOrNull } from '../sql/rows.ts'
import { attemptsOf } from './attempts.ts'
import type { Connection } from './connection.ts'
import { bytesOf } from './read.ts'

const LIVE = `SELECT ${COPIED_LIVE} FROM millrace_job WHERE id > ? ORDER BY id LIMIT ? + 0`
const ARCHIVED = `SELECT ${COPIED_ARCHIVE} FROM millrace_archive WHERE id > ? ORDER BY id LIMIT ? + 0`
const SIZE =
  'SELECT (SELECT coalesce(sum(length(data)), 0) FROM millrace_bytes WHERE job_id = ?1) + ' +
  '(SELECT coalesce(sum(length(error)), 0) FROM millrace_attempt WHERE job_id = ?1)'
const EDGES =
  'SELECT parent_id, child_id, policy FROM millrace_edge WHERE (parent_id, child_id) > (?, ?) ' +
  'ORDER BY parent_id, child_id LIMIT ? + 0'
const KEYS =
  'SELECT scope, key, job_id, until FROM millrace_unique WHERE (scope, key) > (?, ?) ORDER BY scope, key LIMIT ? + 0'
const LOGS =
  'SELECT job_id, seq, attempt, at, level, message FROM millrace_log WHERE (job_id, seq) > (?, ?) ORDER BY job_id, seq LIMIT ? + 0'
const QUEUES =
  'SELECT name, paused_at, paused_by, pause_reason FROM millrace_queue WHERE name > ? ORDER BY name LIMIT ? + 0'
const VALUES = 'SELECT key, value, version FROM millrace_state WHERE key > ? ORDER BY key LIMIT ? + 0'
const REMEMBERED = 'SELECT id, done_at FROM millrace_done WHERE id > ? ORDER BY id LIMIT ? + 0'
const IS_KNOWN =
  'SELECT 1 FROM millrace_job WHERE id = ?1 UNION ALL SELECT 1 FROM millrace_archive WHERE id = ?1 LIMIT 1'
const INSERT = {
  job: insertInto('job', Object.keys(COPIED.job)),
  archive: insertInto('archive', Object.keys(COPIED.archive)),
  bytes: insertInto('bytes', Object.keys(COPIED.bytes)),
  attempt: insertInto('attempt', Object.keys(COPIED.attempt)),
  edges: insertInto('edge', ['parent_id', 'child_id', 'policy']),
  keys: insertInto('unique', ['scope', 'key', 'job_id', 'until']),
  logs: insertInto('log', ['job_id', 'seq', 'attempt', 'at', 'level', 'message']),
  queues: insertInto('queue', ['name', 'paused_at', 'paused_by', 'pause_reason']),
  values: insertInto('state', ['key', 'value', 'version']),
  remembered: insertInto('done', ['id', 'done_at']),
} as const

interface Insert {
  readonly text: string
  readonly columns: readonly string[]
}

interface Part<T> {
  readonly read: (c: Connection, cursor: string | null, limit: number) => CopyPage<T>
  readonly write: (c: Connection, item: T) => void
}

/** The copy facet of a file. */
export function copyFacet(c: Connection): CopyFacet {
  return {
    // Each part's reader and writer are of its own type.
    read: async <P extends CopyPart>(part: P, cursor: string | null, limit: number) =>
      c.read(() => PARTS[part].read(c, cursor, limit)) as CopyPage<CopyParts[P]>,
    async write<P extends CopyPart>(part: P, items: readonly CopyParts[P][]) {
      const { write } = PARTS[part] as Part<CopyParts[P]>
      if (items.length === 0) return
      await c.write(() => {
        for (const item of items) write(c, item)
      })
    },
  }
}

const PARTS: { readonly [P in CopyPart]: Part<CopyParts[P]> } = {
  live: { read: (c, cursor, limit) => readJobs(c, LIVE, cursor, limit), write: writeJob },
  archive: { read: (c, cursor, limit) => readJobs(c, ARCHIVED, cursor, limit), write: writeJob },
  edges: {
    read: (c, cursor, limit) =>
      page(c.all(EDGES, ...pairOf(cursor, ''), limit), limit, 2, (row) => ({
        parentId: text(row[0]),
        childId: text(row[1]),
        // Only inserts write the policy.
        policy: text(row[2]) as EdgeRow['policy'],
      })),
    write: (c, { parentId, childId, policy }) =>
      put(c, INSERT.edges, { parent_id: parentId, child_id: childId, policy }),
  },
  keys: {
    read: (c, cursor, limit) =>
      page(c.all(KEYS, ...pairOf(cursor, ''), limit), limit, 2, (row) => ({
        scope: text(row[0]),
        key: text(row[1]),
        jobId: text(row[2]),
        until: intOrNull(row[3]),
      })),
    write: (c, { scope, key, jobId, until }) => put(c, INSERT.keys, { scope, key, job_id: jobId, until }),
  },
  logs: {
    read: (c, cursor, limit) =>
      page(c.all(LOGS, ...pairOf(cursor, 0), limit), limit, 2, (row) => ({
        jobId: text(row[0]),
        seq: int(row[1]),
        attempt: int(row[2]),
        at: int(row[3]),
        // Only `report` writes this column.
        level: text(row[4]) as LogLine['level'],
        message: row[5] instanceof Uint8Array ? row[5] : new Uint8Array(0),
      })),
    write: (c, { jobId, ...line }) => put(c, INSERT.logs, { job_id: jobId, ...line }),
  },
  queues: {
    read: (c, cursor, limit) =>
      page(c.all(QUEUES, cursor ?? '', limit), limit, 1, (row) => ({
        name: text(row[0]),
        pausedAt: intOrNull(row[1]),
        pausedBy: textOrNull(row[2]),
        pauseReason: textOrNull(row[3]),
      })),
    write: (c, { name, pausedAt, pausedBy, pauseReason }) =>
      put(c, INSERT.queues, { name, paused_at: pausedAt, paused_by: pausedBy, pause_reason: pauseReason }),
  },
  values: {
    read: (c, cursor, limit) =>
      page(c.all(VALUES, cursor ?? '', limit), limit, 1, (row) => ({
        key: text(row[0]),
        value: text(row[1]),
        version: int(row[2]),
      })),
    write: (c, { key, value, version }) => put(c, INSERT.values, { key, value, version }),
  },
  remembered: {
    read: (c, cursor, limit) =>
      page(c.all(REMEMBERED, cursor ?? '', limit), limit, 1, (row) => ({ id: text(row[0]), doneAt: int(row[1]) })),
    write: (c, { id, doneAt }) => put(c, INSERT.remembered, { id, done_at: doneAt }),
  },
}

function readJobs(c: Connection, statement: string, cursor: string | null, limit: number): CopyPage<CopiedJob> {
  const found = c.all(statement, cursor ?? '', limit)
  const sizes = found.map((row) => inlineBytes(row) + int(c.first(SIZE, text(row[0]))))
  const rows = found.slice(0, fitting(sizes))
  const items = rows.map((row) =>
    copiedJob(
      row,
      (id, field) => bytesOf(c, id, field),
      (id) => attemptsOf(c, id),
    ),
  )
  const isMore = rows.length < found.length || found.length === limit
  return { items, next: isMore ? (items.at(-1)?.id ?? null) : null }
}

function writeJob(c: Connection, job: CopiedJob): void {
  // One that has ended since it was copied is in the other table.
  if (c.first(IS_KNOWN, job.id) !== undefined) return
  const { row, bytes, attempts } = rowsOf(job)
  put(c, job.finishedAt === null ? INSERT.job : INSERT.archive, row)
  for (const one of bytes) put(c, INSERT.bytes, one)
  for (const attempt of attempts) put(c, INSERT.attempt, attempt)
}

function put(c: Connection, { text: statement, columns }: Insert, row: NamedRow): void {
  // Lists are no columns' values.
  const values = columns.map((name) => row[name] ?? null) as (string | number | null | Uint8Array)[]
  c.sql(statement).run(...values)
}

function insertInto(table: string, columns: readonly string[]): Insert {
  // allow sql: names of tables and columns from the constants of this file and of store/sql
  const statement = `INSERT OR IGNORE INTO millrace_${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`
  return { text: statement, columns }
}

/** `keys`: how many of the first columns make the key. */
function page<T>(found: readonly Columns[], limit: number, keys: 1 | 2, item: (row: Columns) => T): CopyPage<T> {
  const rows = found.slice(0, fitting(found.map(inlineBytes)))
  const isMore = rows.length < found.length || found.length === limit
  const last = rows.at(-1)
  const cursor = () => (keys === 1 ? text(last?.[0]) : JSON.stringify([last?.[0], last?.[1]]))
  return { items: rows.map(item), next: isMore && last !== undefined ? cursor() : null }
}

/** A cursor over two columns; before everything when there is none. */
function pairOf(cursor: string | null, least: string | number): readonly [string, string | number] {
  if (cursor === null) return ['', least]
  // As this file wrote it.
  return JSON.parse(cursor) as [string, string | number]
}
