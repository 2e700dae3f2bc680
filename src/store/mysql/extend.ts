/**
 * A heartbeat: one statement that commits itself, so that extending leases takes one round trip, however far the server is. It
 * tells only how many leases it extended. Where these are not all, some were lost, are asked to stop or are held by another
 * transaction, and all are extended again in one, which tells which.
 */
import type { ExtendResult, Lease } from '../contract/index.ts'
import { extend } from '../sql/lease.ts'
import type { MysqlDatabase } from './database.ts'

/** The LIMIT keeps the inner table one of its own, whose locks pass over what others hold. */
const EXTEND =
  "UPDATE (SELECT h.id FROM JSON_TABLE($2, '$[*]' COLUMNS (id VARBINARY(255) PATH '$[0]', epoch BIGINT PATH '$[1]')) v " +
  'STRAIGHT_JOIN millrace_job h FORCE INDEX (PRIMARY) ON h.id = v.id WHERE h.epoch = v.epoch AND h.worker_id = $4 ' +
  'AND h.state = 3 AND h.cancelling = 0 LIMIT 1000000 FOR UPDATE SKIP LOCKED) held ' +
  'STRAIGHT_JOIN millrace_job j FORCE INDEX (PRIMARY) ON j.id = held.id SET j.lease_until = NOW_SQL + $3'

/** The statements of this file, for the test of their plans. */
export const EXTEND_STATEMENTS = { EXTEND } as const

/** See `JobsFacet.extend`. */
export async function extendLeases(
  db: MysqlDatabase,
  workerId: string,
  leases: readonly Lease[],
  leaseMs: number,
): Promise<readonly ExtendResult[]> {
  const sorted = leases.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const rows = JSON.stringify(sorted.map(({ id, epoch }) => [id, epoch]))
  const { changes } = await db.statement(EXTEND, [rows, Math.floor(leaseMs), workerId], true)
  if (changes === leases.length) return leases.map(() => 'held')
  return db.transact((tx) => extend(tx, workerId, leases, leaseMs), true)
}
