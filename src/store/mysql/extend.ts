/**
 * A heartbeat: one statement that commits itself, so that extending leases takes one round trip, however far the server is. It
 * tells only how many leases it extended. Where these are not all, some were lost, are asked to stop or are held by another
 * transaction, and all are extended again in one, which tells which.
 */
import { StoreError } from '../../core/errors.ts'
import type { ExtendResult, HeldResult, Lease } from '../contract/index.ts'
import { extend, extendWaiting as waiting } from '../sql/lease.ts'
import type { SqlValue } from '../sql/session.ts'
import type { MysqlDatabase } from './database.ts'
import { lockWaitSeconds } from './prepare.ts'

/** The LIMIT keeps the inner table one of its own, whose locks pass over what others hold. */
const EXTEND =
  "UPDATE (SELECT h.id FROM JSON_TABLE($2, '$[*]' COLUMNS (id VARBINARY(255) PATH '$[0]', epoch BIGINT PATH '$[1]')) v " +
  'STRAIGHT_JOIN millrace_job h FORCE INDEX (PRIMARY) ON h.id = v.id WHERE h.epoch = v.epoch AND h.worker_id = $4 ' +
  'AND h.state = 3 AND h.cancelling = 0 LIMIT 1000000 FOR UPDATE SKIP LOCKED) held ' +
  'STRAIGHT_JOIN millrace_job j FORCE INDEX (PRIMARY) ON j.id = held.id SET j.lease_until = NOW_SQL + $3'

const EXTEND_WAITING = EXTEND.replace(' SKIP LOCKED', '')

/** The statements of this file, for the test of their plans. */
export const EXTEND_STATEMENTS = { EXTEND, EXTEND_WAITING } as const

/** See `JobsFacet.extend`. */
export async function extendLeases(
  db: MysqlDatabase,
  workerId: string,
  leases: readonly Lease[],
  leaseMs: number,
): Promise<readonly ExtendResult[]> {
  const { changes } = await db.statement(EXTEND, paramsOf(workerId, leases, leaseMs), 'heartbeat')
  if (changes === leases.length) return leases.map(() => 'held')
  return db.transact((tx) => extend(tx, workerId, leases, leaseMs), 'heartbeat')
}

/** See `JobsFacet.extendWaiting`. */
export async function extendWaiting(
  db: MysqlDatabase,
  workerId: string,
  leases: readonly Lease[],
  leaseMs: number,
  waitMs?: number,
): Promise<readonly HeldResult[]> {
  if (waitMs === undefined) return db.transact((tx) => waiting(tx, workerId, leases, leaseMs), 'urgent')
  const { text, values } = db.timed(EXTEND_WAITING, paramsOf(workerId, leases, leaseMs))
  const { changes } = await db.pool.use(async (connection) => {
    await connection.run(patience(Math.max(1, Math.ceil(waitMs / 1_000))))
    try {
      return await connection.execute(text, values)
    } finally {
      if (!connection.isBroken) await connection.run(patience(lockWaitSeconds(db.settings.deadlineMs)))
    }
  }, 'urgent')
  if (changes === leases.length) return leases.map(() => 'held')
  const results = await extendLeases(db, workerId, leases, leaseMs)
  return results.map((result) => {
    if (result === 'locked') throw new StoreError('transient', 'STORE_BUSY', 'a job is held by another transaction')
    return result
  })
}

/** How long a statement waits for a row: whole seconds, one at least. */
function patience(seconds: number): string {
  // allow sql: a number
  return `SET innodb_lock_wait_timeout = ${seconds}`
}

function paramsOf(workerId: string, leases: readonly Lease[], leaseMs: number): readonly SqlValue[] {
  const sorted = leases.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const rows = JSON.stringify(sorted.map(({ id, epoch }) => [id, epoch]))
  return [rows, Math.floor(leaseMs), workerId]
}
