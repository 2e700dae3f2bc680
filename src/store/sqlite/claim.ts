/**
 * Claiming: which jobs a worker gets, in which order.
 *
 * A claim reads rows first and updates them one by one (2.8 µs a job; UPDATE … RETURNING over a subquery: 2.9 µs), since
 * between the two it decides in plain code: where a suspect stands, and how many bytes go in one batch. It finds them again
 * by their rowid: a fifth less for the update than by their id.
 *
 * The index of pending jobs is led by queue and name. A claim reads the heads of the names that it handles as one ordered
 * list, which SQLite merges lazily: a step for each name and a comparison or a few for each job. So 100,000 jobs that nobody
 * here handles cost it nothing, wherever they stand; an index led by the priority made it read past all of them.
 */
import { MAX_BATCH_BYTES } from '../../core/batch.ts'
import { isSuspect } from '../../core/job/decide.ts'
import type { ClaimedJob, ClaimRequest, ExchangeResult, QueueShare } from '../contract/index.ts'
import { BYTES_FIELD, type Columns, int, isInt, tagsOrNull, text } from '../sql/rows.ts'
import type { Connection } from './connection.ts'
import { isConstraint } from './errors.ts'
import { areInts, setAside } from './unreadable.ts'

/** What a claim took, and whether asking again may give more. */
export type Claimed = Pick<ExchangeResult, 'claimed' | 'more'>

// Name and queue are known from what was asked for, so they are not read: which name it is, as a number, and nothing.
const REST =
  ', version, NULL, millrace_job.priority, payload, attempts, attempt_offset, losses, crashes, epoch, ' +
  'created_at, millrace_job.run_at, timeout_ms, retry, tags, millrace_job.rowid'
const PENDING =
  'FROM millrace_job WHERE state = 2 AND queue = ?1 AND (expires_at IS NULL OR expires_at > ?2) AND name = ?'
// Of several names the index's own entries are merged, and rows are read of the chosen ones only: whole rows took twice as long.
const FIRST_KEYS = 'SELECT priority, run_at, id, '
const KEYS = ` AS which, rowid AS key ${PENDING}`
const OF_ONE_NAME = `SELECT millrace_job.id, 0${REST} ${PENDING} ORDER BY priority DESC, run_at, id LIMIT ? + 0`
const ROWS_OF = `SELECT millrace_job.id, which${REST} FROM (`
const IN_ORDER = ' ORDER BY 1 DESC, 2, 3 LIMIT ? + 0) CROSS JOIN millrace_job ON millrace_job.rowid = key'
/** The statements that `candidatesOf` has built. */
const CANDIDATES = new Map<number, string>()
/** The different names that wait in a queue, each found by one step. */
const WAITING_NAMES =
  'WITH RECURSIVE q (name) AS (SELECT min(name) FROM millrace_job WHERE state = 2 AND queue = ?1 UNION ALL ' +
  'SELECT (SELECT min(name) FROM millrace_job WHERE state = 2 AND queue = ?1 AND name > q.name) FROM q ' +
  'WHERE q.name IS NOT NULL LIMIT ?2 + 0) SELECT name FROM q WHERE name IS NOT NULL'
/** So many names are looked for without asking first which of them wait. */
const FEW_NAMES = 32
/** SQLite takes 500 terms; a claim that handles more of the names that wait is put together from several lists. */
const MOST_NAMES = 100
const TAKE =
  'UPDATE millrace_job SET state = 3, epoch = epoch + 1, worker_id = ?2, claimed_at = ?3, lease_until = ?4 WHERE rowid = ?5 AND id = ?1'
const PENDING_QUEUES =
  'WITH RECURSIVE q (name) AS (SELECT min(queue) FROM millrace_job WHERE state = 2 UNION ALL ' +
  'SELECT (SELECT min(queue) FROM millrace_job WHERE state = 2 AND queue > q.name) FROM q WHERE q.name IS NOT NULL) ' +
  'SELECT name FROM q WHERE name IS NOT NULL AND name NOT IN (SELECT name FROM millrace_queue WHERE paused_at IS NOT NULL)'
