/**
 * A heartbeat: one statement that commits itself, so that extending leases takes one round trip, however far the server is. Rows
 * are locked in the order of their places, as settles lock them (settle-sql.ts), which go on beside it.
 *
 * Its rows tell the end of the leases, and a job each: of what became of it, or (where some are missing) that it is held after all.
 */
import type { ExtendResult, HeldResult, Lease } from '../contract/index.ts'
import { int } from '../sql/rows.ts'
import type { Urgency } from '../sql/shares.ts'
import { bigintArray, textArray } from './arrays.ts'
import type { PostgresDatabase } from './database.ts'

/** The first of these is the time, which comes with how long the statement waits for a row. */
const MINE =
  'FROM t, unnest($3::text[], $4::bigint[]) AS v(id, epoch) JOIN millrace_job j ON j.id = v.id WHERE j.epoch = v.epoch ' +
  'AND j.worker_id = $5 AND j.state = 3'
const UNTIL = '(SELECT until_at FROM t)'
const HELD = 0
const LOCKED = 1

const EXTEND =
  `${moving('', ' SKIP LOCKED')} UNION ALL (SELECT NULL, j.id, j.epoch, 0, ${LOCKED} ${MINE} ` +
  'AND (SELECT count(*) FROM held) < cardinality($3::text[]))'
const EXTEND_WAITING = moving(
  ", set_config('lock_timeout', coalesce($6::text, current_setting('lock_timeout')), true) AS patience",
  '',
)

/** The statements of this file, for the test of their plans. */
export const EXTEND_STATEMENTS = { EXTEND, EXTEND_WAITING } as const

/** A lease that becomes shorter is noted anew (leases.ts). */
function moving(patience: string, passing: string): string {
  return (
    'WITH t AS MATERIALIZED (SELECT NOW_SQL + $2::bigint AS until_at' +
    patience +
    '), held AS MATERIALIZED (SELECT j.id, j.epoch, j.lease_until, ' +
    `j.cancelling ${MINE} ORDER BY j.ctid FOR UPDATE OF j${passing}), ` +
    `moved AS (UPDATE millrace_job SET lease_until = ${UNTIL}, left_in_line = 0 WHERE id = ANY (ARRAY(SELECT id FROM held))), ` +
    'shorter AS (INSERT INTO millrace_lease (id, until_at, job_ids) SELECT gen_random_uuid(), ' +
    `${UNTIL}, array_agg(id) FROM held WHERE lease_until > ${UNTIL} HAVING count(*) > 0) ` +
    `SELECT t.until_at, held.id, held.epoch, held.cancelling, ${HELD} FROM t LEFT JOIN held ON true`
  )
}

/** See `JobsFacet.extend`. */
export function extendLeases(
  db: PostgresDatabase,
  workerId: string,
  leases: readonly Lease[],
  leaseMs: number,
): Promise<readonly ExtendResult[]> {
  return moveEnds(db, EXTEND, workerId, leases, leaseMs, 'heartbeat')
}

/** See `JobsFacet.extendWaiting`. */
export async function extendWaiting(
  db: PostgresDatabase,
  workerId: string,
  leases: readonly Lease[],
  leaseMs: number,
  waitMs?: number,
): Promise<readonly HeldResult[]> {
  const patience = waitMs === undefined ? null : String(Math.max(1, Math.ceil(waitMs)))
  const results = await moveEnds(
    db,
    EXTEND_WAITING,
    workerId,
    leases,
    leaseMs,
    'urgent',
    [patience],
    waitMs === undefined,
  )
  // It waited for the locked ones, and tells of none.
  return results.map((result) => (result === 'locked' ? 'lost' : result))
}

async function moveEnds(
  db: PostgresDatabase,
  statement: string,
  workerId: string,
  leases: readonly Lease[],
  leaseMs: number,
  urgency: Urgency,
  more: readonly (string | null)[] = [],
  isPatient = true,
): Promise<readonly ExtendResult[]> {
  const length = Math.floor(leaseMs)
  const values = [
    ...[db.nowParam(), length],
    ...[textArray(leases.map(({ id }) => id)), bigintArray(leases.map(({ epoch }) => epoch)), workerId],
    ...more,
  ]
  const { rows } = await db.statement(db.timed(statement), values, urgency, { isPatient })
  const until = rows.find(([, , , , kind]) => kind === HELD)?.[0]
  if (until !== undefined) db.saw(int(until) - length)
  const held = new Map<string, ExtendResult>()
  for (const [, id, epoch, cancelling, kind] of rows) {
    const lease = `${epoch} ${id}`
    if (kind === HELD) held.set(lease, cancelling === 1 ? 'cancelling' : 'held')
    else if (!held.has(lease)) held.set(lease, 'locked')
  }
  return leases.map(({ id, epoch }) => held.get(`${epoch} ${id}`) ?? 'lost')
}
