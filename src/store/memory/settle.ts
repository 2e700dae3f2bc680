/** Writes about running attempts, each fenced by `(id, epoch, worker)`. */
import { INLINE_BYTES } from '../../core/batch.ts'
import {
  type Completion,
  type HeldResult,
  isCrashed,
  type JobReport,
  type Lease,
  type ReportResult,
  type Settlement,
  type SettleResult,
} from '../contract/index.ts'
import { finish } from './finish.ts'
import { dropLease, type Job, recordAttempt } from './job.ts'
import type { Tables } from './tables.ts'

/** How many log lines a job keeps. */
const KEPT_LINES = 1_000

/** The job whose lease this is, or null when the lease is another's or gone. */
function heldJob(tables: Tables, workerId: string, lease: Lease): Job | null {
  const job = tables.jobs.get(lease.id)
  return job?.state === 'processing' && job.epoch === lease.epoch && job.workerId === workerId ? job : null
}

/** Settles one attempt. */
export function settle(tables: Tables, workerId: string, s: Settlement, now: number): SettleResult {
  const job = heldJob(tables, workerId, s)
  if (job === null) return 'lost'
  if (s.to === 'completed' && s.forget === true && isAlone(job, s)) {
    tables.delete(job)
    tables.done.set(job.id, now)
    return 'settled'
  }
  const to = effective(s, job.cancelling)
  const error = 'error' in s ? s.error : null
  recordAttempt(job, {
    attempt: job.attempts + 1,
    epoch: job.epoch,
    workerId,
    startedAt: Math.floor(now - s.runMs),
    endedAt: now,
    outcome: to,
    error,
  })
  if (isCrashed(s)) job.crashes++
  if (to === 'completed' || to === 'failed' || to === 'cancelled') {
    const reason = to === s.to ? ('reason' in s ? s.reason : null) : 'requested'
    const result = s.to === 'completed' ? s.result : null
    // An attempt that was given back does not count, also when a cancel turned it into an end.
    const isEnd = s.to === 'completed' || s.to === 'failed' || s.to === 'cancelled' || s.to === 'retrying'
    const counts = isEnd && !isCrashed(s)
    if (isCrashed(s)) job.error = s.error ?? job.error
    const how = { state: to, reason }
    finish(tables, job, counts ? { ...how, last: { workerId, result, error } } : how, now)
    return to === s.to ? 'settled' : 'cancelled'
  }
  tables.change(job, () => wait(job, s, now))
  return 'settled'
}

/** Tells whether there is nothing of the job in the store but its row. */
function isAlone(job: Job, { result }: Completion): boolean {
  const isSmall = job.payload.byteLength <= INLINE_BYTES && (result === null || result.byteLength <= INLINE_BYTES)
  const hasBonds = job.dependents > 0 || job.uniqueKey !== null
  return isSmall && job.epoch === 1 && !hasBonds && job.checkpoint === null && job.logs.length === 0
}

/** Moves the end of a lease. */
export function extend(tables: Tables, workerId: string, lease: Lease, leaseMs: number, now: number): HeldResult {
  const job = heldJob(tables, workerId, lease)
  if (job === null) return 'lost'
  tables.change(job, () => {
    job.leaseUntil = Math.floor(now + leaseMs)
  })
  return job.cancelling ? 'cancelling' : 'held'
}

/** Puts on record that the handler is about to run. */
export function start(tables: Tables, workerId: string, lease: Lease, now: number): ReportResult {
  const job = heldJob(tables, workerId, lease)
  if (job === null) return 'lost'
  job.startedAt = now
  return 'written'
}

/** Writes progress and log lines. A line whose number is there already is left as it is: a repeated report changes nothing. */
export function report(tables: Tables, workerId: string, news: JobReport, now: number): ReportResult {
  const job = heldJob(tables, workerId, news)
  if (job === null) return 'lost'
  if (news.progress !== undefined) job.progress = news.progress
  if (news.note !== undefined) job.progressNote = news.note
  for (const { seq, level, message } of news.logs ?? []) {
    if (job.logs.some((line) => line.seq === seq)) continue
    job.logs.push({ attempt: job.attempts + 1, seq, at: now, level, message })
  }
  job.logs.sort((a, b) => a.seq - b.seq)
  job.logs.splice(0, Math.max(0, job.logs.length - KEPT_LINES))
  return 'written'
}

/** Keeps what the next attempt shall find. */
export function saveCheckpoint(tables: Tables, workerId: string, lease: Lease, bytes: Uint8Array): ReportResult {
  const job = heldJob(tables, workerId, lease)
  if (job === null) return 'lost'
  job.checkpoint = bytes.slice()
  return 'written'
}

/** The running jobs of a worker that were asked to stop. */
export function cancellingOf(tables: Tables, workerId: string): readonly Lease[] {
  const found: Lease[] = []
  for (const job of tables.leased) {
    if (job.cancelling && job.workerId === workerId) found.push({ id: job.id, epoch: job.epoch })
  }
  return found
}

/** A cancel that was asked for turns everything that would run again into `cancelled`. */
function effective(s: Settlement, isCancelling: boolean): Settlement['to'] {
  if (s.to === 'completed' || s.to === 'failed' || s.to === 'cancelled') return s.to
  return isCancelling ? 'cancelled' : s.to
}

function wait(job: Job, s: Settlement, now: number): void {
  dropLease(job)
  switch (s.to) {
    case 'retrying':
      job.state = 'retrying'
      if (!isCrashed(s)) job.attempts++
      job.runAt = Math.floor(now + s.delayMs)
      job.error = s.error
      return
    case 'scheduled':
      job.runAt = Math.floor(now + s.delayMs)
      job.state = job.runAt > now ? 'scheduled' : 'pending'
      return
    case 'pending':
      job.state = 'pending'
      return
    case 'blocked':
      job.state = 'blocked'
      job.reason = s.reason
      job.blockedOn = s.on
      return
    case 'completed':
    case 'failed':
    case 'cancelled':
      // These end the job, which `settle` does itself.
      return
    default:
      s satisfies never
  }
}
