/** What becomes due: promotion, expiry, keys that appeared. Each bounded and served by a partial index. */
import { finish } from './finish.ts'
import { Ledger } from './ledger.ts'
import { int, STATE, text } from './rows.ts'
import type { Session, Transaction } from './session.ts'
import { writeLedger } from './write.ts'

// Rows that another transaction holds are being changed: they are passed over, so no lock is waited for out of order.
const DUE =
  'SELECT id FROM millrace_job WHERE state IN (1, 4) AND run_at <= $1 ORDER BY run_at LIMIT $2 FOR UPDATE SKIP LOCKED'
const PROMOTE = 'UPDATE millrace_job SET state = 2 WHERE id IN LIST($1 text)'
const EXPIRED =
  'SELECT id FROM millrace_job WHERE expires_at IS NOT NULL AND state <> 3 AND expires_at <= $1 ' +
  'ORDER BY expires_at, id LIMIT $2'
const NEXT =
  'SELECT min(run_at) FROM millrace_job WHERE state IN (1, 4) ' +
  'UNION ALL SELECT min(expires_at) FROM millrace_job WHERE expires_at IS NOT NULL AND state <> 3'
const BLOCKED =
  'SELECT id FROM millrace_job WHERE blocked_on IS NOT NULL AND blocked_on IN LIST($1 text) ORDER BY id LIMIT $2 ' +
  'FOR UPDATE SKIP LOCKED'
const UNBLOCK = 'UPDATE millrace_job SET state = 2, reason = NULL, blocked_on = NULL WHERE id IN LIST($1 text)'

/** The statements of this file, for the tests of their plans. */
export const DUE_STATEMENTS = { DUE, EXPIRED, NEXT, BLOCKED } as const

/** See `JobsFacet.promote`. */
export async function promote(tx: Transaction, limit: number): Promise<number> {
  return move(tx, await idsOf(tx, DUE, [tx.now, limit]), PROMOTE)
}

/** See `JobsFacet.unblock`. */
export async function unblock(tx: Transaction, keyIds: readonly string[], limit: number): Promise<number> {
  return keyIds.length === 0 ? 0 : move(tx, await idsOf(tx, BLOCKED, [keyIds, limit]), UNBLOCK)
}

/** A job that ended with its parent meanwhile is neither expired nor counted; of several due at once the lowest id goes first. */
export async function expire(tx: Transaction, limit: number): Promise<number> {
  const due = await idsOf(tx, EXPIRED, [tx.now, limit])
  if (due.length === 0) return 0
  const ledger = new Ledger(tx)
  await ledger.lock(due, 'end')
  let count = 0
  for (const id of due) {
    const job = ledger.live(id)
    if (job === undefined || job.state === STATE.processing || (job.expiresAt ?? Infinity) > tx.now) continue
    finish(ledger, job, { state: 'failed', reason: 'expired' })
    count++
  }
  await writeLedger(ledger)
  return count
}

/** See `JobsFacet.nextDue`. */
export async function nextDue(session: Session): Promise<number | null> {
  const { rows } = await session.query(NEXT)
  const instants = rows.map(([at]) => at).filter((at) => at !== null && at !== undefined)
  return instants.length === 0 ? null : Math.min(...instants.map(int))
}

async function idsOf(tx: Transaction, sql: string, params: Parameters<Transaction['query']>[1]) {
  return (await tx.query(sql, params)).rows.map((row) => text(row[0]))
}

async function move(tx: Transaction, ids: readonly string[], sql: string): Promise<number> {
  return ids.length === 0 ? 0 : (await tx.query(sql, [ids])).changes
}
