/** What people do to jobs: cancel, retry, update, remove; and pruning. All inside the caller's write transaction. */
import { canEnd } from '../../core/job/damage.ts'
import { ID_MEMORY_MS, IDS_TO_A_JOB } from '../../core/job/limits.ts'
import type { CancelResult, RemoveResult, Retention, RetryResult, UpdateResult } from '../contract/index.ts'
import { STATE, text } from '../sql/rows.ts'
import { recordAttempt } from './attempts.ts'
import type { Connection } from './connection.ts'
import { finishLive, requestCancel } from './finish.ts'
import { liveHolder, stateById, TAKE_KEY } from './insert.ts'
import { forgetMessages } from './mailbox.ts'
import { jobById } from './read.ts'

const REVIVE =
  'INSERT INTO millrace_job (id, name, version, queue, priority, state, created_at, run_at, attempts, attempt_offset, losses, ' +
  'crashes, epoch, timeout_ms, retry, tags, unique_scope, unique_key, payload) SELECT id, name, version, queue, priority, 2, ' +
  'created_at, ?2, attempts, attempts, 0, 0, epoch, timeout_ms, retry, tags, unique_scope, unique_key, payload ' +
  'FROM millrace_archive WHERE id = ?1'
const FORGET_IDS =
  'DELETE FROM millrace_done WHERE id IN (SELECT id FROM millrace_done WHERE done_at <= ? ORDER BY done_at LIMIT ? + 0)'
const LEASE_OF = 'SELECT lease_until FROM millrace_job WHERE id = ?'
const DELETE_ARCHIVED = 'DELETE FROM millrace_archive WHERE id = ?'
const DROP_OUTCOME = 'DELETE FROM millrace_bytes WHERE job_id = ? AND field IN (2, 3)'
const HURRY = 'UPDATE millrace_job SET state = 2, run_at = min(run_at, ?2) WHERE id = ?1 AND state IN (1, 4)'
const UPDATE =
  'UPDATE millrace_job SET priority = coalesce(?2, priority), queue = coalesce(?3, queue), run_at = coalesce(?4, run_at), ' +
  'state = CASE WHEN ?4 IS NULL THEN state WHEN state IN (1, 2) THEN CASE WHEN ?4 > ?5 THEN 1 ELSE 2 END ELSE state END WHERE id = ?1'
const DROP_ROWS = [
  'DELETE FROM millrace_bytes WHERE job_id = ?',
  'DELETE FROM millrace_attempt WHERE job_id = ?',
  'DELETE FROM millrace_log WHERE job_id = ?',
] as const
const DROP_KEY = 'DELETE FROM millrace_unique WHERE scope = ? AND key = ? AND job_id = ?'
const KEY_OF = 'SELECT unique_scope, unique_key FROM millrace_archive WHERE id = ?'
const ARCHIVED_QUEUES =
  'WITH RECURSIVE q (name) AS (SELECT min(queue) FROM millrace_archive UNION ALL SELECT (SELECT min(queue) FROM millrace_archive ' +
  'WHERE queue > q.name) FROM q WHERE q.name IS NOT NULL) SELECT name FROM q WHERE name IS NOT NULL'
const TOO_OLD =
  'SELECT id FROM millrace_archive a WHERE queue = ?1 AND state = ?2 AND finished_at <= ?3 AND (unique_key IS NULL OR NOT ' +
  'EXISTS (SELECT 1 FROM millrace_unique u WHERE u.scope = a.unique_scope AND u.key = a.unique_key AND u.job_id = a.id AND ' +
  'u.until > ?5)) ORDER BY finished_at LIMIT ?4 + 0'
const PRUNE_KEYS =
  'DELETE FROM millrace_unique WHERE (scope, key) IN (SELECT scope, key FROM millrace_unique u WHERE until IS NOT NULL AND ' +
  'until <= ?1 AND NOT EXISTS (SELECT 1 FROM millrace_job WHERE id = u.job_id) ORDER BY until LIMIT ?2 + 0)'

/** The statements of this file, for the test of their plans. */
export const CONTROL_STATEMENTS = { TOO_OLD, PRUNE_KEYS, ARCHIVED_QUEUES } as const

