/** Writes about running attempts between claim and settle, each fenced by `(id, epoch, worker)`, and what becomes of lost leases. */
import { decideLoss } from '../../core/job/decide.ts'
import type { ExtendResult, HeldResult, JobReport, Lease, ReclaimedJob, ReportResult } from '../contract/index.ts'
import { finish } from './finish.ts'
import { Ledger } from './ledger.ts'
import { dropLease, intOrNull, type LiveJob } from './live-job.ts'
import { type Columns, int, STATE, text } from './rows.ts'
import {
  type Database,
  type RowsStatement,
  rowsJson,
  type Session,
  type SqlValue,
  type Transaction,
} from './session.ts'
import { writeLedger } from './write.ts'

const HELD =
  'SELECT id, epoch, cancelling, attempts, progress, progress_note FROM millrace_job WHERE id IN LIST($1 text) ' +
  'AND worker_id = $2 AND state = 3'
const LOCK_HELD = `${HELD} ORDER BY id FOR UPDATE`
const LOCK_FREE = `${LOCK_HELD} SKIP LOCKED`
const EXTEND = 'UPDATE millrace_job SET lease_until = $1 WHERE id IN LIST($2 text)'
const START = 'UPDATE millrace_job SET started_at = $1 WHERE id = $2 AND epoch = $3 AND worker_id = $4 AND state = 3'
const REPORT: RowsStatement = {
  write: 'update',
  table: 'job',
  key: { id: 'text' },
  set: { progress: 'real', progress_note: 'bytes' },
}
const LOG: RowsStatement = {
  write: 'insert',
  table: 'log',
  columns: { job_id: 'text', seq: 'int', attempt: 'int', at: 'int', level: 'text', message: 'bytes' },
  key: ['job_id', 'seq'],
  onTaken: 'skip',
}
const DROP_OLD_LOGS =
  'DELETE FROM millrace_log WHERE job_id = $1 AND seq <= (SELECT seq FROM (SELECT seq FROM millrace_log WHERE job_id = $2 ' +
  'ORDER BY seq DESC LIMIT 1 OFFSET 1000) AS oldest)'
const EXPIRED_LEASES = 'SELECT id FROM millrace_job WHERE state = 3 AND lease_until <= $1 ORDER BY lease_until LIMIT $2'
const FIRST_LEASE = 'SELECT min(lease_until) FROM millrace_job WHERE state = 3'
/** Every running job is looked at: a dead worker is rare. */
const HELD_BY = 'SELECT id FROM millrace_job WHERE state = 3 AND worker_id = $1 LIMIT $2'

/** The statements of this file, for the tests of their plans. */
export const LEASE_STATEMENTS = { EXPIRED_LEASES, FIRST_LEASE, HELD_BY, EXTEND, LOCK_HELD, LOCK_FREE, HELD } as const
/** The statement that bounds a job's log, for a driver that has to say it in another way. */
export const LOG_STATEMENTS = { DROP_OLD_LOGS } as const

/** Moves the end of the leases that this worker still holds, of the jobs whose rows nobody else has locked. */
export async function extend(
  tx: Transaction,
  workerId: string,
  leases: readonly Lease[],
  leaseMs: number,
): Promise<readonly ExtendResult[]> {
  const free = await lockHeld(tx, workerId, leases, LOCK_FREE)
  const results = await moveEnds(tx, leases, leaseMs, free)
  const missing = leases.filter((_, i) => results[i] === 'lost')
  if (missing.length === 0) return results
  const held = await lockHeld(tx, workerId, missing, HELD)
  return results.map((result, i) => {
    const { id = '', epoch } = leases[i] ?? {}
    const row = held.get(id)
    return result === 'lost' && row !== undefined && int(row[1]) === epoch ? 'locked' : result
  })
}

/** The same, having waited for whoever holds their rows. */
export async function extendWaiting(
  tx: Transaction,
  workerId: string,
  leases: readonly Lease[],
  leaseMs: number,
): Promise<readonly HeldResult[]> {
  return moveEnds(tx, leases, leaseMs, await lockHeld(tx, workerId, leases))
}

async function moveEnds(
  tx: Transaction,
  leases: readonly Lease[],
  leaseMs: number,
  held: ReadonlyMap<string, Columns>,
): Promise<readonly HeldResult[]> {
  const results = leases.map((lease): HeldResult => {
    const row = held.get(lease.id)
    if (row === undefined || int(row[1]) !== lease.epoch) return 'lost'
    return int(row[2]) === 1 ? 'cancelling' : 'held'
  })
  const ids = leases.flatMap((lease, i) => (results[i] === 'lost' ? [] : [lease.id]))
  if (ids.length > 0) await tx.query(EXTEND, [Math.floor(tx.now + leaseMs), ids])
  return results
}

/** Puts on record that the handler is about to run. */
export async function start(tx: Transaction, workerId: string, lease: Lease): Promise<ReportResult> {
  const { changes } = await tx.query(START, [tx.now, lease.id, lease.epoch, workerId])
  return changes === 1 ? 'written' : 'lost'
}

