/** Queues: what waits in each, pausing, clearing, figures of what finished. */
import { COUNTED_TO } from '../../core/job/limits.ts'
import type { JobState } from '../../core/job/state.ts'
import type { Percentiles, QueueInfo, QueueStats } from '../contract/store.ts'
import { remove } from './control.ts'
import { type Columns, int, STATE, text } from './rows.ts'
import type { RowsStatement, Session, Transaction } from './session.ts'
import { rowsJson } from './session.ts'

// The different queues of a partial index that begins with the queue, each found by one step.
const PENDING_NAMES =
  'WITH RECURSIVE q (name) AS (SELECT min(queue) FROM millrace_job WHERE state = 2 UNION ALL SELECT (SELECT min(queue) ' +
  'FROM millrace_job WHERE state = 2 AND queue > q.name) FROM q WHERE q.name IS NOT NULL) ' +
  'SELECT name FROM q WHERE name IS NOT NULL'
const WAITING_NAMES = PENDING_NAMES.replaceAll('state = 2', 'state <> 2 AND state <> 3')
const PENDING = `SELECT count(*) FROM (SELECT 1 FROM millrace_job WHERE state = 2 AND queue = $1 LIMIT ${COUNTED_TO}) AS n`
const WAITING =
  'SELECT count(*) FROM (SELECT 1 FROM millrace_job WHERE state <> 2 AND state <> 3 AND state = $1 AND queue = $2 ' +
  `LIMIT ${COUNTED_TO}) AS n`
/** As many as run, which the slots of all workers bound: they are few, and counted no further than this. */
const RUNNING =
  'SELECT queue, count(*) FROM (SELECT queue FROM millrace_job WHERE state = 3 LIMIT 100000) AS n GROUP BY queue'
const SETTINGS = 'SELECT name, paused_at, paused_by, pause_reason FROM millrace_queue'
/** The index has run times in order within one priority: one step for each priority in use, one more for its oldest. */
const OLDEST =
  'WITH RECURSIVE p (priority) AS (SELECT max(priority) FROM millrace_job WHERE state = 2 AND queue = $1 UNION ALL ' +
  'SELECT (SELECT max(priority) FROM millrace_job WHERE state = 2 AND queue = $2 AND priority < p.priority) FROM p ' +
  'WHERE p.priority IS NOT NULL) SELECT min((SELECT run_at FROM millrace_job WHERE state = 2 AND queue = $3 ' +
  'AND priority = p.priority ORDER BY run_at LIMIT 1)) FROM p WHERE p.priority IS NOT NULL'
const PAUSED_SINCE = 'SELECT paused_at FROM millrace_queue WHERE name = $1 FOR UPDATE'
const PAUSE: RowsStatement = {
  write: 'insert',
  table: 'queue',
  columns: { name: 'text', paused_at: 'int', paused_by: 'text', pause_reason: 'text' },
  key: ['name'],
  onTaken: ['paused_at', 'paused_by', 'pause_reason'],
}
const RESUME = 'DELETE FROM millrace_queue WHERE name = $1'
const CLEARABLE_PENDING = 'SELECT id FROM millrace_job WHERE state = 2 AND queue = $1 LIMIT $2'
const CLEARABLE_WAITING =
  'SELECT id FROM millrace_job WHERE state <> 2 AND state <> 3 AND state = $3 AND queue = $1 LIMIT $2'
const FINISHED = `SELECT count(*) FROM (SELECT 1 FROM millrace_archive WHERE queue = $1 AND state = $2 LIMIT ${COUNTED_TO}) AS n`
const NEWEST_TIMES =
  'SELECT started_at - run_at, finished_at - started_at FROM millrace_archive WHERE queue = $1 AND state = 5 ' +
  'AND started_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1000'

/** Those that wait but may not be claimed yet. */
const WAITING_STATES: ReadonlySet<JobState> = new Set(['blocked', 'scheduled', 'retrying'])

/** The statements of this file, for the tests of their plans. */
export const QUEUE_STATEMENTS = {
  PENDING_NAMES,
  WAITING_NAMES,
  PENDING,
  WAITING,
  RUNNING,
  OLDEST,
  CLEARABLE_PENDING,
  CLEARABLE_WAITING,
  FINISHED,
  NEWEST_TIMES,
} as const

/** See `QueuesFacet.list`. */
export async function listQueues(s: Session): Promise<readonly QueueInfo[]> {
  const [running, settings, pending, waiting] = await Promise.all([
    countRunning(s),
    settingsByQueue(s),
    s.query(PENDING_NAMES),
    s.query(WAITING_NAMES),
  ])
  const named = [...pending.rows, ...waiting.rows].map((row) => text(row[0]))
  const names = new Set([...named, ...running.keys(), ...settings.keys()])
  return Promise.all([...names].sort().map((name) => queueInfo(s, name, running.get(name), settings.get(name))))
}

