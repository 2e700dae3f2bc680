/**
 * Claiming: each queue's share is read from the front of the ready table together with the jobs' rows, both locked, those
 * that others hold passed over; then the places are deleted and the jobs marked as held. A suspect goes alone and keeps its
 * place; a batch carries at most 1 MiB of payload. Nobody waits for a lock here, so a claim meets no deadlock.
 */
import { MAX_BATCH_BYTES } from '../../core/batch.ts'
import { isSuspect } from '../../core/job/decide.ts'
import type { ClaimedJob, ClaimRequest, ExchangeResult, QueueShare } from '../contract/index.ts'
import { bytesOfAll } from '../sql/read.ts'
import { BYTES_FIELD, type Columns, int, isInt, tagsOrNull, text } from '../sql/rows.ts'
import type { Transaction } from '../sql/session.ts'
import { pendingQueues, type QueueEnds } from './stepwise.ts'

/** What a claim came to. */
export type Claimed = Pick<ExchangeResult, 'claimed' | 'more'> & {
  /** Jobs whose rows cannot be read; they are held by this worker now, and have to be failed. */
  readonly unreadable: readonly { readonly id: string; readonly epoch: number }[]
  /** Jobs with dependents or a unique key: their end takes the slow road. */
  readonly bound: readonly string[]
}

/** Above so many shares, those queues that have nothing are left out first. */
const MANY_SHARES = 8

const CANDIDATES =
  'SELECT j.id, j.name, j.version, j.queue, j.priority, j.payload, j.attempts, j.attempt_offset, j.losses, j.crashes, ' +
  'j.epoch + 1, j.created_at, j.run_at, j.timeout_ms, j.retry, j.tags, ' +
  'j.dependents > 0 OR j.unique_key IS NOT NULL, r.place, r.run_at ' +
  'FROM millrace_ready r FORCE INDEX (PRIMARY) STRAIGHT_JOIN millrace_job j FORCE INDEX (PRIMARY) ON j.id = r.id ' +
  'WHERE r.state = 2 AND r.queue_key = QUEUE($1) AND r.name IN LIST($2 text) ' +
  'AND (r.expires_at IS NULL OR r.expires_at > $3) ORDER BY r.place, r.run_at, r.id LIMIT $4 FOR UPDATE SKIP LOCKED'
const LEAVE =
  "DELETE r FROM JSON_TABLE($1, '$[*]' COLUMNS (place BIGINT PATH '$[0]', run_at BIGINT PATH '$[1]', " +
  "id VARBINARY(255) PATH '$[2]')) v STRAIGHT_JOIN millrace_ready r FORCE INDEX (PRIMARY) ON r.state = 2 " +
  'AND r.queue_key = QUEUE($2) AND r.place = v.place AND r.run_at = v.run_at AND r.id = v.id'
const TAKE =
  "UPDATE JSON_TABLE($1, '$[*]' COLUMNS (id VARBINARY(255) PATH '$')) v STRAIGHT_JOIN millrace_job j FORCE INDEX (PRIMARY) " +
  'ON j.id = v.id SET j.state = 3, j.epoch = j.epoch + 1, j.worker_id = $2, j.claimed_at = $3, j.lease_until = $4, j.room = NULL'

/** The statements whose plans the tests assert. */
export const CLAIM_STATEMENTS = { CANDIDATES, LEAVE, TAKE } as const

/** A claim that gave nothing. */
export const NOTHING_CLAIMED: Claimed = { claimed: [], more: false, unreadable: [], bound: [] }

/** What a claim goes by. */
export interface ClaimTerms {
  /** With which queue a claim over all begins. */
  readonly turn: number
  /** Queues that give nothing. */
  readonly paused: ReadonlySet<string>
  /** The first and the last queue that has something, when they were looked for a moment ago. */
  readonly ends?: QueueEnds
}