/** Writes progress and log lines. Sequence numbers come from the caller and grow over the attempts of a job. */
export async function report(
  tx: Transaction,
  workerId: string,
  reports: readonly JobReport[],
): Promise<readonly ReportResult[]> {
  const held = await lockHeld(tx, workerId, reports)
  const news = new Map<string, Readonly<Record<string, SqlValue>>>()
  const lines: Readonly<Record<string, SqlValue>>[] = []
  const results = reports.map((report): ReportResult => {
    const row = held.get(report.id)
    if (row === undefined || int(row[1]) !== report.epoch) return 'lost'
    const before = news.get(report.id)
    if (report.progress !== undefined || report.note !== undefined) {
      news.set(report.id, {
        id: report.id,
        progress: report.progress ?? before?.progress ?? intOrNull(row[4]),
        progress_note: report.note ?? before?.progress_note ?? bytesOrNull(row[5]),
      })
    }
    for (const { seq, level, message } of report.logs ?? []) {
      lines.push({ job_id: report.id, seq, attempt: int(row[3]) + 1, at: tx.now, level, message })
    }
    return 'written'
  })
  const writes: Promise<unknown>[] = []
  if (news.size > 0) writes.push(tx.query(REPORT, [rowsJson([...news.values()])]))
  if (lines.length > 0) writes.push(tx.query(LOG, [rowsJson(lines)]))
  for (const id of new Set(lines.map((line) => String(line.job_id)))) writes.push(tx.query(DROP_OLD_LOGS, [id, id]))
  await Promise.all(writes)
  return results
}

async function lockHeld(
  tx: Transaction,
  workerId: string,
  leases: readonly Lease[],
  statement = LOCK_HELD,
): Promise<ReadonlyMap<string, Columns>> {
  const ids = [...new Set(leases.map((lease) => lease.id))].sort()
  const { rows } = await tx.query(statement, [ids, workerId])
  return new Map(rows.map((row) => [text(row[0]), row]))
}

/** Whether any job is held at all: one reading instead of a transaction, for a store at rest. */
export async function hasLeases(session: Session): Promise<boolean> {
  const first = (await session.query(FIRST_LEASE)).rows[0]?.[0]
  return first !== null && first !== undefined
}

/** Takes back jobs whose lease has ended, the longest lost first. */
export async function reclaim(tx: Transaction, limit: number): Promise<readonly ReclaimedJob[]> {
  const { rows } = await tx.query(EXPIRED_LEASES, [tx.now, limit])
  if (rows.length === 0) return []
  const { taken } = await takeBackAmong(
    tx,
    rows.map((row) => text(row[0])),
  )
  return taken
}

/** Takes back those of these jobs whose lease has ended; `kept`: those that run on, with the ends of their leases. */
export async function takeBackAmong(
  tx: Transaction,
  ids: readonly string[],
): Promise<{
  readonly taken: readonly ReclaimedJob[]
  readonly kept: readonly { readonly id: string; readonly until: number }[]
}> {
  if (ids.length === 0) return { taken: [], kept: [] }
  const { ledger, running } = await lockRunning(tx, ids)
  const isLost = (job: LiveJob) => (job.leaseUntil ?? 0) <= tx.now
  const kept = running.filter((job) => !isLost(job)).map((job) => ({ id: job.id, until: job.leaseUntil ?? 0 }))
  const taken = running.filter(isLost).map((job) => takeBack(ledger, job, job.startedAt !== null))
  await writeLedger(ledger)
  return { taken, kept }
}

/** Takes back jobs that a dead worker holds, in as many transactions as it takes: what ended meanwhile leaves room for others. */
export async function recover(
  db: Pick<Database, 'read' | 'transact'>,
  workerId: string,
  started: readonly Lease[] | null,
  limit: number,
): Promise<readonly ReclaimedJob[]> {
  const recovered: ReclaimedJob[] = []
  while (recovered.length < limit) {
    const wanted = limit - recovered.length
    const { rows } = await db.read((session) => session.query(HELD_BY, [workerId, wanted]))
    const ids = rows.map((row) => text(row[0]))
    if (ids.length > 0) recovered.push(...(await db.transact((tx) => takeFrom(tx, workerId, started, ids))))
    if (ids.length < wanted) break
  }
  return recovered
}

async function takeFrom(
  tx: Transaction,
  workerId: string,
  started: readonly Lease[] | null,
  ids: readonly string[],
): Promise<readonly ReclaimedJob[]> {
  const epochs = new Map(started?.map(({ id, epoch }) => [id, epoch]))
  const { ledger, running } = await lockRunning(tx, ids)
  const held = running.filter((job) => job.workerId === workerId)
  const taken = held.map((job) => {
    const hasStarted = epochs.get(job.id) === job.epoch || job.startedAt !== null
    return takeBack(ledger, job, started !== null && hasStarted)
  })
  await writeLedger(ledger)
  return taken
}

async function lockRunning(tx: Transaction, ids: readonly string[]) {
  const ledger = new Ledger(tx)
  await ledger.lock(ids, 'end')
  const running = ids.flatMap((id) => {
    const job = ledger.live(id)
    return job !== undefined && job.state === STATE.processing ? [job] : []
  })
  return { ledger, running }
}

/** `started`: the loss is a crash. */
function takeBack(ledger: Ledger, job: LiveJob, started: boolean): ReclaimedJob {
  const decided = decideLoss({ losses: job.losses, crashes: job.crashes, started })
  const to = job.cancelling ? 'cancelled' : decided.to
  ledger.record(job.id, {
    attempt: job.attempts + 1,
    epoch: job.epoch,
    workerId: job.workerId ?? '',
    startedAt: job.startedAt ?? job.claimedAt ?? ledger.now,
    endedAt: ledger.now,
    outcome: 'lost',
    error: null,
  })
  dropLease(job)
  job.losses = decided.losses
  job.crashes = decided.crashes
  // One that ends passes through `pending` here, seen by nobody.
  job.state = STATE.pending
  if (to === 'failed') finish(ledger, job, { state: 'failed', reason: 'quarantined' })
  if (to === 'cancelled') finish(ledger, job, { state: 'cancelled', reason: 'requested' })
  return { id: job.id, name: job.name, queue: job.queue, to, losses: decided.losses, crashes: decided.crashes }
}

function bytesOrNull(value: unknown): Uint8Array | null {
  return value instanceof Uint8Array ? value : null
}
