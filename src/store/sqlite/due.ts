/** What becomes due: promotion, expiry, keys that appeared. Each bounded and served by a partial index. */
import { columnsOf, int, STATE, text } from '../sql/rows.ts'
import type { Connection } from './connection.ts'
import { finishLive } from './finish.ts'

const PROMOTE =
  'UPDATE millrace_job SET state = 2 WHERE id IN (SELECT id FROM millrace_job WHERE state IN (1, 4) AND run_at <= ?1 ' +
  'ORDER BY run_at LIMIT ?2)'
const HAS_DUE = 'SELECT 1 FROM millrace_job WHERE state IN (1, 4) AND run_at <= ?1 LIMIT 1'
const HAS_EXPIRED =
  'SELECT 1 FROM millrace_job WHERE expires_at IS NOT NULL AND state <> 3 AND expires_at <= ?1 LIMIT 1'
const EXPIRED =
  'SELECT id, expires_at FROM millrace_job WHERE expires_at IS NOT NULL AND state <> 3 AND expires_at <= ?1 ' +
  'ORDER BY expires_at LIMIT ?2'
const NEXT_RUN = 'SELECT min(run_at) FROM millrace_job WHERE state IN (1, 4)'
const NEXT_EXPIRY = 'SELECT min(expires_at) FROM millrace_job WHERE expires_at IS NOT NULL AND state <> 3'
const HAS_LOST = 'SELECT 1 FROM millrace_job WHERE state = 3 AND lease_until <= ?1 LIMIT 1'
const HAS_KEY = 'SELECT 1 FROM millrace_job WHERE blocked_on IS NOT NULL AND blocked_on = ?1 LIMIT 1'
const UNBLOCK =
  'UPDATE millrace_job SET state = ?3, reason = NULL, blocked_on = NULL WHERE id IN (SELECT id FROM millrace_job ' +
  'WHERE blocked_on IS NOT NULL AND blocked_on = ?1 LIMIT ?2)'

export const DUE_STATEMENTS = { PROMOTE, EXPIRED, NEXT_RUN, NEXT_EXPIRY, HAS_LOST, UNBLOCK } as const

export function hasDue(c: Connection): boolean {
  return c.sql(HAS_DUE).get(c.now()) !== undefined
}

export function hasExpired(c: Connection): boolean {
  return c.sql(HAS_EXPIRED).get(c.now()) !== undefined
}

export function hasLost(c: Connection): boolean {
  return c.sql(HAS_LOST).get(c.now()) !== undefined
}

export function promote(c: Connection, limit: number): number {
  return Number(c.sql(PROMOTE).run(c.now(), limit).changes)
}

/** A job that ended with its parent meanwhile is neither expired nor counted; of several due at once the lowest id goes first. */
export function expire(c: Connection, limit: number): number {
  const now = c.now()
  const due = c.sql(EXPIRED).all(now, limit).map(columnsOf)
  due.sort((a, b) => int(a[1]) - int(b[1]) || (text(a[0]) < text(b[0]) ? -1 : 1))
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

export function nextDue(c: Connection): number | null {
  const instants = [NEXT_RUN, NEXT_EXPIRY].map((sql) => columnsOf(c.sql(sql).get())[0]).filter((at) => at !== null)
  return instants.length === 0 ? null : Math.min(...instants.map(int))
}

export function hasKey(c: Connection, keyIds: readonly string[]): boolean {
  return keyIds.some((keyId) => c.sql(HAS_KEY).get(keyId) !== undefined)
}

export function unblock(c: Connection, keyIds: readonly string[], limit: number): number {
  let moved = 0
  for (const keyId of keyIds) moved += Number(c.sql(UNBLOCK).run(keyId, limit - moved, STATE.pending).changes)
  return moved
}
