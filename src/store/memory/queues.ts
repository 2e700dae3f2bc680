/** Queues: what waits in each, pausing, clearing, figures of what finished. */
import { COUNTED_TO } from '../../core/job/limits.ts'
import type { JobState } from '../../core/job/state.ts'
import type { Percentiles, QueueInfo, QueueStats } from '../contract/store.ts'
import { remove } from './control.ts'
import { isEnded, type Job } from './job.ts'
import { byText } from './sorted-set.ts'
import type { Tables } from './tables.ts'

/** The percentiles are those of this many newest completed jobs. */
const SAMPLED = 1_000

/** Every queue with live jobs or settings, by name. Cost: O(live jobs). */
export function listQueues(tables: Tables): readonly QueueInfo[] {
  const counts = new Map<string, Partial<Record<JobState, number>>>()
  for (const job of tables.jobs.values()) {
    if (isEnded(job.state)) continue
    const known = counts.get(job.queue) ?? {}
    known[job.state] = Math.min(COUNTED_TO, (known[job.state] ?? 0) + 1)
    counts.set(job.queue, known)
  }
  const names = new Set([...counts.keys(), ...tables.paused.keys()])
  return [...names].sort(byText).map((name) => ({ ...settingsOf(tables, name), counts: counts.get(name) ?? {} }))
}

/** The queue with what became of its jobs, or null. */
export function queueStats(tables: Tables, queue: string): QueueStats | null {
  const ended = [...tables.ended.reversed()].filter((job) => job.queue === queue)
  const live = listQueues(tables).find((info) => info.name === queue)
  if (live === undefined && ended.length === 0) return null
  const countOf = (state: JobState) => Math.min(COUNTED_TO, ended.filter((job) => job.state === state).length)
  const sample = ended.filter((job) => job.state === 'completed').slice(0, SAMPLED)
  return {
    ...(live ?? { ...settingsOf(tables, queue), counts: {} }),
    finished: { completed: countOf('completed'), failed: countOf('failed'), cancelled: countOf('cancelled') },
    waitMs: percentiles(sample.map((job) => Math.max(0, startedAt(job) - job.runAt))),
    runMs: percentiles(sample.map((job) => (job.finishedAt ?? 0) - startedAt(job))),
  }
}

/** Pauses a queue; when it is paused already, since when stays and who and why are the latest. */
export function pauseQueue(tables: Tables, queue: string, by: string, reason: string, now: number): void {
  tables.paused.set(queue, { at: tables.paused.get(queue)?.at ?? now, by, reason })
}

/** Removes waiting jobs in these states, oldest first. */
export function clearQueue(
  tables: Tables,
  queue: string,
  states: readonly JobState[],
  limit: number,
  now: number,
): number {
  const wanted = new Set<JobState>(states.filter((state) => state !== 'processing' && !isEnded(state)))
  const found: Job[] = []
  for (const job of tables.byId) {
    if (found.length >= limit) break
    if (job.queue === queue && wanted.has(job.state)) found.push(job)
  }
  return found.filter((job) => remove(tables, job.id, now) === 'removed').length
}

function settingsOf(tables: Tables, name: string): Omit<QueueInfo, 'counts'> {
  const pause = tables.paused.get(name)
  let oldestPendingAt: number | null = null
  for (const job of tables.ready.get(name) ?? []) oldestPendingAt = Math.min(oldestPendingAt ?? job.runAt, job.runAt)
  return {
    name,
    oldestPendingAt,
    pausedAt: pause?.at ?? null,
    pausedBy: pause?.by ?? null,
    pauseReason: pause?.reason ?? null,
  }
}

function startedAt(job: Job): number {
  return job.history.at(-1)?.startedAt ?? job.createdAt
}

/** Nearest-rank percentiles. */
function percentiles(values: readonly number[]): Percentiles | null {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  const at = (p: number) => sorted[Math.ceil((p / 100) * sorted.length) - 1] ?? 0
  return { p50: at(50), p95: at(95), p99: at(99) }
}