/** Gives pending jobs to a worker. */
export async function claim(tx: Transaction, request: ClaimRequest, terms: ClaimTerms): Promise<Claimed> {
  const taken: Columns[] = []
  const writes: Promise<unknown>[] = []
  const unfinished = new Set<string>()
  const asked = new Set<string>()
  let bytes = 0
  let isCut = false
  for (const share of await sharesOf(tx, request, terms)) {
    const max = Math.min(share.max, request.limit - taken.length)
    // A queue that gave less than it was asked for has no more.
    if (max <= 0 || (asked.has(share.queue) && !unfinished.has(share.queue))) continue
    asked.add(share.queue)
    const { rows } = await tx.query(CANDIDATES, [share.queue, request.names, tx.now, max])
    if (rows.length === max) unfinished.add(share.queue)
    else unfinished.delete(share.queue)
    const sizes = await largeSizes(tx, rows)
    const first = taken.length
    for (const row of rows) {
      const suspect = isSuspect(int(row[8]))
      if (suspect && (taken.length > 0 || request.noSuspects === true)) {
        if (request.noSuspects === true) unfinished.delete(share.queue)
        else unfinished.add(share.queue)
        break
      }
      bytes += row[5] instanceof Uint8Array ? row[5].byteLength : (sizes.get(text(row[0])) ?? 0)
      isCut = suspect || (taken.length > 0 && bytes > MAX_BATCH_BYTES)
      if (isCut && !suspect) break
      taken.push(row)
      if (isCut) break
    }
    const places = taken.slice(first).map((row) => [row[17], row[18], row[0]])
    // The same queue may be asked again: what is taken has to be gone from it by then.
    if (places.length > 0) writes.push(tx.query(LEAVE, [JSON.stringify(places), share.queue]))
    if (isCut) break
  }
  if (taken.length === 0) return NOTHING_CLAIMED
  const ids = taken.map((row) => text(row[0]))
  const lease = Math.floor(tx.now + request.leaseMs)
  writes.push(tx.query(TAKE, [JSON.stringify(ids.toSorted()), request.workerId, tx.now, lease]))
  await Promise.all(writes)
  const large = taken.filter((row) => row[5] === null).map((row) => text(row[0]))
  const { claimed, unreadable } = readClaimed(taken, await bytesOfAll(tx, large))
  const more = isCut || unreadable.length > 0 || taken.length >= request.limit || unfinished.size > 0
  return { claimed, unreadable, more, bound: ids.filter((_, i) => taken[i]?.[16] === 1) }
}

const SIZES = 'SELECT job_id, OCTET_LENGTH(data) FROM millrace_bytes WHERE job_id IN LIST($1 text) AND field = 1'

async function largeSizes(tx: Transaction, rows: readonly Columns[]): Promise<ReadonlyMap<string, number>> {
  const large = rows.filter((row) => row[5] === null).map((row) => text(row[0]))
  if (large.length === 0) return new Map()
  return new Map((await tx.query(SIZES, [large])).rows.map((row) => [text(row[0]), int(row[1])]))
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

/** A row of `CANDIDATES` as a job; null when it cannot be read. */
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
async function sharesOf(
  tx: Transaction,
  request: ClaimRequest,
  { turn, paused, ends }: ClaimTerms,
): Promise<readonly QueueShare[]> {
  if (request.queues !== 'all') {
    const open = request.queues.filter((share) => !paused.has(share.queue))
    if (open.length <= MANY_SHARES) return open
    const pending = new Set(await pendingQueues(tx))
    return open.filter((share) => pending.has(share.queue))
  }
  const names = (await pendingQueues(tx, ends)).filter((name) => !paused.has(name))
  if (names.length === 0) return []
  const start = turn % names.length
  const order = [...names.slice(start), ...names.slice(0, start)]
  const even = Math.ceil(request.limit / names.length)
  // A second round gives what the first left over.
  return [even, request.limit].flatMap((max) => order.map((queue) => ({ queue, max })))
}