const PAUSED_QUEUES = 'SELECT name FROM millrace_queue WHERE paused_at IS NOT NULL'
/** Reads one field that is kept beside its row. */
export const READ_BYTES = 'SELECT data FROM millrace_bytes WHERE job_id = ? AND field = ?'

/** The statements whose plans the tests assert. */
export const CLAIM_STATEMENTS = {
  CANDIDATES_OF_ONE: candidatesOf(1),
  CANDIDATES_OF_FIVE: candidatesOf(5),
  CANDIDATES_OF_MANY: candidatesOf(MOST_NAMES),
  WAITING_NAMES,
  PENDING_QUEUES,
  TAKE,
} as const

/** Gives pending jobs to a worker. Inside a write transaction. */
export function claim(c: Connection, request: ClaimRequest, now: number): Claimed {
  const taken: ClaimedJob[] = []
  const unfinished = new Set<string>()
  const names = distinct(request.names)
  let bytes = 0
  let aside = 0
  for (const share of shares(c, request)) {
    const max = Math.min(share.max, request.limit - taken.length)
    if (max <= 0) continue
    const found = candidates(c, share.queue, names, max, now)
    if (found.rows.length === max) unfinished.add(share.queue)
    else unfinished.delete(share.queue)
    for (const row of found.rows) {
      const suspect = isSuspect(int(row[8]))
      if (suspect && (taken.length > 0 || request.noSuspects === true)) {
        if (request.noSuspects === true) unfinished.delete(share.queue)
        else unfinished.add(share.queue)
        break
      }
      const payload = payloadOf(c, row)
      bytes += payload.byteLength
      if (taken.length > 0 && bytes > MAX_BATCH_BYTES) return { claimed: taken, more: true }
      const job = claimedJob(row, payload, share.queue, found.names)
      if (job === null || !take(c, job.id, row[16] ?? null, request, now)) {
        setAside(c, row[16], text(row[0]), now)
        aside++
        unfinished.add(share.queue)
        continue
      }
      taken.push(job)
      if (suspect) return { claimed: taken, more: true }
    }
  }
  const isFull = taken.length >= request.limit
  return { claimed: taken, more: taken.length + aside > 0 && (isFull || unfinished.size > 0) }
}

/** False when the row takes no change, or its id does not name it. */
function take(c: Connection, id: string, rowid: Columns[number], request: ClaimRequest, now: number): boolean {
  try {
    return c.sql(TAKE).run(id, request.workerId, now, now + request.leaseMs, rowid).changes === 1
  } catch (error) {
    if (isConstraint(error)) return false
    throw error
  }
}

/** Rows as a job is made of them, and the names that their second column counts. */
interface Found {
  readonly names: readonly string[]
  readonly rows: readonly Columns[]
}

/** The first pending jobs of a queue that have one of these names, in claim order. */
function candidates(c: Connection, queue: string, names: readonly string[], max: number, now: number): Found {
  const waiting = names.length <= FEW_NAMES ? names : handledNames(c, queue, names)
  const rows: (readonly Columns[])[] = []
  for (let i = 0; i < waiting.length; i += MOST_NAMES) {
    const some = waiting.slice(i, i + MOST_NAMES)
    rows.push(c.all(candidatesOf(some.length, i), queue, now, ...some, max))
  }
  const [first = []] = rows
  return { names: waiting, rows: rows.length <= 1 ? first : rows.flat().sort(inClaimOrder).slice(0, max) }
}

/** A name that came twice would give its jobs twice. */
function distinct(names: readonly string[]): readonly string[] {
  return names.length <= 1 ? names : [...new Set(names)]
}

