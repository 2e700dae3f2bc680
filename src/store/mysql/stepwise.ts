/**
 * Shared statements that walk an index by recursion, asked step by step: MySQL reads a bound that comes from an outer row
 * not by the index but by scanning. Each step is one round trip; queues and priorities in use are few.
 */
import { CONTROL_STATEMENTS } from '../sql/control.ts'
import { QUEUE_STATEMENTS } from '../sql/queues.ts'
import type { Columns } from '../sql/rows.ts'
import { int } from '../sql/rows.ts'
import type { Session, SqlResult, SqlValue } from '../sql/session.ts'

const OF_QUEUES =
  'FROM millrace_ready r FORCE INDEX (PRIMARY) STRAIGHT_JOIN millrace_job j FORCE INDEX (PRIMARY) ON j.id = r.id ' +
  'WHERE r.state = $1 ORDER BY r.queue_key'
// allow sql: a constant of this file
const FIRST_QUEUE = `SELECT r.queue_key AS data, j.queue ${OF_QUEUES} LIMIT 1`
/** What ends a statement that looks for the first queue with pending jobs, or, with `DESC` behind it, for the last. */
export const PENDING_ENDS = OF_QUEUES.replace('$1', '2')
const NEXT_QUEUE = FIRST_QUEUE.replace('$1 ', '$1 AND r.queue_key > $2 ')
const FIRST_ARCHIVED =
  'SELECT queue_key AS data, queue FROM millrace_archive FORCE INDEX (archive_finished) ORDER BY queue_key LIMIT 1'
const NEXT_ARCHIVED = FIRST_ARCHIVED.replace(' ORDER', ' WHERE queue_key > $1 ORDER')
const FIRST_PLACE =
  'SELECT place, run_at FROM millrace_ready FORCE INDEX (PRIMARY) WHERE state = 2 AND queue_key = QUEUE($1) ' +
  'AND place > $2 ORDER BY place, run_at LIMIT 1'

type Step = (session: Session, params: readonly SqlValue[]) => Promise<SqlResult>

/** Each recursive statement's steps, by its text. */
export const STEPWISE: ReadonlyMap<string, Step> = new Map<string, Step>([
  [QUEUE_STATEMENTS.PENDING_NAMES, async (session) => found(await waiting(session, [2]))],
  [QUEUE_STATEMENTS.WAITING_NAMES, async (session) => found(await waiting(session, [0, 1, 4]))],
  [CONTROL_STATEMENTS.ARCHIVED_QUEUES, archived],
  [QUEUE_STATEMENTS.OLDEST, oldest],
])

/** A queue that has pending jobs, and its key. */
export interface QueueEnd {
  readonly queue: string
  readonly key: Uint8Array
}

/** The first and the last queue that has pending jobs, when they were looked for before. */
export interface QueueEnds {
  readonly first: QueueEnd | undefined
  readonly last: QueueEnd | undefined
}

/** The queues that have pending jobs, by their names. Costs a round trip for each, but for those in `ends`. */
export async function pendingQueues(session: Session, ends?: QueueEnds): Promise<readonly string[]> {
  if (ends === undefined) return (await waiting(session, [2])).map(String).sort()
  const { first, last } = ends
  if (first === undefined || last === undefined) return []
  const names = new Set([first.queue, last.queue])
  let key = first.key
  while (Buffer.compare(key, last.key) < 0) {
    const row = (await session.query(NEXT_QUEUE, [2, key])).rows[0]
    if (row === undefined) break
    key = keyOf(row)
    names.add(String(row[1]))
  }
  return [...names].sort()
}

async function waiting(session: Session, states: readonly number[]): Promise<readonly SqlValue[]> {
  const names = new Set<SqlValue>()
  for (const state of states) {
    let row = (await session.query(FIRST_QUEUE, [state])).rows[0]
    while (row !== undefined) {
      names.add(String(row[1]))
      row = (await session.query(NEXT_QUEUE, [state, keyOf(row)])).rows[0]
    }
  }
  return [...names]
}

async function archived(session: Session): Promise<SqlResult> {
  const names: string[] = []
  let row = (await session.query(FIRST_ARCHIVED)).rows[0]
  while (row !== undefined) {
    names.push(String(row[1]))
    row = (await session.query(NEXT_ARCHIVED, [keyOf(row)])).rows[0]
  }
  return found(names)
}

/** Within one priority the first row has the oldest run time. */
async function oldest(session: Session, [queue = null]: readonly SqlValue[]): Promise<SqlResult> {
  let least: number | null = null
  let row = (await session.query(FIRST_PLACE, [queue, -1])).rows[0]
  while (row !== undefined) {
    least = Math.min(least ?? int(row[1]), int(row[1]))
    row = (await session.query(FIRST_PLACE, [queue, int(row[0])])).rows[0]
  }
  return found([least])
}

function keyOf(row: Columns): Uint8Array {
  return bytesOf(row[0])
}

/** A key as the server compares it. */
export function bytesOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : Buffer.from(String(value))
}

function found(values: readonly SqlValue[]): SqlResult {
  // Texts, numbers and null only.
  return { rows: values.map((value) => [value] as unknown as Columns), changes: values.length }
}
