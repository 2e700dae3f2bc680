/** What people do to jobs: cancel, retry, update, remove; and pruning. Each inside a transaction. */
import { canEnd } from '../../core/job/damage.ts'
import { ID_MEMORY_MS, IDS_TO_A_JOB } from '../../core/job/limits.ts'
import type { JobState } from '../../core/job/state.ts'
import type { CancelResult, RemoveResult, Retention, RetryResult, UpdateResult } from '../contract/index.ts'
import { finish } from './finish.ts'
import { isFinalState, Ledger } from './ledger.ts'
import { textOrNull, waitUntil } from './live-job.ts'
import { forgetMessages } from './mailbox.ts'
import { type Columns, int, STATE, text } from './rows.ts'
import type { Transaction } from './session.ts'
import { DROP_ALL_OF, writeLedger } from './write.ts'

const LOCK_ARCHIVED =
  'SELECT id, state, unique_scope, unique_key FROM millrace_archive WHERE id IN LIST($1 text) ORDER BY id FOR UPDATE'
// The attempt that ended a job is told by its archive row; when the job lives again, it needs a row of its own.
const KEEP_LAST_ATTEMPT =
  'INSERT INTO millrace_attempt (job_id, epoch, attempt, worker_id, started_at, ended_at, outcome, error) ' +
  "SELECT a.id, a.epoch, a.attempts, a.worker_id, a.started_at, a.finished_at, CASE a.state WHEN 5 THEN 'completed' " +
  "WHEN 6 THEN 'failed' ELSE 'cancelled' END, coalesce(a.error, b.data) FROM millrace_archive a LEFT JOIN millrace_bytes b " +
  'ON b.job_id = a.id AND b.field = 3 WHERE a.id IN LIST($1 text) AND a.worker_id IS NOT NULL AND a.started_at IS NOT NULL'
const REVIVE =
  'INSERT INTO millrace_job (id, name, version, queue, priority, state, created_at, run_at, attempts, attempt_offset, losses, ' +
  'crashes, epoch, timeout_ms, retry, tags, unique_scope, unique_key, payload) SELECT id, name, version, queue, priority, 2, ' +
  'created_at, $1, attempts, attempts, 0, 0, epoch, timeout_ms, retry, tags, unique_scope, unique_key, payload ' +
  'FROM millrace_archive WHERE id IN LIST($2 text)'
const DELETE_ARCHIVED = 'DELETE FROM millrace_archive WHERE id IN LIST($1 text)'
const DROP_OUTCOMES = 'DELETE FROM millrace_bytes WHERE job_id IN LIST($1 text) AND field IN (2, 3)'
const ARCHIVED_QUEUES =
  'WITH RECURSIVE q (name) AS (SELECT min(queue) FROM millrace_archive UNION ALL SELECT (SELECT min(queue) FROM millrace_archive ' +
  'WHERE queue > q.name) FROM q WHERE q.name IS NOT NULL) SELECT name FROM q WHERE name IS NOT NULL'
const TOO_OLD =
  'SELECT id FROM millrace_archive a WHERE queue = $1 AND state = $2 AND finished_at <= $3 AND (unique_key IS NULL OR NOT ' +
  'EXISTS (SELECT 1 FROM millrace_unique u WHERE u.job_id = a.id AND u.until_at > $4)) ORDER BY finished_at LIMIT $5 ' +
  'FOR UPDATE SKIP LOCKED'
const OLD_KEYS =
  'SELECT key_hash FROM millrace_unique u WHERE until_at IS NOT NULL AND until_at <= $1 AND NOT EXISTS ' +
  '(SELECT 1 FROM millrace_job WHERE id = u.job_id) ORDER BY until_at LIMIT $2 FOR UPDATE SKIP LOCKED'
const DROP_KEYS = 'DELETE FROM millrace_unique WHERE key_hash IN LIST($1 text)'

const FORGET_IDS =
  'DELETE FROM millrace_done WHERE id IN (SELECT id FROM millrace_done WHERE done_at <= $1 ORDER BY done_at LIMIT $2 ' +
  'FOR UPDATE SKIP LOCKED)'

