/** What people do to jobs: cancel, retry, update, remove; and pruning. */

import { writeCursor } from '../../core/filter/cursor.ts'
import { ID_MEMORY_MS, IDS_TO_A_JOB } from '../../core/job/limits.ts'
import type {
  CancelResult,
  ChangeRequest,
  ChangeResult,
  RemoveResult,
  Retention,
  RetryResult,
  UpdateResult,
} from '../contract/index.ts'
import { finish } from './finish.ts'
import { holderOf } from './insert.ts'
import { isEnded, type Job } from './job.ts'
import { matching } from './read.ts'
import { keyName, type Tables } from './tables.ts'

/** What `update` changes. */
export interface Change {
  readonly priority?: number
  readonly queue?: string
  readonly runAt?: number
}

/** Cancels a waiting job at once; asks a running one to stop. */
export function cancel(tables: Tables, id: string, now: number): CancelResult {
  const job = tables.jobs.get(id)
  if (job === undefined) return 'missing'
  if (isEnded(job.state)) return 'final'
  if (job.state === 'processing') {
    job.cancelling = true
    return 'cancelling'
  }
  finish(tables, job, { state: 'cancelled', reason: 'requested' }, now)
  return 'cancelled'
}

/** Puts an ended job back, or brings a waiting one forward. */
export function retry(tables: Tables, id: string, now: number): RetryResult {
  const job = tables.jobs.get(id)
  if (job === undefined) return 'missing'
  if (job.state === 'scheduled' || job.state === 'retrying') {
    tables.change(job, () => {
      job.state = 'pending'
      job.runAt = Math.min(job.runAt, now)
    })
    return 'retried'
  }
  if (!isEnded(job.state)) return 'live'
  takeKeyBack(tables, job, now)
  tables.change(job, () => revive(job, now))
  return 'retried'
}

/** Changes a waiting job. */
export function update(tables: Tables, id: string, change: Change, now: number): UpdateResult {
  const job = tables.jobs.get(id)
  if (job === undefined) return 'missing'
  if (job.state === 'processing') return 'processing'
  if (isEnded(job.state)) return 'final'
  tables.change(job, () => {
    job.priority = change.priority ?? job.priority
    job.queue = change.queue ?? job.queue
    if (change.runAt === undefined) return
    job.runAt = Math.floor(change.runAt)
    if (job.state === 'pending' || job.state === 'scheduled') job.state = job.runAt > now ? 'scheduled' : 'pending'
  })
  return 'updated'
}

/** Deletes a job that is not running; a waiting one is cancelled first, so that its dependents hear of it. */
export function remove(tables: Tables, id: string, now: number): RemoveResult {
  const job = tables.jobs.get(id)
  if (job === undefined) return 'missing'
  if (job.state === 'processing') return 'processing'
  finish(tables, job, { state: 'cancelled', reason: 'requested' }, now)
  dropKey(tables, job)
  tables.delete(job)
  return 'removed'
}

/** Changes the next jobs that match, as the operations by ids do. */
export function changeWhere(tables: Tables, request: ChangeRequest, now: number): ChangeResult {
  const { filter, change, limit, cursor } = request
  const ids: string[] = []
  let more = false
  for (const { id } of matching(tables, filter, 'oldest', cursor)) {
    more = ids.length === limit
    if (more) break
    ids.push(id)
  }
  const results = ids.map((id) => ({ id, outcome: changeOne(tables, id, change, now) }))
  const last = ids.at(-1)
  return more && last !== undefined ? { results, next: writeCursor('oldest', last) } : { results }
}

function changeOne(tables: Tables, id: string, change: ChangeRequest['change'], now: number): string {
  switch (change.kind) {
    case 'cancel':
      return cancel(tables, id, now)
    case 'retry':
      return retry(tables, id, now)
    case 'remove':
      return remove(tables, id, now)
    case 'update':
      return update(tables, id, change.change, now)
    default:
      return change satisfies never
  }
}

/** Deletes ended jobs beyond their retention and keys beyond their window. A job whose key is still held by its window stays. */
export function prune(tables: Tables, retention: Retention, limit: number, now: number): number {
  const keptMs = { completed: retention.completedMs, failed: retention.failedMs, cancelled: retention.cancelledMs }
  const old: Job[] = []
  for (const job of tables.ended) {
    if (old.length >= limit) break
    if (!isEnded(job.state) || (job.finishedAt ?? now) > now - Math.max(keptMs[job.state], ID_MEMORY_MS)) continue
    if (!holdsKey(tables, job, now)) old.push(job)
  }
  for (const job of old) tables.delete(job)
  let forgotten = 0
  for (const [id, at] of tables.done) {
    if (forgotten >= IDS_TO_A_JOB * limit || at > now - ID_MEMORY_MS) break
    tables.done.delete(id)
    forgotten++
  }
  for (const [name, hold] of tables.keys) {
    const holder = tables.jobs.get(hold.jobId)
    const isLive = holder !== undefined && !isEnded(holder.state)
    if (hold.until !== null && hold.until <= now && !isLive) tables.keys.delete(name)
  }
  const over = tables.messages.filter((message) => message.expiresAt <= now)
  const dropped = over.sort((a, b) => a.expiresAt - b.expiresAt).slice(0, limit)
  tables.messages = tables.messages.filter((message) => !dropped.includes(message))
  return old.length + forgotten
}

function revive(job: Job, now: number): void {
  job.state = 'pending'
  job.reason = null
  job.runAt = now
  job.finishedAt = null
  job.attemptOffset = job.attempts
  job.losses = 0
  job.crashes = 0
  job.workerId = null
  job.progress = null
  job.progressNote = null
  job.result = null
  job.error = null
}

/** A job that lives again holds its key again, unless another has it by now. */
function takeKeyBack(tables: Tables, job: Job, now: number): void {
  if (job.uniqueScope === null || job.uniqueKey === null) return
  const unique = { scope: job.uniqueScope, key: job.uniqueKey }
  if (holderOf(tables, unique, now) !== null) return
  tables.keys.set(keyName(unique.scope, unique.key), { ...unique, jobId: job.id, until: null })
}

function holdsKey(tables: Tables, job: Job, now: number): boolean {
  if (job.uniqueScope === null || job.uniqueKey === null) return false
  return holderOf(tables, { scope: job.uniqueScope, key: job.uniqueKey }, now) === job
}

function dropKey(tables: Tables, job: Job): void {
  if (job.uniqueScope === null || job.uniqueKey === null) return
  const name = keyName(job.uniqueScope, job.uniqueKey)
  if (tables.keys.get(name)?.jobId === job.id) tables.keys.delete(name)
}
