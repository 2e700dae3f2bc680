/** Queues: what waits in each, pausing, clearing, figures of what finished. */
import { COUNTED_TO } from '../../core/job/limits.ts'
import type { JobState } from '../../core/job/state.ts'
import type { Percentiles, QueueInfo, QueueStats } from '../contract/store.ts'
import { type Columns, int, STATE, text } from '../sql/rows.ts'
import type { Connection } from './connection.ts'
import { remove } from './control.ts'

// The different queues of a partial index that begins with the queue, each found by one step.
const PENDING_NAMES =
  'WITH RECURSIVE q (name) AS (SELECT min(queue) FROM millrace_job WHERE state = 2 UNION ALL SELECT (SELECT min(queue) ' +
  'FROM millrace_job WHERE state = 2 AND queue > q.name) FROM q WHERE q.name IS NOT NULL) ' +
  'SELECT name FROM q WHERE name IS NOT NULL'
const WAITING_NAMES = PENDING_NAMES.replaceAll('state = 2', 'state <> 2 AND state <> 3')
const PENDING = `SELECT count(*) FROM (SELECT 1 FROM millrace_job WHERE state = 2 AND queue = ?1 LIMIT ${COUNTED_TO})`
const WAITING =
  'SELECT count(*) FROM (SELECT 1 FROM millrace_job WHERE state <> 2 AND state <> 3 AND state = ?2 AND queue = ?1 ' +
  `LIMIT ${COUNTED_TO})`
/** As many as run, which the slots of all workers bound: they are few, and counted no further than this. */
const RUNNING = 'SELECT queue FROM millrace_job INDEXED BY millrace_job_lease WHERE state = 3 LIMIT 100000'
const SETTINGS = 'SELECT name, paused_at, paused_by, pause_reason FROM millrace_queue'
/**
 * The index has run times in order within one name and priority: one step for each such pair in use, one more for its
 * oldest. Of the first 1,000 names: more is not a queue of an app.
 */
const OLDEST =
  'WITH RECURSIVE q (name) AS (SELECT min(name) FROM millrace_job WHERE state = 2 AND queue = ?1 UNION ALL ' +
  'SELECT (SELECT min(name) FROM millrace_job WHERE state = 2 AND queue = ?1 AND name > q.name) FROM q ' +
  'WHERE q.name IS NOT NULL LIMIT 1000), ' +
  'p (name, priority) AS (SELECT name, (SELECT max(priority) FROM millrace_job WHERE state = 2 AND queue = ?1 ' +
  'AND name = q.name) FROM q WHERE name IS NOT NULL UNION ALL SELECT name, (SELECT max(priority) FROM millrace_job ' +
  'WHERE state = 2 AND queue = ?1 AND name = p.name AND priority < p.priority) FROM p WHERE p.priority IS NOT NULL) ' +
  'SELECT min((SELECT run_at FROM millrace_job WHERE state = 2 AND queue = ?1 AND name = p.name ' +
  'AND priority = p.priority ORDER BY run_at LIMIT 1)) FROM p WHERE p.priority IS NOT NULL'
const PAUSE =
  'INSERT INTO millrace_queue (name, paused_at, paused_by, pause_reason) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) ' +
  'DO UPDATE SET paused_at = coalesce(paused_at, ?2), paused_by = ?3, pause_reason = ?4'
const RESUME = 'DELETE FROM millrace_queue WHERE name = ?'
const CLEARABLE_PENDING = 'SELECT id FROM millrace_job WHERE state = 2 AND queue = ?1 LIMIT ?2 + 0'
const CLEARABLE_WAITING =
  'SELECT id FROM millrace_job WHERE state <> 2 AND state <> 3 AND state = ?3 AND queue = ?1 LIMIT ?2 + 0'
const FINISHED = `SELECT count(*) FROM (SELECT 1 FROM millrace_archive WHERE queue = ?1 AND state = ?2 LIMIT ${COUNTED_TO})`
const NEWEST_TIMES =
  'SELECT started_at - run_at, finished_at - started_at FROM millrace_archive WHERE queue = ?1 AND state = 5 ' +
  'AND started_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1000'