/** The statements of this file, for the tests of their plans. */
export const CONTROL_STATEMENTS = { TOO_OLD, FORGET_IDS, OLD_KEYS, ARCHIVED_QUEUES } as const

/** Which of some ids an operation goes on with, asked when their jobs are locked; the others count as missing. */
export type Guard = (ids: readonly string[]) => Promise<ReadonlySet<string>>

/** Cancels waiting jobs at once; asks running ones to stop. */
export async function cancel(
  tx: Transaction,
  ids: readonly string[],
  guard: Guard = everyOne,
): Promise<readonly CancelResult[]> {
  const ledger = new Ledger(tx)
  await ledger.lock(ids, 'end')
  await ledger.readStates(ids)
  const wanted = await guard(ids)
  const results = ids.map((id): CancelResult => {
    const state = wanted.has(id) ? ledger.stateOf(id) : null
    const job = ledger.live(id)
    if (state === null) return 'missing'
    if (isFinalState(state) || job === undefined) return 'final'
    if (state === 'processing' && canEnd(job.leaseUntil, ledger.now)) {
      job.cancelling = true
      job.isDirty = true
      return 'cancelling'
    }
    finish(ledger, job, { state: 'cancelled', reason: 'requested' })
    return 'cancelled'
  })
  await writeLedger(ledger)
  return results
}

/** Puts ended jobs back; waiting ones become pending at once. */
export async function retry(
  tx: Transaction,
  ids: readonly string[],
  guard: Guard = everyOne,
): Promise<readonly RetryResult[]> {
  const ledger = new Ledger(tx)
  await ledger.lock(ids, 'touch')
  const archived = await lockArchived(tx, ids)
  const revived = new Set<string>()
  const keys = [...archived.values()].flatMap(keyOf)
  await ledger.keys.lock(keys)
  await ledger.readStates([...ids, ...ledger.keys.holders()])
  const wanted = await guard(ids)
  const results = ids.map((id): RetryResult => {
    const state = wanted.has(id) ? ledger.stateOf(id) : null
    if (state === null) return 'missing'
    const job = ledger.live(id)
    const row = archived.get(id)
    if (job !== undefined && (state === 'scheduled' || state === 'retrying')) {
      waitUntil(job, Math.min(job.runAt, ledger.now), ledger.now)
      return 'retried'
    }
    if (!isFinalState(state) || row === undefined) return 'live'
    for (const unique of keyOf(row)) {
      const key = ledger.keys.get(unique.scope, unique.key)
      // A job that lives again holds its key again, unless another has it by now.
      if (ledger.holderOf(key) === null) ledger.keys.take(key, id, null)
    }
    ledger.setState(id, 'pending')
    revived.add(id)
    return 'retried'
  })
  await writeLedger(ledger)
  const back = [...revived].sort()
  if (back.length > 0) {
    await Promise.all([
      tx.query(KEEP_LAST_ATTEMPT, [back]),
      tx.query(REVIVE, [ledger.now, back]),
      tx.query(DELETE_ARCHIVED, [back]),
      tx.query(DROP_OUTCOMES, [back]),
    ])
  }
  return results
}

/** Changes waiting jobs. */
export async function update(
  tx: Transaction,
  ids: readonly string[],
  change: { readonly priority?: number; readonly queue?: string; readonly runAt?: number },
  guard: Guard = everyOne,
): Promise<readonly UpdateResult[]> {
  const ledger = new Ledger(tx)
  await ledger.lock(ids, 'touch')
  await ledger.readStates(ids)
  const wanted = await guard(ids)
  const results = ids.map((id): UpdateResult => {
    const state = wanted.has(id) ? ledger.stateOf(id) : null
    const job = ledger.live(id)
    if (state === null) return 'missing'
    if (state === 'processing') return 'processing'
    if (isFinalState(state) || job === undefined) return 'final'
    job.isDirty = true
    job.priority = change.priority ?? job.priority
    job.queue = change.queue ?? job.queue
    if (change.runAt === undefined) return 'updated'
    const runAt = Math.floor(change.runAt)
    if (state === 'pending' || state === 'scheduled') waitUntil(job, runAt, ledger.now)
    else job.runAt = runAt
    return 'updated'
  })
  await writeLedger(ledger)
  return results
}

