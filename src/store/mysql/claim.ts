/**
 * Claiming: each queue's share is read from the front of the ready table together with the jobs' rows, both locked, those
 * that others hold passed over; then the places are deleted and the jobs marked as held. A suspect goes alone and keeps its
 * place; a batch carries at most 1 MiB of payload. Nobody waits for a lock here, so a claim meets no deadlock.
 *
 * What is written is found by lists of ids (see `LISTED` in dialect.ts), of one id as of 768. Jobs that were enqueued together
 * stand side by side, and leave by such a list too. Others leave by a join, which finds each place, notes it, and finds it again.
 */
import { MAX_BATCH_BYTES } from '../../core/batch.ts'
import { isSuspect } from '../../core/job/decide.ts'
import type { ClaimedJob, ClaimRequest, ExchangeResult, QueueShare } from '../contract/index.ts'
import { bytesOfAll } from '../sql/read.ts'
import { BYTES_FIELD, type Columns, int, text } from '../sql/rows.ts'
import type { Transaction } from '../sql/session.ts'
import { type Alike, IS_BOUND, isReadable, type More, moreOf, takenJob } from '../sql/taken.ts'
import { listsOf } from './dialect.ts'
import { pendingQueues, type QueueEnds } from './stepwise.ts'

/** What a claim came to. */
export type Claimed = Pick<ExchangeResult, 'claimed' | 'more'> & {
  /** Jobs whose rows cannot be read; they are held by this worker now, and have to be failed. */
  readonly unreadable: readonly { readonly id: string; readonly epoch: number }[]
  /** Jobs with dependents or a unique key: their end takes the slow road. */
  readonly bound: readonly string[]
}

/** The place of the highest priority is 0. */
const LAST_PLACE = 100
/** Above so many shares, those queues that have nothing are left out first. */
const MANY_SHARES = 8
/** So many jobs side by side, on average, leave by statements of their own: 2 µs a job are saved, and one costs 100 µs. */
const WORTH_A_STATEMENT = 48

/** Whether a job `j` has what hardly any has: two steps of the server's for each, instead of nine. */
const HAS_MORE =
  'j.attempts | j.attempt_offset | j.losses | j.crashes | j.dependents <> 0 ' +
  'OR COALESCE(j.timeout_ms, j.retry, j.tags, j.unique_key) IS NOT NULL'
/** What of a job `j` is sent: see sql/taken.ts. */
const TAKEN_COLUMNS =
  'j.id, NULLIF(j.name, $5) AS name, NULLIF(j.version, $6) AS version, NULLIF(j.queue, $8) AS queue, ' +
  'NULLIF(j.priority, $7) AS priority, j.created_at, NULLIF(j.run_at, j.created_at) AS run_at, j.payload, ' +
  `NULLIF(j.epoch + 1, 1) AS epoch, CASE WHEN ${HAS_MORE} THEN JSON_ARRAY(j.attempts, j.attempt_offset, j.losses, j.crashes, ` +
  `j.timeout_ms, j.retry, j.tags, IF(${IS_BOUND}, 1, 0)) END AS more`
const CANDIDATES =
  `SELECT ${TAKEN_COLUMNS} FROM millrace_ready r FORCE INDEX (PRIMARY) STRAIGHT_JOIN millrace_job j FORCE INDEX (PRIMARY) ` +
  'ON j.id = r.id WHERE r.state = 2 AND r.queue_key = QUEUE($1) AND r.name IN LIST($2 text) ' +
  'AND (r.expires_at IS NULL OR r.expires_at > $3) ORDER BY r.place, r.run_at, r.id LIMIT $4 FOR UPDATE SKIP LOCKED'
const LEAVE =
  "DELETE r FROM JSON_TABLE($1, '$[*]' COLUMNS (place BIGINT PATH '$[0]', run_at BIGINT PATH '$[1]', " +
  "id VARBINARY(255) PATH '$[2]')) v STRAIGHT_JOIN millrace_ready r FORCE INDEX (PRIMARY) ON r.state = 2 " +
  'AND r.queue_key = QUEUE($2) AND r.place = v.place AND r.run_at = v.run_at AND r.id = v.id'
/** Of jobs that stand side by side: of one priority and run time. */
const LEAVE_SIDE_BY_SIDE =
  'DELETE r FROM millrace_ready r FORCE INDEX (PRIMARY) WHERE r.state = 2 AND r.queue_key = QUEUE($1) ' +
  'AND r.place = CAST($2 AS SIGNED) AND r.run_at = CAST($3 AS SIGNED) AND r.id IN LIST($4 text)'
/** The rows are locked by `CANDIDATES`: their order is nobody's. */
const TAKE =
  'UPDATE millrace_job FORCE INDEX (PRIMARY) SET state = 3, epoch = epoch + 1, worker_id = $2, claimed_at = $3, ' +
  'lease_until = $4, room = NULL WHERE id IN LIST($1 text)'

/** The statements whose plans the tests assert. */
export const CLAIM_STATEMENTS = { CANDIDATES, LEAVE, LEAVE_SIDE_BY_SIDE, TAKE } as const

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
  /** What the last job that was taken is like. */
  readonly alike: Alike
}

/** A row of `CANDIDATES`. */
interface Candidate {
  readonly row: Columns
  readonly more: More
}