/** Those that wait but may not be claimed yet. */
const WAITING_STATES: ReadonlySet<JobState> = new Set(['blocked', 'scheduled', 'retrying'])

/** The statements of this file, for the test of their plans. */
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
export function listQueues(c: Connection): readonly QueueInfo[] {
  const running = countRunning(c)
  const settings = settingsByQueue(c)
  const waiting = [PENDING_NAMES, WAITING_NAMES].flatMap((sql) => c.all(sql).map((row) => text(row[0])))
  const names = new Set([...waiting, ...running.keys(), ...settings.keys()])
  return [...names].sort().map((name) => queueInfo(c, name, running.get(name), settings.get(name)))
}

/** See `QueuesFacet.stats`. */
export function queueStats(c: Connection, queue: string): QueueStats | null {
  const setting = settingsByQueue(c).get(queue)
  const info = queueInfo(c, queue, countRunning(c).get(queue), setting)
  const finished = {
    completed: countFinished(c, queue, 'completed'),
    failed: countFinished(c, queue, 'failed'),
    cancelled: countFinished(c, queue, 'cancelled'),
  }
  const isKnown = setting !== undefined || Object.keys(info.counts).length > 0
  if (!isKnown && finished.completed + finished.failed + finished.cancelled === 0) return null
  const times = c.all(NEWEST_TIMES, queue)
  return {
    ...info,
    finished,
    waitMs: percentiles(times.map((row) => Math.max(0, int(row[0])))),
    runMs: percentiles(times.map((row) => int(row[1]))),
  }
}

/** See `QueuesFacet.pause`. */
export function pauseQueue(c: Connection, queue: string, by: string, reason: string): void {
  c.sql(PAUSE).run(queue, c.now(), by, reason)
}

/** See `QueuesFacet.resume`. */
export function resumeQueue(c: Connection, queue: string): void {
  c.sql(RESUME).run(queue)
}

/** See `QueuesFacet.clear`. */
export function clearQueue(c: Connection, queue: string, states: readonly JobState[], limit: number): number {
  const rows: Columns[] = []
  for (const state of new Set(states)) {
    const most = limit - rows.length
    if (state === 'pending') rows.push(...c.all(CLEARABLE_PENDING, queue, most))
    else if (WAITING_STATES.has(state)) rows.push(...c.all(CLEARABLE_WAITING, queue, most, STATE[state]))
  }
  // In the order of their ids, since what becomes of dependents may hang on who goes first.
  const ids = rows.map((row) => text(row[0])).sort()
  return ids.filter((id) => remove(c, id) === 'removed').length
}

/** A queue's row, as far as it has live jobs and settings. */
function queueInfo(c: Connection, name: string, running: number | undefined, setting: Columns | undefined): QueueInfo {
  const counts: Partial<Record<JobState, number>> = {}
  const count = (state: JobState, jobs: number) => {
    if (jobs > 0) counts[state] = Math.min(jobs, COUNTED_TO)
  }
  count('pending', int(c.first(PENDING, name)))
  for (const state of WAITING_STATES) count(state, int(c.first(WAITING, name, STATE[state])))
  count('processing', running ?? 0)
  const oldest = c.first(OLDEST, name)
  return {
    name,
    counts,
    oldestPendingAt: oldest == null ? null : int(oldest),
    pausedAt: setting?.[1] == null ? null : int(setting[1]),
    pausedBy: setting?.[2] == null ? null : text(setting[2]),
    pauseReason: setting?.[3] == null ? null : text(setting[3]),
  }
}

function countRunning(c: Connection): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const row of c.all(RUNNING)) counts.set(text(row[0]), (counts.get(text(row[0])) ?? 0) + 1)
  return counts
}

function settingsByQueue(c: Connection): ReadonlyMap<string, Columns> {
  return new Map(c.all(SETTINGS).map((row) => [text(row[0]), row]))
}

function countFinished(c: Connection, queue: string, state: JobState): number {
  return int(c.first(FINISHED, queue, STATE[state]))
}

/** Nearest-rank percentiles. */
function percentiles(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  const at = (p: number) => sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? 0
  return { p50: at(50), p95: at(95), p99: at(99) }
}
