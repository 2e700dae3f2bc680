/**
 * A heartbeat: one statement that commits itself, so that extending leases takes one round trip, however far the server is. Rows
 * are locked in the order of their places, as settles lock them (settle-sql.ts), which go on beside it.
 */
import type { ExtendResult, Lease } from '../contract/index.ts'
import { int } from '../sql/rows.ts'
import { bigintArray, textArray } from './arrays.ts'
import type { PostgresDatabase } from './database.ts'

const UNTIL = '(SELECT until_at FROM t)'
/** A lease that becomes shorter is noted anew (leases.ts). One row at least: the end of the leases. */
const EXTEND =
  'WITH t AS MATERIALIZED (SELECT NOW_SQL + $2::bigint AS until_at), held AS MATERIALIZED (SELECT j.id, j.epoch, j.lease_until, ' +
  'j.cancelling FROM unnest($3::text[], $4::bigint[]) AS v(id, epoch) JOIN millrace_job j ON j.id = v.id WHERE j.epoch = v.epoch ' +
  'AND j.worker_id = $5 AND j.state = 3 ORDER BY j.ctid FOR UPDATE OF j), ' +
  `moved AS (UPDATE millrace_job SET lease_until = ${UNTIL}, left_in_line = 0 WHERE id = ANY (ARRAY(SELECT id FROM held))), ` +
  'shorter AS (INSERT INTO millrace_lease (id, until_at, job_ids) SELECT gen_random_uuid(), ' +
  `${UNTIL}, array_agg(id) FROM held WHERE lease_until > ${UNTIL} HAVING count(*) > 0) ` +
  'SELECT t.until_at, held.id, held.epoch, held.cancelling FROM t LEFT JOIN held ON true'

/** The statements of this file, for the test of their plans. */
export const EXTEND_STATEMENTS = { EXTEND } as const

/** Moves the end of the leases that this worker still holds. See `JobsFacet.extend`. */
export async function extendLeases(
  db: PostgresDatabase,
  workerId: string,
  leases: readonly Lease[],
  leaseMs: number,
): Promise<readonly ExtendResult[]> {
  const length = Math.floor(leaseMs)
  const values = [
    ...[db.nowParam(), length],
    ...[textArray(leases.map(({ id }) => id)), bigintArray(leases.map(({ epoch }) => epoch)), workerId],
  ]
  const { rows } = await db.statement(db.timed(EXTEND), values, true)
  db.saw(int(rows[0]?.[0]) - length)
  // Without a lease that is held there is one row, which names no job.
  const held = new Map(rows.map((row) => [row[1], row]))
  return leases.map(({ id, epoch }) => {
    const row = held.get(id)
    if (row === undefined || int(row[2]) !== epoch) return 'lost'
    return int(row[3]) === 1 ? 'cancelling' : 'held'
  })
}
