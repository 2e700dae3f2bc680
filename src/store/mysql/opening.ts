/**
 * What an exchange asks first: the time, this worker's jobs that are asked to stop, the paused queues, and, where it claims from
 * all queues, the first and the last one that has something pending.
 *
 * Mostly nobody is asked to stop and no queue is paused. A brief look tells that by the ends of indexes alone: it costs the server
 * 75 µs instead of 165 (MariaDB 10.11; an exchange of one job costs 1 ms). Where it is not so, or where a queue may have a name
 * that is longer than its key, a whole look follows, and for a second each is whole at once.
 */
import type { ExchangeRequest, Lease } from '../contract/index.ts'
import { type Columns, int, text, textOrNull } from '../sql/rows.ts'
import type { OpenedTransaction, Opening } from './database.ts'
import { bytesOf, PENDING_ENDS, type QueueEnd, type QueueEnds } from './stepwise.ts'

const WHOLE =
  'SELECT NOW_SQL AS now, NULL AS id, NULL AS epoch, NULL AS data UNION ALL SELECT 1, id, epoch, NULL FROM millrace_job ' +
  'FORCE INDEX (job_due) WHERE phase = 4 AND worker_id = $1 UNION ALL SELECT 2, name, 0, NULL FROM millrace_queue ' +
  'WHERE paused_at IS NOT NULL'
const WHOLE_FOR_ALL = `${WHOLE} UNION ALL (SELECT 3, j.queue, 0, r.queue_key ${PENDING_ENDS} LIMIT 1) UNION ALL (SELECT 4, j.queue, 0, r.queue_key ${PENDING_ENDS} DESC LIMIT 1)`
/**
 * Whether any worker's job is asked to stop, whether any queue is paused, and what a poll for hints would see (wake.ts): that costs
 * 10 µs here, and a poll 50, and the worker more than that.
 */
const BRIEF =
  'SELECT NOW_SQL AS now, (SELECT MIN(phase) FROM millrace_job FORCE INDEX (job_due) WHERE phase = 4) AS cancelling, ' +
  '(SELECT 1 FROM millrace_queue WHERE paused_at IS NOT NULL LIMIT 1) AS paused, ' +
  '(SELECT count FROM millrace_signal WHERE id = 1) AS hints, (SELECT seq FROM millrace_notice LIMIT 1) AS notice'
const BRIEF_FOR_ALL = `${BRIEF}, MIN(queue_key) AS first_key, MAX(queue_key) AS last_key FROM millrace_ready FORCE INDEX (PRIMARY) WHERE state = 2`
/** A whole look, whether anything at all is pending, and how many hints there were. */
const IDLE =
  `${WHOLE} UNION ALL (SELECT 3, id, 0, NULL FROM millrace_ready FORCE INDEX (PRIMARY) WHERE state = 2 LIMIT 1) ` +
  'UNION ALL SELECT 5, NULL, count, NULL FROM millrace_signal WHERE id = 1'

/** The statements whose plans the tests assert. */
export const OPENING_STATEMENTS = { WHOLE, WHOLE_FOR_ALL, BRIEF, BRIEF_FOR_ALL, IDLE } as const

/** What a row of a whole look tells, by its first number. */
const ROW = { cancelling: 1, paused: 2, first: 3, last: 4, hints: 5 } as const
/** For so long looks are whole at once after a brief one did not do. */
const WHOLE_MS = 1_000
const NOBODY: readonly Lease[] = []
const NO_QUEUES: ReadonlySet<string> = new Set()

/** What an exchange sees as it begins. */
export interface Seen {
  /** This worker's jobs that are asked to stop. */
  readonly cancelling: readonly Lease[]
  readonly paused: ReadonlySet<string>
  /** Of a look for all queues. */
  readonly ends: QueueEnds
  /** What a poll for hints would have seen, of a brief look. */
  readonly hints?: Hints
}

/** What there is to hear of others. */
export interface Hints {
  /** How many hints there were. */
  readonly count: number
  /** A caller's commit left a notice. */
  readonly isNoticed: boolean
}

