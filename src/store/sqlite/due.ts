/** What becomes due: promotion, expiry, keys that appeared. Each bounded and served by a partial index. */
import { int, text } from '../sql/rows.ts'
import type { Connection } from './connection.ts'
import { isConstraint } from './errors.ts'
import { finishLive } from './finish.ts'
import { changeOrSetAside, idsOf } from './unreadable.ts'

const DUE = 'SELECT id FROM millrace_job WHERE state IN (1, 4) AND run_at <= ?1 ORDER BY run_at LIMIT ?2 + 0'
const PROMOTE = `UPDATE millrace_job SET state = 2 WHERE id IN (${DUE})`
const PROMOTE_ONE = 'UPDATE millrace_job SET state = 2 WHERE id = ?1 AND state IN (1, 4)'
const HAS_DUE = 'SELECT 1 FROM millrace_job WHERE state IN (1, 4) AND run_at <= ?1 LIMIT 1'
const HAS_EXPIRED =
  'SELECT 1 FROM millrace_job WHERE expires_at IS NOT NULL AND state <> 3 AND expires_at <= ?1 LIMIT 1'
const EXPIRED =
  'SELECT id, expires_at FROM millrace_job WHERE expires_at IS NOT NULL AND state <> 3 AND expires_at <= ?1 ' +
  'ORDER BY expires_at LIMIT ?2 + 0'
const NEXT_RUN = 'SELECT min(run_at) FROM millrace_job WHERE state IN (1, 4)'
const NEXT_EXPIRY = 'SELECT min(expires_at) FROM millrace_job WHERE expires_at IS NOT NULL AND state <> 3'
const HAS_LOST = 'SELECT 1 FROM millrace_job WHERE state = 3 AND lease_until <= ?1 LIMIT 1'
const HAS_KEY = 'SELECT 1 FROM millrace_job WHERE blocked_on IS NOT NULL AND blocked_on = ?1 LIMIT 1'
const BLOCKED = 'SELECT id FROM millrace_job WHERE blocked_on IS NOT NULL AND blocked_on = ?1 LIMIT ?2 + 0'
const UNBLOCK = `UPDATE millrace_job SET state = 2, reason = NULL, blocked_on = NULL WHERE id IN (${BLOCKED})`
const UNBLOCK_ONE =
  'UPDATE millrace_job SET state = 2, reason = NULL, blocked_on = NULL WHERE id = ?1 AND blocked_on IS NOT NULL'

/** The statements of this file, for the test of their plans. */
export const DUE_STATEMENTS = { PROMOTE, EXPIRED, NEXT_RUN, NEXT_EXPIRY, HAS_LOST, UNBLOCK } as const

/** Whether a job is due to be promoted. */
export function hasDue(c: Connection): boolean {
  return c.get(HAS_DUE, c.now()) !== undefined
}

/** Whether a job has waited beyond its expiry. */
export function hasExpired(c: Connection): boolean {
  return c.get(HAS_EXPIRED, c.now()) !== undefined
}

/** Whether a lease has ended. */
export function hasLost(c: Connection): boolean {
  return c.get(HAS_LOST, c.now()) !== undefined
}

/** See `JobsFacet.promote`. */
export function promote(c: Connection, limit: number): number {
  const now = c.now()
  return moveAll(c, { all: PROMOTE, one: PROMOTE_ONE, which: DUE }, [now, limit], now)
}

/** A job that ended with its parent meanwhile is neither expired nor counted; of several due at once the lowest id goes first. */
export function expire(c: Connection, limit: number): number {
  const now = c.now()
  const due = c.all(EXPIRED, now, limit).toSorted((a, b) => int(a[1]) - int(b[1]) || (text(a[0]) < text(b[0]) ? -1 : 1))
  const ended = new Set<string>()
  let count = 0
  for (const row of due) {
    const id = text(row[0])
    if (ended.has(id)) continue
    for (const each of finishLive(c, id, 'failed', 'expired', now)) ended.add(each)
    count++
  }
  return count
}

/** See `JobsFacet.nextDue`. */
export function nextDue(c: Connection): number | null {
  // In a damaged row it may be text, which never comes due.
  const instants = [NEXT_RUN, NEXT_EXPIRY]
    .map((sql) => c.first(sql))
    .filter((at) => typeof at === 'number' || typeof at === 'bigint')
  return instants.length === 0 ? null : Math.min(...instants.map(int))
}

/** Whether a job waits for one of these keys. */
export function hasKey(c: Connection, keyIds: readonly string[]): boolean {
  return keyIds.some((keyId) => c.get(HAS_KEY, keyId) !== undefined)
}

/** See `JobsFacet.unblock`. */
export function unblock(c: Connection, keyIds: readonly string[], limit: number): number {
  let moved = 0
  for (const keyId of keyIds) {
    moved += moveAll(c, { all: UNBLOCK, one: UNBLOCK_ONE, which: BLOCKED }, [keyId, limit - moved], c.now())
  }
  return moved
}

/** Moves jobs by one statement; when one of the rows takes no change, one by one, and that one is set aside. */
function moveAll(
  c: Connection,
  sql: { readonly all: string; readonly one: string; readonly which: string },
  params: readonly (string | number)[],
  now: number,
): number {
  try {
    return Number(c.sql(sql.all).run(...params).changes)
  } catch (error) {
    if (!isConstraint(error)) throw error
  }
  const moved = idsOf(c.all(sql.which, ...params)).map((id) =>
    changeOrSetAside(c, id, now, () => c.sql(sql.one).run(id).changes),
  )
  return moved.filter((changes) => changes === 1).length
}