/** See `JobsFacet.cancel`. */
export function cancel(c: Connection, id: string): CancelResult {
  const state = stateById(c, id)
  if (state === null) return 'missing'
  if (isFinalState(state)) return 'final'
  const now = c.now()
  if (state === 'processing' && canEnd(c.first(LEASE_OF, id), now)) {
    requestCancel(c, id)
    return 'cancelling'
  }
  finishLive(c, id, 'cancelled', 'requested', now)
  return 'cancelled'
}

/** See `JobsFacet.retry`. */
export function retry(c: Connection, id: string): RetryResult {
  const state = stateById(c, id)
  if (state === null) return 'missing'
  if (state === 'scheduled' || state === 'retrying') {
    c.sql(HURRY).run(id, c.now())
    return 'retried'
  }
  if (!isFinalState(state)) return 'live'
  const last = jobById(c, id)?.history.at(-1)
  if (last !== undefined) recordAttempt(c, { id, epoch: last.epoch }, last)
  takeKeyBack(c, id)
  c.sql(REVIVE).run(id, c.now())
  c.sql(DELETE_ARCHIVED).run(id)
  c.sql(DROP_OUTCOME).run(id)
  return 'retried'
}

/** See `JobsFacet.update`. */
export function update(
  c: Connection,
  id: string,
  change: { readonly priority?: number; readonly queue?: string; readonly runAt?: number },
): UpdateResult {
  const state = stateById(c, id)
  if (state === null) return 'missing'
  if (state === 'processing') return 'processing'
  if (isFinalState(state)) return 'final'
  c.sql(UPDATE).run(
    id,
    change.priority ?? null,
    change.queue ?? null,
    change.runAt === undefined ? null : Math.floor(change.runAt),
    c.now(),
  )
  return 'updated'
}

/** See `JobsFacet.remove`. */
export function remove(c: Connection, id: string): RemoveResult {
  const state = stateById(c, id)
  if (state === null) return 'missing'
  if (state === 'processing') return 'processing'
  if (!isFinalState(state)) finishLive(c, id, 'cancelled', 'requested', c.now())
  const [scope, key] = c.get(KEY_OF, id) ?? []
  if (typeof scope === 'string' && typeof key === 'string') c.sql(DROP_KEY).run(scope, key, id)
  dropArchived(c, id)
  return 'removed'
}

/** See `JobsFacet.prune`. */
export function prune(c: Connection, retention: Retention, limit: number): number {
  const now = c.now()
  const kept = [
    [STATE.completed, retention.completedMs],
    [STATE.failed, retention.failedMs],
    [STATE.cancelled, retention.cancelledMs],
  ] as const
  let pruned = 0
  for (const queue of c.all(ARCHIVED_QUEUES).map((row) => text(row[0]))) {
    for (const [state, keptMs] of kept) {
      if (pruned >= limit) break
      const before = now - Math.max(keptMs, ID_MEMORY_MS)
      const rows = c.all(TOO_OLD, queue, state, before, limit - pruned, now)
      for (const row of rows) dropArchived(c, text(row[0]))
      pruned += rows.length
    }
  }
  c.sql(PRUNE_KEYS).run(now, limit)
  forgetMessages(c, now, limit)
  return pruned + Number(c.sql(FORGET_IDS).run(now - ID_MEMORY_MS, IDS_TO_A_JOB * limit).changes)
}

/** A job that lives again holds its key again, unless another has it by now. */
function takeKeyBack(c: Connection, id: string): void {
  const [scope, key] = c.get(KEY_OF, id) ?? []
  if (typeof scope !== 'string' || typeof key !== 'string') return
  if (liveHolder(c, { scope, key }, c.now()) === null) c.sql(TAKE_KEY).run(scope, key, id, null)
}

function dropArchived(c: Connection, id: string): void {
  c.sql(DELETE_ARCHIVED).run(id)
  for (const sql of DROP_ROWS) c.sql(sql).run(id)
}

function isFinalState(state: string): boolean {
  return state === 'completed' || state === 'failed' || state === 'cancelled'
}
