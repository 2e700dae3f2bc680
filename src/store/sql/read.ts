/** Reads: one job, pages of jobs, counts, logs, edges. They take no lock. */
import type {
  AttemptRecord,
  CountResult,
  EdgeRow,
  JobFilter,
  JobRow,
  ListRequest,
  ListResult,
  LogLine,
} from '../contract/index.ts'
import type { Search } from './query/search.ts'
import type { QueryWords } from './query/words.ts'
import {
  ARCHIVE_COLUMNS,
  BYTES_FIELD,
  type Columns,
  int,
  LIVE_COLUMNS,
  OPEN_ARCHIVE_COLUMNS,
  OPEN_LIVE_COLUMNS,
  type Sight,
  text,
  toJobRow,
} from './rows.ts'
import type { QuerySession, Session } from './session.ts'

const BY_ID = {
  all: {
    live: `SELECT ${LIVE_COLUMNS} FROM millrace_job WHERE id IN LIST($1 text)`,
    archived: `SELECT ${ARCHIVE_COLUMNS} FROM millrace_archive WHERE id IN LIST($1 text)`,
  },
  open: {
    live: `SELECT ${OPEN_LIVE_COLUMNS} FROM millrace_job WHERE id IN LIST($1 text)`,
    archived: `SELECT ${OPEN_ARCHIVE_COLUMNS} FROM millrace_archive WHERE id IN LIST($1 text)`,
  },
} as const
const ATTEMPTS =
  'SELECT job_id, attempt, epoch, worker_id, started_at, ended_at, outcome, error FROM millrace_attempt ' +
  'WHERE job_id IN LIST($1 text) ORDER BY job_id, epoch'
// A row shows the first three; a checkpoint is the fourth.
const BYTES = 'SELECT job_id, field, data FROM millrace_bytes WHERE job_id IN LIST($1 text) AND field <= $2'
const LOGS =
  'SELECT attempt, seq, at, level, message FROM millrace_log WHERE job_id = $1 AND seq > $2 ORDER BY seq LIMIT $3'
const EDGES =
  'SELECT parent_id, child_id, policy FROM millrace_edge WHERE parent_id = $1 UNION ALL ' +
  'SELECT parent_id, child_id, policy FROM millrace_edge WHERE child_id = $2 ORDER BY 1, 2'

/** See `JobsFacet.get`. */
export async function jobById(session: Session, id: string, sight: Sight): Promise<JobRow | null> {
  const { live: liveById, archived: archivedById } = BY_ID[sight]
  const live = (await session.query(liveById, [[id]])).rows
  const rows = live.length > 0 ? live : (await session.query(archivedById, [[id]])).rows
  // It may have been put back by hand between the two.
  const found = rows.length > 0 ? rows : (await session.query(liveById, [[id]])).rows
  return (await toJobRows(session, found, sight))[0] ?? null
}

/** See `JobsFacet.finished`. */
export async function finishedJobs(session: Session, ids: readonly string[], sight: Sight): Promise<readonly JobRow[]> {
  if (ids.length === 0) return []
  return toJobRows(session, (await session.query(BY_ID[sight].archived, [ids])).rows, sight)
}

/** See `JobsFacet.list`. */
export async function listJobs(
  session: QuerySession,
  words: QueryWords,
  request: ListRequest,
  sight: Sight,
): Promise<ListResult> {
  const { search } = await import('./query/index.ts')
  const asked = searchOf(request)
  const { rows, ...end } = await search((text, values) => session.select(text, values), words, sight, asked)
  return { rows: await toJobRows(session, rows, sight), ...end }
}

/** See `JobsFacet.count`. */
export async function countJobs(
  session: QuerySession,
  words: QueryWords,
  filter: JobFilter,
  cap: number,
  cursor: string | undefined,
): Promise<CountResult> {
  const { countMatching } = await import('./query/index.ts')
  return countMatching((text, values) => session.select(text, values), words, filter, cap, cursor)
}

/** What a page asks for. */
export function searchOf({ filter, limit, cursor, oldestFirst }: ListRequest): Search {
  return { filter, limit, cursor, order: oldestFirst === true ? 'oldest' : 'newest' }
}

/** See `JobsFacet.logs`. */
export async function logLines(
  session: Session,
  id: string,
  afterSeq: number,
  limit: number,
): Promise<readonly LogLine[]> {
  const { rows } = await session.query(LOGS, [id, afterSeq, limit])
  return rows.map((row) => ({
    attempt: int(row[0]),
    seq: int(row[1]),
    at: int(row[2]),
    // Only `report` writes this column.
    level: text(row[3]) as LogLine['level'],
    message: row[4] instanceof Uint8Array ? row[4] : new Uint8Array(0),
  }))
}

/** See `JobsFacet.edges`. */
export async function edgesOf(session: Session, id: string): Promise<readonly EdgeRow[]> {
  const { rows } = await session.query(EDGES, [id, id])
  // Only inserts write the policy.
  return rows.map((row) => ({
    parentId: text(row[0]),
    childId: text(row[1]),
    policy: text(row[2]) as EdgeRow['policy'],
  }))
}

/** Large values of jobs, by id and field; `withCheckpoints`: what their attempts left as well. */
export async function bytesOfAll(
  session: Session,
  ids: readonly string[],
  withCheckpoints = false,
): Promise<(id: string, field: number) => Uint8Array | null> {
  if (ids.length === 0) return () => null
  const { rows } = await session.query(BYTES, [ids, withCheckpoints ? BYTES_FIELD.checkpoint : BYTES_FIELD.error])
  const found = new Map(rows.map((row) => [`${text(row[0])} ${int(row[1])}`, row[2]]))
  return (id, field) => {
    const data = found.get(`${id} ${field}`)
    return data instanceof Uint8Array ? data : null
  }
}

async function toJobRows(session: Session, rows: readonly Columns[], sight: Sight): Promise<readonly JobRow[]> {
  if (rows.length === 0) return []
  const ids = rows.map((row) => text(row[0]))
  const isShort = (row: Columns) => row[28] === null || row[29] === null || row[30] === null
  // A job that was never claimed has no past; nor has one that ended at its first attempt but what its row says.
  const hasPast = (row: Columns) => int(row[15]) > 1 || (int(row[15]) === 1 && (row[10] === null || row[31] === null))
  const [bytes, past] = await Promise.all([
    bytesOfAll(
      session,
      ids.filter((_, i) => sight === 'all' && isShort(rows[i] ?? [])),
    ),
    attemptsOf(
      session,
      ids.filter((_, i) => hasPast(rows[i] ?? [])),
    ),
  ])
  return rows.map((row) => {
    const job = toJobRow(row, bytes, (id) => past.get(id) ?? [])
    return sight === 'all' ? job : { ...job, isWithheld: true }
  })
}

/** The recorded attempts of jobs, oldest first. */
export async function attemptsOf(
  session: Session,
  ids: readonly string[],
): Promise<ReadonlyMap<string, AttemptRecord[]>> {
  const past = new Map<string, AttemptRecord[]>()
  if (ids.length === 0) return past
  for (const row of (await session.query(ATTEMPTS, [ids])).rows) {
    const id = text(row[0])
    const records = past.get(id) ?? []
    records.push({
      attempt: int(row[1]),
      epoch: int(row[2]),
      workerId: text(row[3]),
      startedAt: int(row[4]),
      endedAt: int(row[5]),
      // Only ledgers write this column.
      outcome: text(row[6]) as AttemptRecord['outcome'],
      error: row[7] instanceof Uint8Array ? row[7] : null,
    })
    past.set(id, records)
  }
  return past
}
