/** Reads and writes everything that a store on a server holds, as it is, over the shared slow road. */

import type {
  CopiedJob,
  CopiedKey,
  CopiedLine,
  CopiedQueue,
  CopiedValue,
  CopyFacet,
  CopyPage,
  CopyPart,
  CopyParts,
  EdgeRow,
} from '../contract/index.ts'
import { readRemembered, writeRemembered } from './copy-remembered.ts'
import {
  COPIED,
  COPIED_ARCHIVE,
  COPIED_LIVE,
  copiedJob,
  fitting,
  inlineBytes,
  type NamedRow,
  rowsOf,
} from './copy-rows.ts'
import { type InsertRows, insertRows, type RowsInsert } from './insert-rows.ts'
import { keyHash } from './keys.ts'
import { intOrNull } from './live-job.ts'
import { attemptsOf, bytesOfAll } from './read.ts'
import { type Columns, int, text, textOrNull } from './rows.ts'
import type { ColumnTypes, Database, Session, SqlValue, Transaction } from './session.ts'

const LIVE = `SELECT ${COPIED_LIVE} FROM millrace_job WHERE id > $1 ORDER BY id LIMIT $2`
const ARCHIVED = `SELECT ${COPIED_ARCHIVE} FROM millrace_archive WHERE id > $1 ORDER BY id LIMIT $2`
const SIZES =
  'SELECT job_id, octet_length(data) AS size FROM millrace_bytes WHERE job_id IN LIST($1 text) UNION ALL ' +
  'SELECT job_id, coalesce(octet_length(error), 0) AS size FROM millrace_attempt WHERE job_id IN LIST($2 text)'
const EDGES =
  'SELECT parent_id, child_id, policy FROM millrace_edge WHERE parent_id >= $1 AND (parent_id > $2 OR child_id > $3) ' +
  'ORDER BY parent_id, child_id LIMIT $4'
const KEYS =
  'SELECT key_hash, scope, unique_key, job_id, until_at FROM millrace_unique WHERE key_hash > $1 ORDER BY key_hash LIMIT $2'
const LOGS =
  'SELECT job_id, seq, attempt, at, level, message FROM millrace_log WHERE job_id >= $1 AND (job_id > $2 OR seq > $3) ' +
  'ORDER BY job_id, seq LIMIT $4'
const QUEUES =
  'SELECT name, paused_at, paused_by, pause_reason FROM millrace_queue WHERE name > $1 ORDER BY name LIMIT $2'
const VALUES = 'SELECT state_key, value, version FROM millrace_state WHERE state_key > $1 ORDER BY state_key LIMIT $2'
const KNOWN_LIVE = 'SELECT id FROM millrace_job WHERE id IN LIST($1 text)'
const KNOWN_ARCHIVED = 'SELECT id FROM millrace_archive WHERE id IN LIST($1 text)'

const insertInto = (table: string, columns: ColumnTypes, ...key: string[]): RowsInsert => ({
  write: 'insert',
  table,
  columns,
  key,
  onTaken: 'skip',
})
const INSERT = {
  job: insertInto('job', COPIED.job, 'id'),
  archive: insertInto('archive', COPIED.archive, 'id'),
  bytes: insertInto('bytes', COPIED.bytes, 'job_id', 'field'),
  attempt: insertInto('attempt', COPIED.attempt, 'job_id', 'epoch'),
  edges: insertInto('edge', { parent_id: 'text', child_id: 'text', policy: 'text' }, 'parent_id', 'child_id'),
  keys: insertInto(
    'unique',
    { key_hash: 'text', scope: 'text', unique_key: 'text', job_id: 'text', until_at: 'int' },
    'key_hash',
  ),
  logs: insertInto(
    'log',
    { job_id: 'text', seq: 'int', attempt: 'int', at: 'int', level: 'text', message: 'bytes' },
    'job_id',
    'seq',
  ),
  queues: insertInto('queue', { name: 'text', paused_at: 'int', paused_by: 'text', pause_reason: 'text' }, 'name'),
  values: insertInto('state', { state_key: 'text', value: 'text', version: 'int' }, 'state_key'),
} as const

