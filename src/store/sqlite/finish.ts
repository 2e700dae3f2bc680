/**
 * How a live job ends: the one way from `millrace_job` to `millrace_archive`, with its unique key let go and its dependents
 * released or ended in the same transaction. Everything that ends a job (settle, cancel, expire, reclaim, remove, a
 * parent's end) comes through `finishLive`, so no road can forget a child. The cascade is a loop over a list, not a
 * recursion: a chain may be as long as it likes.
 */
import type { Reason } from '../../core/job/state.ts'
import { BYTES_FIELD, type Columns, INLINE_BYTES, int, STATE, text } from '../sql/rows.ts'
import { recordAttempt } from './attempts.ts'
import type { Connection } from './connection.ts'
import { isConstraint } from './errors.ts'
import { mendForArchive } from './mend.ts'

/** A state in which a job has ended. */
export type FinalState = 'completed' | 'failed' | 'cancelled'

/** What the last attempt leaves behind; absent when the job ends without one. */
export interface LastAttempt {
  /** Null: the attempt has a row of its own already. */
  readonly startedAt: number | null
  /** It crashed: it is no attempt. */
  readonly isUncounted?: true
  readonly result: Uint8Array | null
  readonly error: Uint8Array | null
}

/** Writes one field beside its row. */
export const INSERT_BYTES = 'INSERT OR REPLACE INTO millrace_bytes (job_id, field, data) VALUES (?, ?, ?)'
const ARCHIVE =
  'INSERT INTO millrace_archive (id, name, version, queue, priority, state, reason, created_at, run_at, attempts, ' +
  'attempt_offset, losses, crashes, epoch, worker_id, started_at, finished_at, progress, progress_note, timeout_ms, retry, ' +
  'tags, unique_scope, unique_key, payload, result, error) ' +
  'SELECT id, name, version, queue, priority, ?2, ?3, created_at, run_at, attempts + ?4, attempt_offset, losses, crashes, ' +
  'epoch, CASE WHEN ?4 = 1 THEN worker_id END, ?5, ?6, progress, progress_note, timeout_ms, retry, tags, unique_scope, ' +
  'unique_key, payload, ?7, CASE WHEN ?2 = 5 THEN NULL WHEN ?9 = 1 THEN ?8 ELSE error END FROM millrace_job WHERE id = ?1'
const BONDS =
  'SELECT dependents, unique_scope, unique_key, waiting_on, error IS NOT NULL, attempts, epoch, worker_id FROM millrace_job ' +
  'WHERE id = ?'
/** Takes a job from the live table. */
export const DELETE_JOB = 'DELETE FROM millrace_job WHERE id = ?'
const FREE_KEY =
  'DELETE FROM millrace_unique WHERE scope = ? AND key = ? AND job_id = ? AND (until IS NULL OR until <= ?)'
const CHILDREN = 'SELECT child_id, policy FROM millrace_edge WHERE parent_id = ? ORDER BY child_id'
const DROP_CHILDREN = 'DELETE FROM millrace_edge WHERE parent_id = ?'
const RELEASE_CHILD =
  "UPDATE millrace_job SET waiting_on = waiting_on - 1, state = CASE WHEN state = 0 AND reason = 'parents' AND waiting_on = 1 " +
  'THEN CASE WHEN run_at > ?2 THEN 1 ELSE 2 END ELSE state END, ' +
  "reason = CASE WHEN state = 0 AND reason = 'parents' AND waiting_on = 1 THEN NULL ELSE reason END WHERE id = ?1"
const LET_PARENTS_GO =
  'UPDATE millrace_job SET dependents = dependents - 1 WHERE id IN (SELECT parent_id FROM millrace_edge WHERE child_id = ?)'
const DROP_PARENTS = 'DELETE FROM millrace_edge WHERE child_id = ?'
const REQUEST_CANCEL = 'UPDATE millrace_job SET cancelling = 1 WHERE id = ? AND state = 3'

