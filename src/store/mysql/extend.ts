/**
 * A heartbeat: one statement that commits itself, so that extending leases takes one round trip, however far the server is. It
 * tells only how many leases it extended. Where these are not all, some were lost or are asked to stop, and all are extended
 * again in a transaction, which tells which.
 */
import type { ExtendResult, Lease } from '../contract/index.ts'
import { extend } from '../sql/lease.ts'
import type { MysqlDatabase } from './database.ts'

const EXTEND =
  "UPDATE JSON_TABLE($2, '$[*]' COLUMNS (id VARBINARY(255) PATH '$[0]', epoch BIGINT PATH '$[1]')) v STRAIGHT_JOIN " +
  'millrace_job j FORCE INDEX (PRIMARY) ON j.id = v.id SET j.lease_until = NOW_SQL + $3 ' +
  'WHERE j.epoch = v.epoch AND j.worker_id = $4 AND j.state = 3 AND j.cancelling = 0'

/** The statements of this file, for the test of their plans. */
export const EXTEND_STATEMENTS = { EXTEND } as const

/** Moves the end of the leases that this worker still holds. See `JobsFacet.extend`. */
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
