/** Queues: what waits in each, pausing, clearing, figures of what finished. */
import type { JobState } from '../../core/job/state.ts'
import type { Percentiles, QueueInfo, QueueStats } from '../contract/store.ts'
import { int, liveState, STATE, text } from '../sql/rows.ts'
import type { Connection } from './connection.ts'
import { remove } from './control.ts'

const COUNTS = 'SELECT queue, state, count(*) FROM millrace_job GROUP BY queue, state'
const SETTINGS = 'SELECT name, paused_at, paused_by, pause_reason FROM millrace_queue'
const OLDEST = 'SELECT min(run_at) FROM millrace_job WHERE state = 2 AND queue = ?'
const PAUSE =
  'INSERT INTO millrace_queue (name, paused_at, paused_by, pause_reason) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) ' +
  'DO UPDATE SET paused_at = coalesce(paused_at, ?2), paused_by = ?3, pause_reason = ?4'
const RESUME = 'DELETE FROM millrace_queue WHERE name = ?'
const CLEARABLE = 'SELECT id FROM millrace_job WHERE queue = ?1 AND state IN (SELECT value FROM json_each(?2)) LIMIT ?3'
const FINISHED = 'SELECT count(*) FROM (SELECT 1 FROM millrace_archive WHERE queue = ?1 AND state = ?2 LIMIT 10000)'
const NEWEST_TIMES =
  'SELECT started_at - run_at, finished_at - started_at FROM millrace_archive WHERE queue = ?1 AND state = 5 ' +
  'AND started_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1000'

export function listQueues(c: Connection): readonly QueueInfo[] {
  const counts = new Map<string, Partial<Record<JobState, number>>>()
  for (const row of c.all(COUNTS)) {
    const name = text(row[0])
    const known = counts.get(name) ?? {}
    known[liveState(row[1])] = int(row[2])
    counts.set(name, known)
  }
  const settings = new Map(c.all(SETTINGS).map((row) => [text(row[0]), row]))
  const names = [...new Set([...counts.keys(), ...settings.keys()])].sort()
  return names.map((name) => {
    const setting = settings.get(name)
    const oldest = c.first(OLDEST, name)
    return {
      name,
      counts: counts.get(name) ?? {},
      oldestPendingAt: oldest === null ? null : int(oldest),
      pausedAt: setting?.[1] == null ? null : int(setting[1]),
      pausedBy: setting?.[2] == null ? null : text(setting[2]),
      pauseReason: setting?.[3] == null ? null : text(setting[3]),
    }
  })
}

export function queueStats(c: Connection, queue: string): QueueStats | null {
  const finished = {
    completed: countFinished(c, queue, 'completed'),
    failed: countFinished(c, queue, 'failed'),
    cancelled: countFinished(c, queue, 'cancelled'),
  }
  const live = listQueues(c).find((info) => info.name === queue)
  if (live === undefined && finished.completed + finished.failed + finished.cancelled === 0) return null
  const times = c.all(NEWEST_TIMES, queue)
  const info = live ?? {
    name: queue,
    counts: {},
    oldestPendingAt: null,
    pausedAt: null,
    pausedBy: null,
    pauseReason: null,
  }
  return {
    ...info,
    finished,
    waitMs: percentiles(times.map((row) => Math.max(0, int(row[0])))),
    runMs: percentiles(times.map((row) => int(row[1]))),
  }
}

export function pauseQueue(c: Connection, queue: string, by: string, reason: string): void {
  c.sql(PAUSE).run(queue, c.now(), by, reason)
}

export function resumeQueue(c: Connection, queue: string): void {
  c.sql(RESUME).run(queue)
}

export function clearQueue(c: Connection, queue: string, states: readonly JobState[], limit: number): number {
  const waiting = states.filter((state) => STATE[state] <= STATE.retrying && state !== 'processing')
  const rows = c.all(CLEARABLE, queue, JSON.stringify(waiting.map((state) => STATE[state])), limit)
  // In the order of their ids, since what becomes of dependents may hang on who goes first.
  const ids = rows.map((row) => text(row[0])).sort()
  return ids.filter((id) => remove(c, id) === 'removed').length
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