/** What a driver does in ways of its own. */
export interface CopyWays {
  /** Writes what else the store keeps of live jobs. */
  readonly afterLive?: (tx: Transaction, jobs: readonly CopiedJob[]) => Promise<void>
  /** Writes rows, those of large values as well, and leaves what is there. Default `insertRows`. */
  readonly insert?: InsertRows
}

/** The copy facet of a SQL store on a server. */
export function copyFacet(db: Database, { afterLive, insert = insertRows }: CopyWays = {}): CopyFacet {
  return {
    // Each part's reader and writer are of its own type.
    read: <P extends CopyPart>(part: P, cursor: string | null, limit: number) =>
      db.read((session) => PARTS[part].read(session, cursor, limit)) as Promise<CopyPage<CopyParts[P]>>,
    async write<P extends CopyPart>(part: P, items: readonly CopyParts[P][]) {
      const { write } = PARTS[part] as {
        readonly write: (insert: Insert, tx: Transaction, items: readonly CopyParts[P][]) => Promise<void>
      }
      if (items.length === 0) return
      await db.transact(async (tx) => {
        await write((statement, rows) => insert(tx, statement, rows), tx, items)
        // Of this part they are jobs.
        if (part === 'live') await afterLive?.(tx, items as readonly CopiedJob[])
      })
    },
  }
}

type Insert = (statement: RowsInsert, rows: readonly NamedRow[]) => Promise<void>

interface Part<T> {
  readonly read: (session: Session, cursor: string | null, limit: number) => Promise<CopyPage<T>>
  readonly write: (insert: Insert, tx: Transaction, items: readonly T[]) => Promise<void>
}

const PARTS: { readonly [P in CopyPart]: Part<CopyParts[P]> } = {
  live: { read: (session, cursor, limit) => readJobs(session, LIVE, cursor, limit), write: writeJobs },
  archive: { read: (session, cursor, limit) => readJobs(session, ARCHIVED, cursor, limit), write: writeJobs },
  edges: {
    read: (session, cursor, limit) => {
      const [parent, child] = pairOf(cursor)
      return page<EdgeRow>(session, EDGES, [parent, parent, child, limit], limit, {
        // Only inserts write the policy.
        item: (row) => ({ parentId: text(row[0]), childId: text(row[1]), policy: text(row[2]) as EdgeRow['policy'] }),
        cursor: (row) => JSON.stringify([row[0], row[1]]),
      })
    },
    write: (insert, _, items) =>
      put(insert, INSERT.edges, items, ({ parentId, childId, policy }) => ({
        parent_id: parentId,
        child_id: childId,
        policy,
      })),
  },
  keys: {
    read: (session, cursor, limit) =>
      page<CopiedKey>(session, KEYS, [cursor ?? '', limit], limit, {
        item: (row) => ({ scope: text(row[1]), key: text(row[2]), jobId: text(row[3]), until: intOrNull(row[4]) }),
        cursor: (row) => text(row[0]),
      }),
    write: (insert, _, items) =>
      put(insert, INSERT.keys, items, ({ scope, key, jobId, until }) => ({
        key_hash: keyHash(scope, key),
        scope,
        unique_key: key,
        job_id: jobId,
        until_at: until,
      })),
  },
  logs: {
    read: (session, cursor, limit) => {
      const [id, seq] = pairOf(cursor)
      return page<CopiedLine>(session, LOGS, [id, id, Number(seq), limit], limit, {
        item: (row) => ({
          jobId: text(row[0]),
          seq: int(row[1]),
          attempt: int(row[2]),
          at: int(row[3]),
          // Only `report` writes this column.
          level: text(row[4]) as CopiedLine['level'],
          message: row[5] instanceof Uint8Array ? row[5] : new Uint8Array(0),
        }),
        cursor: (row) => JSON.stringify([row[0], row[1]]),
      })
    },
    write: (insert, _, items) => put(insert, INSERT.logs, items, ({ jobId, ...line }) => ({ job_id: jobId, ...line })),
  },
  queues: {
    read: (session, cursor, limit) =>
      page<CopiedQueue>(session, QUEUES, [cursor ?? '', limit], limit, {
        item: (row) => ({
          name: text(row[0]),
          pausedAt: intOrNull(row[1]),
          pausedBy: textOrNull(row[2]),
          pauseReason: textOrNull(row[3]),
        }),
        cursor: (row) => text(row[0]),
      }),
    write: (insert, _, items) =>
      put(insert, INSERT.queues, items, ({ name, pausedAt, pausedBy, pauseReason }) => ({
        name,
        paused_at: pausedAt,
        paused_by: pausedBy,
        pause_reason: pauseReason,
      })),
  },
  values: {
    read: (session, cursor, limit) =>
      page<CopiedValue>(session, VALUES, [cursor ?? '', limit], limit, {
        item: (row) => ({ key: text(row[0]), value: text(row[1]), version: int(row[2]) }),
        cursor: (row) => text(row[0]),
      }),
    write: (insert, _, items) =>
      put(insert, INSERT.values, items, ({ key, value, version }) => ({ state_key: key, value, version })),
  },
  remembered: { read: readRemembered, write: (_, tx, items) => writeRemembered(tx, items) },
}

