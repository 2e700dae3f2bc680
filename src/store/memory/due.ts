/** What becomes due: promotion, expiry, lost leases, keys that appeared. */
import { decideLoss } from '../../core/job/decide.ts'
import type { Lease, ReclaimedJob } from '../contract/index.ts'
import { finish } from './finish.ts'
import { dropLease, isEnded, type Job, recordAttempt } from './job.ts'
import type { Tables } from './tables.ts'

/** Moves due jobs to `pending`, soonest first. */
export function promote(tables: Tables, limit: number, now: number): number {
  const due = firstOf(tables.due, limit, (job) => job.runAt <= now)
  for (const job of due) {
    tables.change(job, () => {
      job.state = 'pending'
    })
  }
  return due.length
}

/** Fails jobs whose expiry has passed. One that ends with its parent meanwhile is not counted. */
export function expire(tables: Tables, limit: number, now: number): number {
  let count = 0
  for (const job of firstOf(tables.expiring, limit, (candidate) => (candidate.expiresAt ?? 0) <= now)) {
    if (isEnded(job.state)) continue
    finish(tables, job, { state: 'failed', reason: 'expired' }, now)
    count++
  }
  return count
}

/** The earliest instant at which `promote` or `expire` has work. */
export function nextDue(tables: Tables): number | null {
  const instants = [tables.due.first()?.runAt, tables.expiring.first()?.expiresAt].filter(
    (at) => typeof at === 'number',
  )
  return instants.length === 0 ? null : Math.min(...instants)
}

/** Takes back jobs whose lease has ended, the longest lost first. */
export function reclaim(tables: Tables, limit: number, now: number): readonly ReclaimedJob[] {
  const lost = firstOf(tables.leased, limit, (job) => (job.leaseUntil ?? 0) <= now)
  return lost.map((job) => takeBack(tables, job, now, job.startedAt !== null))
}

/** Takes back jobs that a dead worker holds. `started`: those whose handlers had begun; null: none is to blame. */
export function recover(
  tables: Tables,
  workerId: string,
  started: readonly Lease[] | null,
  limit: number,
  now: number,
): readonly ReclaimedJob[] {
  const epochs = new Map(started?.map(({ id, epoch }) => [id, epoch]))
  const held = [...tables.leased].filter((job) => job.workerId === workerId).slice(0, limit)
  return held.map((job) => {
    const hasStarted = epochs.get(job.id) === job.epoch || job.startedAt !== null
    return takeBack(tables, job, now, started !== null && hasStarted)
  })
}

/** Moves jobs that wait for one of these keys back to `pending`. */
export function unblock(tables: Tables, keyIds: readonly string[], limit: number): number {
  const wanted = new Set(keyIds)
  const freed = firstOf(
    [...tables.byId].filter((job) => job.blockedOn !== null && wanted.has(job.blockedOn)),
    limit,
  )
  for (const job of freed) {
    tables.change(job, () => {
      job.state = 'pending'
      job.reason = null
      job.blockedOn = null
    })
  }
  return freed.length
}

/** `started`: the loss is a crash. */
function takeBack(tables: Tables, job: Job, now: number, started: boolean): ReclaimedJob {
  const decided = decideLoss({ losses: job.losses, crashes: job.crashes, started })
  const to = job.cancelling ? 'cancelled' : decided.to
  recordAttempt(job, {
    attempt: job.attempts + 1,
    epoch: job.epoch,
    workerId: job.workerId ?? '',
    startedAt: job.startedAt ?? job.claimedAt ?? now,
    endedAt: now,
    outcome: 'lost',
    error: null,
  })
  tables.change(job, () => {
    dropLease(job)
    job.losses = decided.losses
    job.crashes = decided.crashes
    // One that ends passes through `pending` here, seen by nobody.
    job.state = 'pending'
  })
  if (to === 'failed') finish(tables, job, { state: 'failed', reason: 'quarantined' }, now)
  if (to === 'cancelled') finish(tables, job, { state: 'cancelled', reason: 'requested' }, now)
  return { id: job.id, name: job.name, queue: job.queue, to, losses: decided.losses, crashes: decided.crashes }
}

function firstOf(jobs: Iterable<Job>, limit: number, isWanted: (job: Job) => boolean = () => true): readonly Job[] {
  const found: Job[] = []
  for (const job of jobs) {
    if (found.length >= limit || !isWanted(job)) break
    found.push(job)
  }
  return found
}
