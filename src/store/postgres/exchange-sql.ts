/** The statements of the exchange, put together from their parts: what settles (settle-sql.ts) and what claims (claim-sql.ts). */
import { CLAIM, type Claims, TOLD } from './claim-sql.ts'
import { FORGET, SETTLE, VANISH } from './settle-sql.ts'

/** How ended jobs are settled, if any. */
export type Settles = 'both' | 'forget' | 'vanish'

const TIME = 'WITH RECURSIVE t AS MATERIALIZED (SELECT NOW_SQL AS now)'
// Leases all of whose jobs have ended (see leases.ts), with what ends jobs: a claim alone does as little as it can.
const OVER =
  ', over AS (DELETE FROM millrace_lease WHERE ctid = ANY (ARRAY(SELECT l.ctid FROM millrace_lease l WHERE ' +
  'l.ctid = ANY (@overSpots::tid[]) AND l.id = ANY (@over::uuid[]) FOR UPDATE SKIP LOCKED)))'
const SETTLED: Readonly<Record<Settles, string>> = {
  both: OVER + SETTLE,
  forget: OVER + FORGET,
  vanish: OVER + VANISH,
}
const NOTHING_SETTLED = ', fit AS MATERIALIZED (SELECT true AS settles)'
const CANCELLING =
  '(SELECT json_agg(json_build_array(id, epoch))::text FROM millrace_job WHERE cancelling = 1 AND worker_id = @worker AND state = 3)'

/** A statement with its parameters by name (`@ids`), but for the time's, which is `$1`. `null`: it settles, or claims, nothing. */
export function exchangeSql(settles: Settles | null, claims: Claims | null): string {
  const settled = TIME + (settles === null ? NOTHING_SETTLED : SETTLED[settles])
  if (claims === null) return `${settled} SELECT ${CANCELLING}, NULL, t.now, fit.settles::int FROM fit, t`
  // The first row tells what was done; it is as wide as those behind it (see taken.ts).
  return (
    `${settled}${CLAIM[claims]} SELECT ${CANCELLING}, ${TOLD[claims]}, t.now, NULL, plain.claims::int::smallint, NULL::bigint, ` +
    'NULL::bigint, NULL::bytea, fit.settles::int, NULL, (SELECT spot FROM leased) FROM fit, plain, t UNION ALL SELECT * FROM taken'
  )
}