/** Moves a live job to the archive and carries its end on to keys and dependents. Returns the ids that ended with it, itself first. */
export function finishLive(
  c: Connection,
  id: string,
  state: FinalState,
  reason: Reason | null,
  now: number,
  last?: LastAttempt,
): readonly string[] {
  const ended = [id]
  const todo: { id: string; state: FinalState; reason: Reason | null; last: LastAttempt | undefined }[] = [
    { id, state, reason, last },
  ]
  const end = (childId: string, childState: FinalState, why: Reason) => {
    todo.push({ id: childId, state: childState, reason: why, last: undefined })
    ended.push(childId)
  }
  for (let job = todo.pop(); job !== undefined; job = todo.pop()) {
    const row = c.get(BONDS, job.id)
    if (row === undefined) continue
    const [dependents, scope, key, waitingOn, hasError] = row
    const isQuiet = job.last?.error === null && job.last.startedAt !== null
    if (int(hasError) === 1 && isQuiet && job.last !== undefined && job.state !== 'completed') {
      recordQuietEnd(c, job.id, job.state, row, job.last.startedAt, now)
      archive(c, job.id, job.state, job.reason, now, { ...job.last, startedAt: null })
    } else archive(c, job.id, job.state, job.reason, now, job.last)
    if (key !== null) c.sql(FREE_KEY).run(text(scope), text(key), job.id, now)
    if (int(waitingOn) > 0) {
      // A count of dependents that is too high costs a parent the fast road, and no more.
      unlessDamaged(
        () => c.sql(LET_PARENTS_GO).run(job.id),
        () => {},
      )
      c.sql(DROP_PARENTS).run(job.id)
    }
    if (int(dependents) === 0) continue
    for (const edge of c.all(CHILDREN, job.id)) {
      const [childId, policy] = edge
      if (job.state === 'completed' || policy === 'proceed') {
        unlessDamaged(
          () => c.sql(RELEASE_CHILD).run(text(childId), now),
          () => end(text(childId), 'failed', 'unreadable'),
        )
      } else {
        end(text(childId), policy === 'fail' ? 'failed' : 'cancelled', 'parent')
      }
    }
    c.sql(DROP_CHILDREN).run(job.id)
  }
  return ended
}

/** Asks a running job to stop; its worker hears of it at the next exchange or heartbeat. */
export function requestCancel(c: Connection, id: string): boolean {
  return c.sql(REQUEST_CANCEL).run(id).changes === 1
}

/**
 * The last attempt of a job is read from its archive row, whose error is the last that any attempt had. An attempt that
 * ended badly without one, after others that had, gets a row of its own.
 */
function recordQuietEnd(
  c: Connection,
  id: string,
  outcome: FinalState,
  bonds: Columns,
  startedAt: number | null,
  now: number,
): void {
  const attempt = { attempt: int(bonds[5]) + 1, workerId: text(bonds[7]), startedAt: startedAt ?? now, endedAt: now }
  recordAttempt(c, { id, epoch: int(bonds[6]) }, { ...attempt, outcome, error: null })
}

/** Runs a write; a row that takes no change, since it is damaged, is left to `otherwise`. */
function unlessDamaged(write: () => unknown, otherwise: () => unknown): void {
  try {
    write()
  } catch (error) {
    if (!isConstraint(error)) throw error
    otherwise()
  }
}

/** Keeps a value inline when it is small; writes it to the bytes table and returns null when it is not. */
function inlineOrStore(c: Connection, id: string, field: number, bytes: Uint8Array | null): Uint8Array | null {
  if (bytes === null || bytes.byteLength <= INLINE_BYTES) return bytes
  c.sql(INSERT_BYTES).run(id, field, bytes)
  return null
}

function archive(
  c: Connection,
  id: string,
  state: FinalState,
  reason: Reason | null,
  now: number,
  last: LastAttempt | undefined,
): void {
  const result = inlineOrStore(c, id, BYTES_FIELD.result, last?.result ?? null)
  const error = inlineOrStore(c, id, BYTES_FIELD.error, last?.error ?? null)
  const counted = last === undefined || last.isUncounted === true ? 0 : 1
  // A large error stands beside the row: what an earlier attempt left in it goes all the same.
  const hasError = last === undefined || last.error === null ? 0 : 1
  const write = () =>
    c.sql(ARCHIVE).run(id, STATE[state], reason, counted, last?.startedAt ?? null, now, result, error, hasError)
  unlessDamaged(write, () => {
    mendForArchive(c, id)
    write()
  })
  c.sql(DELETE_JOB).run(id)
}
