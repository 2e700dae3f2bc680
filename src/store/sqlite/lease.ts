/** Writes about running attempts between claim and settle, each fenced by `(id, epoch, worker)`, and what becomes of lost leases. */
import { decideLoss } from '../../core/job/decide.ts'
import type { HeldResult, JobReport, Lease, ReclaimedJob, ReportResult } from '../contract/index.ts'
import { type Columns, int, STATE, text } from '../sql/rows.ts'
import { recordAttempt } from './attempts.ts'
import type { Connection } from './connection.ts'
import { isConstraint } from './errors.ts'
import { finishLive } from './finish.ts'
import { changeOrSetAside } from './unreadable.ts'

const EXTEND =
  'UPDATE millrace_job SET lease_until = ?3 WHERE id = ?1 AND epoch = ?2 AND worker_id = ?4 AND state = 3 RETURNING cancelling'
const START = 'UPDATE millrace_job SET started_at = ?3 WHERE id = ?1 AND epoch = ?2 AND worker_id = ?4 AND state = 3'
const REPORT =
  'UPDATE millrace_job SET progress = coalesce(?3, progress), progress_note = coalesce(?4, progress_note) ' +
  'WHERE id = ?1 AND epoch = ?2 AND worker_id = ?5 AND state = 3 RETURNING attempts'
const LOG =
  'INSERT INTO millrace_log (job_id, seq, attempt, at, level, message) VALUES (?, ?, ?, ?, ?, ?) ' +
  'ON CONFLICT (job_id, seq) DO NOTHING'
const DROP_OLD_LOGS =
  'DELETE FROM millrace_log WHERE job_id = ?1 AND seq <= (SELECT seq FROM millrace_log WHERE job_id = ?1 ' +
  'ORDER BY seq DESC LIMIT 1 OFFSET ?2)'
const LOST_COLUMNS = 'id, name, queue, epoch, losses, crashes, attempts, worker_id, claimed_at, started_at, cancelling'
const EXPIRED_LEASES = `SELECT ${LOST_COLUMNS} FROM millrace_job WHERE state = 3 AND lease_until <= ?1 ORDER BY lease_until LIMIT ?2 + 0`
/** Every running job is looked at: a dead worker is rare. */
const HELD_BY = `SELECT ${LOST_COLUMNS} FROM millrace_job INDEXED BY millrace_job_lease WHERE state = 3 AND worker_id = ?1 LIMIT ?2 + 0`
const HOLDS_ANY = 'SELECT 1 FROM millrace_job INDEXED BY millrace_job_lease WHERE state = 3 AND worker_id = ?1 LIMIT 1'
const COUNT_LOSS =
  'UPDATE millrace_job SET losses = ?2, crashes = ?3, state = ?4, worker_id = NULL, claimed_at = NULL, lease_until = NULL, ' +
  'started_at = NULL WHERE id = ?1'
const KEPT_LINES = 1000

/** The statements of this file, for the test of their plans. */
export const LEASE_STATEMENTS = { EXPIRED_LEASES, HELD_BY, HOLDS_ANY } as const

/** See `JobsFacet.extend`. */
export function extend(
  c: Connection,
  workerId: string,
  leases: readonly Lease[],
  leaseMs: number,
): readonly HeldResult[] {
  const until = c.now() + leaseMs
  return leases.map((lease) => {
    const row = orLost(() => c.get(EXTEND, lease.id, lease.epoch, until, workerId))
    if (row === undefined) return 'lost'
    return int(row[0]) === 1 ? 'cancelling' : 'held'
  })
}

/** See `JobsFacet.start`. */
export function start(c: Connection, workerId: string, lease: Lease): ReportResult {
  const written = orLost(() => c.sql(START).run(lease.id, lease.epoch, c.now(), workerId))
  return written?.changes === 1 ? 'written' : 'lost'
}

/** See `JobsFacet.report`. */
export function report(c: Connection, workerId: string, reports: readonly JobReport[]): readonly ReportResult[] {
  const now = c.now()
  return reports.map((news) => {
    const row = orLost(() => c.get(REPORT, news.id, news.epoch, news.progress ?? null, news.note ?? null, workerId))
    if (row === undefined) return 'lost'
    writeLogs(c, news, int(row[0]) + 1, now)
    return 'written'
  })
}

/** A damaged row takes no change: nobody holds it any more, and it is set aside when its lease has ended. */
export function orLost<T>(write: () => T): T | undefined {
  try {
    return write()
  } catch (error) {
    if (isConstraint(error)) return undefined
    throw error
  }
}

/** Sequence numbers come from the caller and grow over the attempts of a job. */
function writeLogs(c: Connection, news: JobReport, attempt: number, now: number): void {
  if (news.logs === undefined || news.logs.length === 0) return
  for (const line of news.logs) c.sql(LOG).run(news.id, line.seq, attempt, now, line.level, line.message)
  c.sql(DROP_OLD_LOGS).run(news.id, KEPT_LINES)
}

/** See `JobsFacet.reclaim`. */
export function reclaim(c: Connection, limit: number): readonly ReclaimedJob[] {
  const now = c.now()
  return c.all(EXPIRED_LEASES, now, limit).map((row) => takeBack(c, row, now, row[9] !== null))
}

/** Whether a worker holds a job. */
export function holdsAny(c: Connection, workerId: string): boolean {
  return c.get(HOLDS_ANY, workerId) !== undefined
}

/** See `JobsFacet.recover`. */
export function recover(
  c: Connection,
  workerId: string,
  started: readonly Lease[] | null,
  limit: number,
): readonly ReclaimedJob[] {
  const now = c.now()
  const epochs = new Map(started?.map(({ id, epoch }) => [id, epoch]))
  const rows = c.all(HELD_BY, workerId, limit)
  return rows.map((row) => {
    const hasStarted = epochs.get(text(row[0])) === int(row[3]) || row[9] !== null
    return takeBack(c, row, now, started !== null && hasStarted)
  })
}

/** A row of `LOST_COLUMNS`. `started`: the loss is a crash. */
function takeBack(c: Connection, row: Columns, now: number, started: boolean): ReclaimedJob {
  const id = text(row[0])
  const epoch = int(row[3])
  const decided = decideLoss({ losses: int(row[4]), crashes: int(row[5]), started })
  const isCancelling = int(row[10]) === 1
  const to = isCancelling ? 'cancelled' : decided.to
  const startedAt = int(row[9] ?? row[8] ?? now)
  const lost = { id, name: text(row[1]), queue: text(row[2]), losses: decided.losses, crashes: decided.crashes }
  recordAttempt(
    c,
    { id, epoch },
    { attempt: int(row[6]) + 1, workerId: text(row[7]), startedAt, endedAt: now, outcome: 'lost', error: null },
  )
  const state = to === 'pending' ? STATE.pending : STATE.processing
  const counted = changeOrSetAside(c, id, now, () => c.sql(COUNT_LOSS).run(id, decided.losses, decided.crashes, state))
  if (counted === undefined) return { ...lost, to: 'failed' }
  if (to === 'failed') finishLive(c, id, 'failed', 'quarantined', now)
  else if (to === 'cancelled') finishLive(c, id, 'cancelled', 'requested', now)
  return { ...lost, to }
}