/**
 * Deletes jobs that are not running; waiting ones are cancelled first, so that their dependents hear of it. With `states`:
 * only those that are in one of them when they are locked; others count as missing.
 */
export async function remove(
  tx: Transaction,
  ids: readonly string[],
  states?: ReadonlySet<JobState>,
  guard: Guard = everyOne,
): Promise<readonly RemoveResult[]> {
  const ledger = new Ledger(tx)
  await ledger.lock(ids, 'end')
  const archived = await lockArchived(tx, ids)
  await ledger.readStates(ids)
  const allowed = await guard(ids)
  const isWanted = (id: string) => states === undefined || states.has(ledger.stateOf(id) ?? 'completed')
  const wanted = new Set(ids.filter((id) => allowed.has(id) && isWanted(id)))
  const results = ids.map((id): RemoveResult => {
    const state = ledger.removed.has(id) || !wanted.has(id) ? null : ledger.stateOf(id)
    if (state === null) return 'missing'
    if (state === 'processing') return 'processing'
    const job = ledger.job(id)
    if (job !== undefined) finish(ledger, job, { state: 'cancelled', reason: 'requested' })
    const row = archived.get(id)
    for (const { scope, key } of job !== undefined ? keyOfJob(job) : row === undefined ? [] : keyOf(row)) {
      ledger.keys.free(scope, key, id, ledger.now, true)
    }
    ledger.removed.add(id)
    return 'removed'
  })
  await writeLedger(ledger)
  return results
}

/** Deletes ended jobs beyond their retention and keys beyond their window. */
export async function prune(tx: Transaction, retention: Retention, limit: number): Promise<number> {
  const kept = [
    [STATE.completed, retention.completedMs],
    [STATE.failed, retention.failedMs],
    [STATE.cancelled, retention.cancelledMs],
  ] as const
  const ids: string[] = []
  const queues = (await tx.query(ARCHIVED_QUEUES)).rows.map((row) => text(row[0]))
  for (const queue of queues) {
    for (const [state, keptMs] of kept) {
      if (ids.length >= limit) break
      const before = Math.floor(tx.now - Math.max(keptMs, ID_MEMORY_MS))
      const { rows } = await tx.query(TOO_OLD, [queue, state, before, tx.now, limit - ids.length])
      ids.push(...rows.map((row) => text(row[0])))
    }
  }
  if (ids.length > 0) await Promise.all(DROP_ALL_OF.map((sql) => tx.query(sql, [ids])))
  const keys = (await tx.query(OLD_KEYS, [tx.now, limit])).rows.map((row) => text(row[0]))
  if (keys.length > 0) await tx.query(DROP_KEYS, [keys])
  await forgetMessages(tx, limit)
  const forgotten = await tx.query(FORGET_IDS, [Math.floor(tx.now - ID_MEMORY_MS), IDS_TO_A_JOB * limit])
  return ids.length + forgotten.changes
}

async function everyOne(ids: readonly string[]): Promise<ReadonlySet<string>> {
  return new Set(ids)
}

async function lockArchived(tx: Transaction, ids: readonly string[]): Promise<ReadonlyMap<string, Columns>> {
  const { rows } = await tx.query(LOCK_ARCHIVED, [[...new Set(ids)].sort()])
  return new Map(rows.map((row) => [text(row[0]), row]))
}

function keyOf(row: Columns): readonly { readonly scope: string; readonly key: string }[] {
  const [scope, key] = [textOrNull(row[2]), textOrNull(row[3])]
  return scope === null || key === null || int(row[1]) < STATE.completed ? [] : [{ scope, key }]
}

function keyOfJob(job: { readonly uniqueScope: string | null; readonly uniqueKey: string | null }) {
  return job.uniqueScope === null || job.uniqueKey === null ? [] : [{ scope: job.uniqueScope, key: job.uniqueKey }]
}