/** Which of these names wait in a queue; all of them when many others do, since to look for each costs less then. */
function handledNames(c: Connection, queue: string, names: readonly string[]): readonly string[] {
  const waiting = c.all(WAITING_NAMES, queue, names.length)
  if (waiting.length === names.length) return names
  const handled = new Set(names)
  return waiting.map((row) => text(row[0])).filter((name) => handled.has(name))
}

/** The first pending jobs of one name, of two, and so on; `from` is the position of the first name in the whole list. */
function candidatesOf(names: number, from = 0): string {
  const key = from + names / 1000
  const known = CANDIDATES.get(key)
  if (known !== undefined) return known
  const terms = Array.from({ length: names }, (_, i) => FIRST_KEYS + String(from + i) + KEYS)
  const sql = names === 1 && from === 0 ? OF_ONE_NAME : ROWS_OF + terms.join(' UNION ALL ') + IN_ORDER
  CANDIDATES.set(key, sql)
  return sql
}

function inClaimOrder(a: Columns, b: Columns): number {
  return int(b[4]) - int(a[4]) || int(a[12]) - int(b[12]) || (text(a[0]) < text(b[0]) ? -1 : 1)
}

/** Tells whether a claim would find anything; only reads. */
export function hasClaimable(c: Connection, request: ClaimRequest): boolean {
  return shares(c, request).some((share) => share.max > 0 && hasCandidate(c, request, share))
}

function hasCandidate(c: Connection, request: ClaimRequest, share: QueueShare): boolean {
  return candidates(c, share.queue, distinct(request.names), 1, c.now()).rows.length > 0
}

/** The queues to serve, paused ones left out. `all` shares the limit evenly and begins with another queue each time. */
function shares(c: Connection, request: ClaimRequest): readonly QueueShare[] {
  if (request.queues !== 'all') {
    const paused = new Set(c.all(PAUSED_QUEUES).map((row) => text(row[0])))
    return paused.size === 0 ? request.queues : request.queues.filter((share) => !paused.has(share.queue))
  }
  const names = c.all(PENDING_QUEUES).map((row) => text(row[0]))
  if (names.length <= 1) return names.map((queue) => ({ queue, max: request.limit }))
  const start = c.turn++ % names.length
  const order = [...names.slice(start), ...names.slice(0, start)]
  const even = Math.ceil(request.limit / names.length)
  // A second round gives what the first left over.
  return [...order.map((queue) => ({ queue, max: even })), ...order.map((queue) => ({ queue, max: request.limit }))]
}

function payloadOf(c: Connection, row: Columns): Uint8Array {
  if (row[5] instanceof Uint8Array) return row[5]
  const data = c.first(READ_BYTES, text(row[0]), BYTES_FIELD.payload)
  return data instanceof Uint8Array ? data : new Uint8Array(0)
}

/** The row as a job; null when it cannot be read. */
function claimedJob(row: Columns, payload: Uint8Array, queue: string, names: readonly string[]): ClaimedJob | null {
  const tags = tagsOrNull(row[15])
  const hasText = typeof row[0] === 'string' && (row[14] === null || typeof row[14] === 'string')
  const hasNumbers = isInt(row[2]) && isInt(row[4]) && areInts(row, 6, 12) && (row[13] === null || isInt(row[13]))
  if (tags === null || !hasText || !hasNumbers) return null
  return {
    id: text(row[0]),
    name: names[int(row[1])] ?? '',
    version: int(row[2]),
    queue,
    priority: int(row[4]),
    payload,
    attempt: int(row[6]) + 1,
    attemptOffset: int(row[7]),
    losses: int(row[8]),
    crashes: int(row[9]),
    epoch: int(row[10]) + 1,
    createdAt: int(row[11]),
    runAt: int(row[12]),
    timeoutMs: row[13] === null ? null : int(row[13]),
    retry: row[14] === null ? null : text(row[14]),
    tags,
  }
}