async function readJobs(
  session: Session,
  statement: string,
  cursor: string | null,
  limit: number,
): Promise<CopyPage<CopiedJob>> {
  const found = (await session.query(statement, [cursor ?? '', limit])).rows
  const sizes = new Map(found.map((row) => [text(row[0]), inlineBytes(row)]))
  if (found.length > 0) {
    const all = [...sizes.keys()]
    for (const row of (await session.query(SIZES, [all, all])).rows) {
      sizes.set(text(row[0]), (sizes.get(text(row[0])) ?? 0) + int(row[1]))
    }
  }
  const rows = found.slice(0, fitting([...sizes.values()]))
  const ids = rows.map((row) => text(row[0]))
  const [bytes, past] = await Promise.all([bytesOfAll(session, ids, true), attemptsOf(session, ids)])
  return {
    items: rows.map((row) => copiedJob(row, bytes, (id) => past.get(id) ?? [])),
    next: rows.length < found.length || found.length === limit ? (ids.at(-1) ?? null) : null,
  }
}

async function writeJobs(insert: Insert, tx: Transaction, jobs: readonly CopiedJob[]): Promise<void> {
  const ids = jobs.map(({ id }) => id)
  const known = new Set<string>()
  // Left out instead of skipped by the insert: a dialect may keep rows elsewhere that follow those of jobs.
  for (const statement of [KNOWN_LIVE, KNOWN_ARCHIVED]) {
    for (const row of (await tx.query(statement, [ids])).rows) known.add(text(row[0]))
  }
  const copied = jobs
    .filter(({ id }) => !known.has(id))
    .map((job) => ({ ...rowsOf(job), isLive: job.finishedAt === null }))
  const rowsWhere = (isLive: boolean) => copied.filter((one) => one.isLive === isLive).map(({ row }) => row)
  await insert(INSERT.job, rowsWhere(true))
  await insert(INSERT.archive, rowsWhere(false))
  const attempts = copied.flatMap((one) => one.attempts)
  await insert(INSERT.attempt, attempts)
  const bytes = copied.flatMap((one) => one.bytes)
  await insert(INSERT.bytes, bytes)
}

function put<T>(insert: Insert, statement: RowsInsert, items: readonly T[], row: (item: T) => NamedRow): Promise<void> {
  return insert(statement, items.map(row))
}

async function page<T>(
  session: Session,
  statement: string,
  params: readonly SqlValue[],
  limit: number,
  as: { readonly item: (row: Columns) => T; readonly cursor: (row: Columns) => string },
): Promise<CopyPage<T>> {
  const found = (await session.query(statement, params)).rows
  const rows = found.slice(0, fitting(found.map(inlineBytes)))
  const last = rows.at(-1)
  const isMore = rows.length < found.length || found.length === limit
  return { items: rows.map(as.item), next: isMore && last !== undefined ? as.cursor(last) : null }
}

/** A cursor over two columns; before everything when there is none. */
function pairOf(cursor: string | null): readonly [string, string | number] {
  if (cursor === null) return ['', '']
  // As this file wrote it.
  return JSON.parse(cursor) as [string, string | number]
}