/** See `QueuesFacet.stats`. */
export async function queueStats(s: Session, queue: string): Promise<QueueStats | null> {
  const [settings, running, completed, failed, cancelled, times] = await Promise.all([
    settingsByQueue(s),
    countRunning(s),
    first(s, FINISHED, [queue, STATE.completed]),
    first(s, FINISHED, [queue, STATE.failed]),
    first(s, FINISHED, [queue, STATE.cancelled]),
    s.query(NEWEST_TIMES, [queue]),
  ])
  const setting = settings.get(queue)
  const info = await queueInfo(s, queue, running.get(queue), setting)
  const finished = { completed: int(completed), failed: int(failed), cancelled: int(cancelled) }
  const isKnown = setting !== undefined || Object.keys(info.counts).length > 0
  if (!isKnown && finished.completed + finished.failed + finished.cancelled === 0) return null
  return {
    ...info,
    finished,
    waitMs: percentiles(times.rows.map((row) => Math.max(0, int(row[0])))),
    runMs: percentiles(times.rows.map((row) => int(row[1]))),
  }
}

/** See `QueuesFacet.pause`. */
export async function pauseQueue(tx: Transaction, queue: string, by: string, reason: string): Promise<void> {
  const since = (await tx.query(PAUSED_SINCE, [queue])).rows[0]?.[0]
  const row = { name: queue, paused_at: since == null ? tx.now : int(since), paused_by: by, pause_reason: reason }
  await tx.query(PAUSE, [rowsJson([row])])
}

/** See `QueuesFacet.resume`. */
export async function resumeQueue(tx: Transaction, queue: string): Promise<void> {
  await tx.query(RESUME, [queue])
}

/** See `QueuesFacet.clear`. */
export async function clearQueue(
  tx: Transaction,
  queue: string,
  states: readonly JobState[],
  limit: number,
): Promise<number> {
  const found: string[] = []
  for (const state of new Set(states)) {
    const most = limit - found.length
    if (state !== 'pending' && !WAITING_STATES.has(state)) continue
    const { rows } =
      state === 'pending'
        ? await tx.query(CLEARABLE_PENDING, [queue, most])
        : await tx.query(CLEARABLE_WAITING, [queue, most, STATE[state]])
    found.push(...rows.map((row) => text(row[0])))
  }
  // In the order of their ids, since what becomes of dependents may hang on who goes first.
  const results = await remove(tx, found.sort(), new Set(states))
  return results.filter((result) => result === 'removed').length
}

/** A queue's row, as far as it has live jobs and settings. */
async function queueInfo(
  s: Session,
  name: string,
  running: number | undefined,
  setting: Columns | undefined,
): Promise<QueueInfo> {
  const waiting = [...WAITING_STATES]
  const [pending, oldest, ...waits] = await Promise.all([
    first(s, PENDING, [name]),
    first(s, OLDEST, [name, name, name]),
    ...waiting.map((state) => first(s, WAITING, [STATE[state], name])),
  ])
  const counts: Partial<Record<JobState, number>> = {}
  const count = (state: JobState, jobs: number) => {
    if (jobs > 0) counts[state] = Math.min(jobs, COUNTED_TO)
  }
  count('pending', int(pending))
  for (const [i, state] of waiting.entries()) count(state, int(waits[i]))
  count('processing', running ?? 0)
  return {
    name,
    counts,
    oldestPendingAt: oldest == null ? null : int(oldest),
    pausedAt: setting?.[1] == null ? null : int(setting[1]),
    pausedBy: setting?.[2] == null ? null : text(setting[2]),
    pauseReason: setting?.[3] == null ? null : text(setting[3]),
  }
}

async function countRunning(s: Session): Promise<ReadonlyMap<string, number>> {
  const { rows } = await s.query(RUNNING)
  return new Map(rows.map((row) => [text(row[0]), int(row[1])]))
}

async function settingsByQueue(s: Session): Promise<ReadonlyMap<string, Columns>> {
  return new Map((await s.query(SETTINGS)).rows.map((row) => [text(row[0]), row]))
}

async function first(s: Session, sql: string, params: readonly (string | number)[]) {
  return (await s.query(sql, params)).rows[0]?.[0]
}

/** Nearest-rank percentiles. */
function percentiles(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  const at = (p: number) => sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? 0
  return { p50: at(50), p95: at(95), p99: at(99) }
}
