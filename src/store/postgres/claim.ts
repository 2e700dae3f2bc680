/**
 * Claiming by plain code, in a transaction: for what one statement cannot decide. A suspect goes alone and keeps its place;
 * a batch carries at most 1 MiB of payload; each queue is asked again for what the others left.
 */
import { MAX_BATCH_BYTES } from '../../core/batch.ts'
import { isSuspect } from '../../core/job/decide.ts'
import type { ClaimedJob, ClaimRequest, ExchangeResult, QueueShare } from '../contract/index.ts'
import { bytesOfAll } from '../sql/read.ts'
import { BYTES_FIELD, type Columns, int, isInt, tagsOrNull, text } from '../sql/rows.ts'
import type { Transaction } from '../sql/session.ts'
import type { LeaseRow } from './held.ts'
import { noteLease } from './leases.ts'

/** What a claim gave. */
export type Claimed = Pick<ExchangeResult, 'claimed' | 'more'> & {
  /** Jobs whose rows cannot be read; they are held by this worker now, and have to be failed. */
  readonly unreadable: readonly { readonly id: string; readonly epoch: number }[]
  /** Where its leases are noted, when that was a step of its own. */
  readonly lease?: LeaseRow
}

const CANDIDATES =
  'SELECT id, losses, coalesce(octet_length(payload), (SELECT octet_length(data) FROM millrace_bytes b WHERE b.job_id = j.id ' +
  'AND b.field = 1), 0) FROM millrace_job j WHERE j.line = 2 AND j.state = 2 AND j.queue = $1 AND j.name IN LIST($2 text) ' +
  'AND (j.expires_at IS NULL OR j.expires_at > $3) AND NOT (j.id IN LIST($4 text)) ' +
  'ORDER BY j.priority DESC, j.run_at, j.id LIMIT $5 FOR UPDATE OF j SKIP LOCKED'
const TAKE =
  'UPDATE millrace_job SET state = 3, epoch = epoch + 1, worker_id = $1, claimed_at = $2, lease_until = $3, left_in_line = 0 ' +
  'WHERE id IN LIST($4 text) RETURNING id, name, version, queue, priority, payload, attempts, attempt_offset, losses, ' +
  'crashes, epoch, created_at, run_at, timeout_ms, retry, tags'
const PENDING_QUEUES =
  'WITH RECURSIVE q (name) AS (SELECT min(queue) FROM millrace_job WHERE line = 2 AND state = 2 UNION ALL SELECT (SELECT min(queue) ' +
  'FROM millrace_job WHERE line = 2 AND state = 2 AND queue > q.name) FROM q WHERE q.name IS NOT NULL) SELECT name FROM q WHERE name IS NOT NULL'
const PAUSED_QUEUES = 'SELECT name FROM millrace_queue WHERE paused_at IS NOT NULL'

/** The statements of this file, for the test of their plans. */
export const CLAIM_STATEMENTS = { CANDIDATES, PENDING_QUEUES } as const

/** Gives pending jobs to a worker. `turn`: with which queue a claim over all begins. */
export async function claimSlowly(tx: Transaction, request: ClaimRequest, turn: number): Promise<Claimed> {
  const taken: string[] = []
  const unfinished = new Set<string>()
  let bytes = 0
  let isCut = false
  shares: for (const share of await sharesOf(tx, request, turn)) {
    const max = Math.min(share.max, request.limit - taken.length)
    if (max <= 0) continue
    const { rows } = await tx.query(CANDIDATES, [share.queue, request.names, tx.now, taken, max])
    if (rows.length === max) unfinished.add(share.queue)
    else unfinished.delete(share.queue)
    for (const row of rows) {
      const suspect = isSuspect(int(row[1]))
      if (suspect && (taken.length > 0 || request.noSuspects === true)) {
        if (request.noSuspects === true) unfinished.delete(share.queue)
        else unfinished.add(share.queue)
        break
      }
      bytes += int(row[2])
      isCut = suspect || (taken.length > 0 && bytes > MAX_BATCH_BYTES)
      if (isCut && !suspect) break shares
      taken.push(text(row[0]))
      if (isCut) break shares
    }
  }
  if (taken.length === 0) return { claimed: [], more: false, unreadable: [] }
  const until = Math.floor(tx.now + request.leaseMs)
  const [{ rows }, lease] = await Promise.all([
    tx.query(TAKE, [request.workerId, tx.now, until, taken]),
    noteLease(tx, until, taken),
  ])
  const order = new Map(taken.map((id, i) => [id, i]))
  const sorted = rows.toSorted((a, b) => (order.get(text(a[0])) ?? 0) - (order.get(text(b[0])) ?? 0))
  const large = sorted.filter((row) => row[5] === null).map((row) => text(row[0]))
  const { claimed, unreadable } = readClaimed(sorted, await bytesOfAll(tx, large))
  return {
    claimed,
    unreadable,
    lease,
    more: isCut || unreadable.length > 0 || taken.length >= request.limit || unfinished.size > 0,
  }
}

/** Rows as jobs; those that cannot be read apart. `bytes` looks up a payload that is not in its row. */
function readClaimed(
  rows: readonly Columns[],
  bytes: (id: string, field: number) => Uint8Array | null,
): Pick<Claimed, 'claimed' | 'unreadable'> {
  const claimed: ClaimedJob[] = []
  const unreadable: { id: string; epoch: number }[] = []
  for (const row of rows) {
    const inline = row[5] instanceof Uint8Array ? row[5] : undefined
    const job = claimedJob(row, inline ?? bytes(text(row[0]), BYTES_FIELD.payload) ?? new Uint8Array(0))
    if (job === null) unreadable.push({ id: text(row[0]), epoch: int(row[10]) })
    else claimed.push(job)
  }
  return { claimed, unreadable }
}

/** A row of `TAKE`, claimed already, as a job; null when it cannot be read. */
function claimedJob(row: Columns, payload: Uint8Array): ClaimedJob | null {
  const tags = tagsOrNull(row[15])
  const hasNumbers = isInt(row[2]) && isInt(row[11]) && isInt(row[12]) && (row[13] === null || isInt(row[13]))
  if (tags === null || !hasNumbers) return null
  return {
    id: text(row[0]),
    name: text(row[1]),
    version: int(row[2]),
    queue: text(row[3]),
    priority: int(row[4]),
    payload,
    attempt: int(row[6]) + 1,
    attemptOffset: int(row[7]),
    losses: int(row[8]),
    crashes: int(row[9]),
    epoch: int(row[10]),
    createdAt: int(row[11]),
    runAt: int(row[12]),
    timeoutMs: row[13] === null ? null : int(row[13]),
    retry: row[14] === null ? null : text(row[14]),
    tags,
  }
}

/** The queues to serve, paused ones left out. `all` shares the limit evenly and begins with another queue each time. */
async function sharesOf(tx: Transaction, request: ClaimRequest, turn: number): Promise<readonly QueueShare[]> {
  const paused = new Set((await tx.query(PAUSED_QUEUES)).rows.map((row) => text(row[0])))
  if (request.queues !== 'all') return request.queues.filter((share) => !paused.has(share.queue))
  const pending = (await tx.query(PENDING_QUEUES)).rows.map((row) => text(row[0]))
  const names = pending.filter((name) => !paused.has(name))
  if (names.length === 0) return []
  const start = turn % names.length
  const order = [...names.slice(start), ...names.slice(0, start)]
  const even = Math.ceil(request.limit / names.length)
  // A second round gives what the first left over.
  return [even, request.limit].flatMap((max) => order.map((queue) => ({ queue, max })))
}