/** What an exchange sees that found nothing before. */
export interface SeenIdle {
  readonly cancelling: readonly Lease[]
  /** The id of a job that may be claimed. */
  readonly head: string | null
  /** How many hints there were. */
  readonly hints: number | null
}

/** The looks of one store, brief or whole. */
export class Looking {
  #wholeUntil = 0

  /** What an exchange is to ask first. */
  opening({ workerId, claim: asked }: ExchangeRequest): Opening {
    const forAll = asked?.queues === 'all'
    if (performance.now() < this.#wholeUntil) return wholeLook(workerId, forAll)
    return { statement: forAll ? BRIEF_FOR_ALL : BRIEF, params: [] }
  }

  /** What it saw, in the transaction that began with this. */
  async seen(
    { statement }: Opening,
    { workerId, claim: asked }: ExchangeRequest,
    tx: OpenedTransaction,
  ): Promise<Seen> {
    if (statement !== BRIEF && statement !== BRIEF_FOR_ALL) return seenIn(tx.opening)
    const [, cancelling, paused, count = null, notice = null, first, last] = tx.opening[0] ?? []
    const ends = { first: endOf(first), last: endOf(last) }
    // A damaged store may have lost the row.
    const hints = count === null ? {} : { hints: { count: int(count), isNoticed: notice !== null } }
    if (cancelling === null && paused === null && !mayBeHashed(ends.first) && !mayBeHashed(ends.last)) {
      return { cancelling: NOBODY, paused: NO_QUEUES, ends, ...hints }
    }
    this.#wholeUntil = performance.now() + WHOLE_MS
    const whole = wholeLook(workerId, asked?.queues === 'all')
    return { ...seenIn((await tx.query(whole.statement.replace('NOW_SQL', '0'), whole.params)).rows), ...hints }
  }
}

/** A whole look, for all queues or without any. */
export function wholeLook(workerId: string, forAll = false): Opening {
  return { statement: forAll ? WHOLE_FOR_ALL : WHOLE, params: [workerId] }
}

/** The look of a worker for which there was nothing. */
export function idleLook(workerId: string): Opening {
  return { statement: IDLE, params: [workerId] }
}

/** What a whole look saw. */
export function seenIn(rows: readonly Columns[]): Seen {
  const paused = rows.slice(1).flatMap((row) => (int(row[0]) === ROW.paused ? [text(row[1])] : []))
  const ends = { first: endIn(rows, ROW.first), last: endIn(rows, ROW.last) }
  return { cancelling: leasesIn(rows), paused: new Set(paused), ends }
}

/** What the look of an idle worker saw. */
export function seenIdle(rows: readonly Columns[]): SeenIdle {
  const hints = rowOf(rows, ROW.hints)
  const head = textOrNull(rowOf(rows, ROW.first)?.[1] ?? null)
  return { cancelling: leasesIn(rows), head, hints: hints === undefined ? null : int(hints[2]) }
}

function rowOf(rows: readonly Columns[], kind: number): Columns | undefined {
  return rows.slice(1).find((row) => int(row[0]) === kind)
}

function endIn(rows: readonly Columns[], kind: number): QueueEnd | undefined {
  const row = rowOf(rows, kind)
  return row === undefined ? undefined : { queue: text(row[1]), key: bytesOf(row[3]) }
}

/** A queue's key is its name, but for one of a long name. */
function endOf(key: Columns[number] | undefined): QueueEnd | undefined {
  return key === undefined || key === null ? undefined : { queue: text(key), key: bytesOf(text(key)) }
}

/** Whether a key may be what `queueKey` makes of a long name. */
function mayBeHashed(end: QueueEnd | undefined): boolean {
  return end !== undefined && /^#[0-9a-f]{64}$/.test(end.queue)
}

function leasesIn(rows: readonly Columns[]): readonly Lease[] {
  const leases = rows.slice(1).filter((row) => int(row[0]) === ROW.cancelling)
  return leases.length === 0 ? NOBODY : leases.map((row) => ({ id: text(row[1]), epoch: int(row[2]) }))
}
