/** Rows of attempts that ended without finishing their job: retried ones and lost ones. The last 25 of a job are kept. */
import type { AttemptRecord, Lease } from '../contract/index.ts'
import { int, text } from '../sql/rows.ts'
import type { Connection } from './connection.ts'

const KEPT = 25
const RECORD =
  'INSERT OR REPLACE INTO millrace_attempt (job_id, epoch, attempt, worker_id, started_at, ended_at, outcome, error) ' +
  'VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
const FORGET_OLD =
  'DELETE FROM millrace_attempt WHERE job_id = ?1 AND epoch < (SELECT epoch FROM millrace_attempt WHERE job_id = ?1 ' +
  'ORDER BY epoch DESC LIMIT 1 OFFSET ?2)'
const OF_JOB =
  'SELECT attempt, epoch, worker_id, started_at, ended_at, outcome, error FROM millrace_attempt WHERE job_id = ? ORDER BY epoch'

/** Writes one ended attempt. */
export function recordAttempt(c: Connection, lease: Lease, record: Omit<AttemptRecord, 'epoch'>): void {
  const { attempt, workerId, startedAt, endedAt, outcome, error } = record
  c.sql(RECORD).run(lease.id, lease.epoch, attempt, workerId, startedAt, endedAt, outcome, error)
  c.sql(FORGET_OLD).run(lease.id, KEPT - 1)
}

/** The recorded attempts of a job, oldest first. */
export function attemptsOf(c: Connection, id: string): readonly AttemptRecord[] {
  return c.all(OF_JOB, id).map((row) => ({
    attempt: int(row[0]),
    epoch: int(row[1]),
    workerId: text(row[2]),
    startedAt: int(row[3]),
    endedAt: int(row[4]),
    // Only recordAttempt writes this column.
    outcome: text(row[5]) as AttemptRecord['outcome'],
    error: row[6] instanceof Uint8Array ? row[6] : null,
  }))
}