/** Gives pending jobs to a worker. */
export async function claim(tx: Transaction, request: ClaimRequest, terms: ClaimTerms): Promise<Claimed> {
  const { alike } = terms
  const taken: Candidate[] = []
  const writes: Promise<unknown>[] = []
  const unfinished = new Set<string>()
  const asked = new Set<string>()
  let bytes = 0
  let isCut = false
  for (const { queue, max: most } of await sharesOf(tx, request, terms)) {
    const max = Math.min(most, request.limit - taken.length)
    // A queue that gave less than it was asked for has no more.
    if (max <= 0 || (asked.has(queue) && !unfinished.has(queue))) continue
    asked.add(queue)
    const like = [alike.name, alike.version, alike.priority, alike.queue]
    const { rows } = await tx.query(CANDIDATES, [queue, request.names, tx.now, max, ...like])
    if (rows.length === max) unfinished.add(queue)
    else unfinished.delete(queue)
    const sizes = await largeSizes(tx, rows)
    const first = taken.length
    for (const row of rows) {
      const more = moreOf(row)
      const suspect = isSuspect(more.losses)
      if (suspect && (taken.length > 0 || request.noSuspects === true)) {
        if (request.noSuspects === true) unfinished.delete(queue)
        else unfinished.add(queue)
        break
      }
      bytes += row[7] instanceof Uint8Array ? row[7].byteLength : (sizes.get(text(row[0])) ?? 0)
      isCut = suspect || (taken.length > 0 && bytes > MAX_BATCH_BYTES)
      if (isCut && !suspect) break
      taken.push({ row, more })
      if (isCut) break
    }
    const places = taken.slice(first).map(({ row }) => placeOf(row, alike))
    // The same queue may be asked again: what is taken has to be gone from it by then.
    writes.push(...leave(tx, queue, places))
    if (isCut) break
  }
  if (taken.length === 0) return NOTHING_CLAIMED
  const held = [request.workerId, tx.now, Math.floor(tx.now + request.leaseMs)]
  const ids = taken.map(({ row }) => text(row[0]))
  writes.push(...listsOf(ids).map((list) => tx.query(TAKE, [list, ...held])))
  await Promise.all(writes)
  const large = taken.filter(({ row }) => row[7] === null).map(({ row }) => text(row[0]))
  const { claimed, unreadable } = readClaimed(taken, alike, await bytesOfAll(tx, large))
  const more = isCut || unreadable.length > 0 || taken.length >= request.limit || unfinished.size > 0
  const bound = taken.flatMap((one) => (one.more.isBound ? [text(one.row[0])] : []))
  return { claimed, unreadable, more, bound }
}

function leave(tx: Transaction, queue: string, places: readonly Place[]): Promise<unknown>[] {
  const sides = sideBySide(places)
  if (sides.length > 1 && places.length < sides.length * WORTH_A_STATEMENT) {
    return [tx.query(LEAVE, [JSON.stringify(places), queue])]
  }
  return sides.flatMap(({ place, runAt, ids }) =>
    listsOf(ids).map((list) => tx.query(LEAVE_SIDE_BY_SIDE, [queue, place, runAt, list])),
  )
}

/** Jobs of one priority and run time. */
interface Side {
  readonly place: Place[0]
  readonly runAt: Place[1]
  readonly ids: string[]
}

/** Places, in their order, by what stands side by side. */
function sideBySide(places: readonly Place[]): readonly Side[] {
  const sides: Side[] = []
  for (const [place, runAt, id] of places) {
    const last = sides.at(-1)
    if (last?.place === place && last.runAt === runAt) last.ids.push(id)
    else sides.push({ place, runAt, ids: [id] })
  }
  return sides
}

/** Where a job stands in its queue's line. */
type Place = readonly [place: number, runAt: Exclude<Columns[number], bigint>, id: string]

/** A job's place follows from its columns (see ready.ts), as they stand: a damaged one has a place too. */
function placeOf(row: Columns, alike: Alike): Place {
  const runAt = row[6] ?? row[5] ?? null
  // JSON has no number as large as a damaged one may be.
  return [LAST_PLACE - int(row[4] ?? alike.priority), typeof runAt === 'bigint' ? String(runAt) : runAt, text(row[0])]
}

const SIZES = 'SELECT job_id, OCTET_LENGTH(data) FROM millrace_bytes WHERE job_id IN LIST($1 text) AND field = 1'

async function largeSizes(tx: Transaction, rows: readonly Columns[]): Promise<ReadonlyMap<string, number>> {
  const large = rows.filter((row) => row[7] === null).map((row) => text(row[0]))
  if (large.length === 0) return new Map()
  return new Map((await tx.query(SIZES, [large])).rows.map((row) => [text(row[0]), int(row[1])]))
}

/** Candidates as jobs; those that cannot be read apart. `bytes` looks up a payload that is not in its row. */
function readClaimed(
  taken: readonly Candidate[],
  alike: Alike,
  bytes: (id: string, field: number) => Uint8Array | null,
): Pick<Claimed, 'claimed' | 'unreadable'> {
  const claimed: ClaimedJob[] = []
  const unreadable: { id: string; epoch: number }[] = []
  for (const { row, more } of taken) {
    const payload = row[7] ?? bytes(text(row[0]), BYTES_FIELD.payload) ?? new Uint8Array(0)
    const job = takenJob(row, more, alike, payload)
    if (isReadable(job)) claimed.push(job)
    else unreadable.push(job)
  }
  return { claimed, unreadable }
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
