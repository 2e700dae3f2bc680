/**
 * What claims, in the statements of the exchange: which queues, and how many of each. A claim of one who is busy goes on where
 * the last one of all workers ended: see cursor-sql.ts. The places of what is found go to one scan as a list: see settle-sql.ts.
 */
import { MAX_BATCH_BYTES } from '../../core/batch.ts'
import { BEHIND, GIVEN, IS_FULL, MOVE, MOVE_ALL, ON_COLUMNS, ON_JOIN, ON_LINE, RESTARTED } from './cursor-sql.ts'
import { TAKEN_COLUMNS } from './taken.ts'

/** Which queues are asked: those that are named, or all; from the head of each, or on from where the last claim ended. */
export type Claims = 'Named' | 'All' | 'NamedOn' | 'AllOn'

const IS_OPEN = 'NOT EXISTS (SELECT 1 FROM millrace_queue p WHERE p.name = o.queue AND p.paused_at IS NOT NULL)'
const NAMED =
  ', open AS MATERIALIZED (SELECT * FROM unnest(@queues::text[], @mosts::bigint[]) WITH ORDINALITY AS o(queue, most, ord) ' +
  `WHERE ${IS_OPEN})`
// Every queue with pending jobs, found by one step each; the limit shared evenly, another queue first each time.
const ALL = allOf('', '')
const ALL_ON = allOf(` AND ${RESTARTED}`, ' UNION ALL SELECT unnest(queues) FROM line')
const SHARES = ', shares AS MATERIALIZED (SELECT o.* FROM open o ORDER BY o.ord)'
const SHARES_ON = `, shares AS MATERIALIZED (SELECT o.*, ${ON_COLUMNS} FROM t CROSS JOIN open o ${ON_JOIN} ORDER BY o.ord)`
const BY_PRIORITY = 'j.priority DESC, '
const AT_HEAD = placesOf('', BY_PRIORITY)
const ON_BEHIND = placesOf(`shares.goes_on AND ${BEHIND} AND `, '')
const ON_AT_HEAD = placesOf('NOT shares.goes_on AND ', BY_PRIORITY)
const GOING_ON = `SELECT a.* FROM (${ON_BEHIND}) AS a UNION ALL SELECT b.* FROM (${ON_AT_HEAD}) AS b`
const IS_PLAIN = `NOT coalesce(bool_or(is_special), false) AND coalesce(sum(size), 0) <= ${MAX_BATCH_BYTES} AS claims`
const PLAIN = `, plain AS MATERIALIZED (SELECT ${IS_PLAIN} FROM found)`
const PLAIN_ON = `${GIVEN}, plain AS MATERIALIZED (SELECT ${IS_PLAIN}, ${IS_FULL} FROM given)`
const TOLD_ON = '(SELECT json_agg(json_build_array(queue, most, goes_on::int))::text FROM shares)'

/** The parts that claim, by which queues: shares that are asked, jobs that are taken. */
export const CLAIM: Readonly<Record<Claims, string>> = {
  Named: NAMED + SHARES + takenOf(AT_HEAD, PLAIN),
  All: ALL + SHARES + takenOf(AT_HEAD, PLAIN),
  NamedOn: NAMED + SHARES_ON + takenOf(GOING_ON, PLAIN_ON) + MOVE,
  AllOn: ON_LINE + ALL_ON + SHARES_ON + takenOf(GOING_ON, PLAIN_ON) + MOVE_ALL,
}

/** What is told of the queues, in the second column of the first row. */
export const TOLD: Readonly<Record<Claims, string>> = {
  Named: 'NULL::text',
  All: '(SELECT json_agg(json_build_array(queue, most))::text FROM shares)',
  NamedOn: TOLD_ON,
  AllOn: TOLD_ON,
}

/** Every queue with pending jobs. `unless`: when they are not looked for; `others`: what there is instead. */
function allOf(unless: string, others: string): string {
  return (
    `, q (name) AS (SELECT min(queue) FROM millrace_job WHERE line = 2 AND state = 2${unless} UNION ALL SELECT (SELECT min(queue) ` +
    'FROM millrace_job WHERE line = 2 AND state = 2 AND queue > q.name) FROM q WHERE q.name IS NOT NULL), ' +
    'ready AS (SELECT queue, row_number() OVER (ORDER BY queue) AS n, count(*) OVER () AS total FROM ' +
    `(SELECT name AS queue FROM q WHERE name IS NOT NULL${others}) AS o WHERE ${IS_OPEN}), ` +
    'open AS MATERIALIZED (SELECT queue, (@limit::bigint + total - 1) / total AS most, ' +
    '(n - 1 + total - @turn::bigint % total) % total AS ord FROM ready)'
  )
}

/** The places of jobs of one share. `condition`: a further one; `first`: what the order begins with. */
function placesOf(condition: string, first: string): string {
  return (
    'SELECT j.ctid AS spot, j.losses >= 2 OR j.payload IS NULL AS is_special, octet_length(j.payload) AS size FROM millrace_job j ' +
    'WHERE j.line = 2 AND j.state = 2 AND j.queue = shares.queue AND ' +
    condition +
    'j.name = ANY (@names::text[]) AND (j.expires_at IS NULL OR j.expires_at > (SELECT now FROM t)) ORDER BY ' +
    first +
    'j.run_at, j.id LIMIT shares.most FOR UPDATE OF j SKIP LOCKED'
  )
}

/** What is taken of `places`, when all of it is `plain`, and the row of leases. */
function takenOf(places: string, plain: string): string {
  return (
    ', found AS MATERIALIZED (SELECT shares.ord, f.* FROM fit JOIN shares ON fit.settles ' +
    `CROSS JOIN LATERAL (${places}) f LIMIT @limit::bigint)${plain}, ` +
    'taken AS (UPDATE millrace_job j SET state = 3, epoch = epoch + 1, worker_id = @worker, claimed_at = (SELECT now FROM t), ' +
    'lease_until = (SELECT now FROM t) + @lease::bigint, left_in_line = CASE WHEN j.expires_at IS NULL THEN @left::int ELSE 0 END ' +
    'WHERE (SELECT claims FROM plain) AND j.ctid = ANY (ARRAY(SELECT spot FROM found)) ' +
    `RETURNING ${TAKEN_COLUMNS}), ` +
    'leased AS (INSERT INTO millrace_lease (id, until_at, job_ids) SELECT @claim::uuid, (SELECT now FROM t) + @lease::bigint, ' +
    'array_agg(id) FROM taken HAVING count(*) > 0 RETURNING ctid AS spot)'
  )
}
