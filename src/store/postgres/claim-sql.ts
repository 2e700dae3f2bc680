/**
 * What claims, in the statements of the exchange: which queues, and how many of each. A claim of one who is busy goes on where
 * the last one of all workers ended: see front.ts. The places of what is found go to one scan as a list: see settle-sql.ts.
 */
import { MAX_BATCH_BYTES } from '../../core/batch.ts'
import { IS_BOUND } from '../sql/taken.ts'

/** Which queues are asked: those that are named, or all, from the head; or those that are named, each behind a place or from the head. */
export type Claims = 'Named' | 'All' | 'On'

const HAS_MORE =
  'j.attempts <> 0 OR j.attempt_offset <> 0 OR j.losses <> 0 OR j.crashes <> 0 OR j.timeout_ms IS NOT NULL OR ' +
  `j.retry IS NOT NULL OR j.tags IS NOT NULL OR ${IS_BOUND}`
/** What of a job `j` is sent: see sql/taken.ts; then its place. */
const TAKEN_COLUMNS =
  'j.id, nullif(j.name, @likeName::text), nullif(j.version, @likeVersion::bigint), nullif(j.queue, @likeQueue::text), ' +
  'nullif(j.priority, @likePriority::smallint), j.created_at, nullif(j.run_at, j.created_at), j.payload, nullif(j.epoch, 1), ' +
  `CASE WHEN ${HAS_MORE} THEN json_build_array(j.attempts, j.attempt_offset, j.losses, j.crashes, j.timeout_ms, j.retry, ` +
  `j.tags, (${IS_BOUND})::int)::text END, j.ctid`

const IS_OPEN = 'NOT EXISTS (SELECT 1 FROM millrace_queue p WHERE p.name = o.queue AND p.paused_at IS NOT NULL)'
const NAMED = namedOf('', '')
const ON = namedOf(
  ', priority, run_at, after_id, to_run_at, to_id',
  ', @priorities::bigint[], @runAts::bigint[], @afters::text[], @toRunAts::bigint[], @toIds::text[]',
)
// Every queue with pending jobs, found by one step each; the limit shared evenly, any queue first.
const ALL =
  ', q (name) AS (SELECT min(queue) FROM millrace_job WHERE line = 2 AND state = 2 UNION ALL SELECT (SELECT min(queue) ' +
  'FROM millrace_job WHERE line = 2 AND state = 2 AND queue > q.name) FROM q WHERE q.name IS NOT NULL), ' +
  'ready AS (SELECT queue, row_number() OVER (ORDER BY queue) AS n, count(*) OVER () AS total FROM ' +
  `(SELECT name AS queue FROM q WHERE name IS NOT NULL) AS o WHERE ${IS_OPEN}), ` +
  'shares AS MATERIALIZED (SELECT queue, (@limit::bigint + total - 1) / total AS most, ' +
  '(n - 1 + total - @turn::bigint % total) % total AS ord FROM ready ORDER BY 3)'
const BY_PRIORITY = 'j.priority DESC, '
const AT_HEAD = placesOf('', BY_PRIORITY)
const BEHIND = placesOf(
  'j.priority = shares.priority AND (j.run_at, j.id) > (shares.run_at, shares.after_id) AND ' +
    '(j.run_at, j.id) <= (shares.to_run_at, shares.to_id) AND ',
  '',
)
const NOT_BEHIND = placesOf('shares.priority IS NULL AND ', BY_PRIORITY)
const GOING_ON = `SELECT a.* FROM (${BEHIND}) AS a UNION ALL SELECT b.* FROM (${NOT_BEHIND}) AS b`

/** The parts that claim, by which queues: shares that are asked, jobs that are taken. */
export const CLAIM: Readonly<Record<Claims, string>> = {
  Named: NAMED + takenOf(AT_HEAD),
  All: ALL + takenOf(AT_HEAD),
  On: ON + takenOf(GOING_ON),
}

/** What is told of the queues, in the second column of the first row. */
export const TOLD: Readonly<Record<Claims, string>> = {
  Named: 'NULL::text',
  All: '(SELECT json_agg(json_build_array(queue, most))::text FROM shares)',
  On: 'NULL::text',
}

/** The queues that are asked and open. `columns` and `arrays`: what else is known of each. */
function namedOf(columns: string, arrays: string): string {
  return (
    ', shares AS MATERIALIZED (SELECT o.* FROM unnest(@queues::text[], @mosts::bigint[]' +
    arrays +
    ') WITH ORDINALITY AS o(queue, most' +
    columns +
    `, ord) WHERE ${IS_OPEN} ORDER BY o.ord)`
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

/** What is taken of `places`, when all of it is plain, and the row of leases. */
function takenOf(places: string): string {
  return (
    ', found AS MATERIALIZED (SELECT f.* FROM fit JOIN shares ON fit.settles ' +
    `CROSS JOIN LATERAL (${places}) f LIMIT @limit::bigint), ` +
    'plain AS MATERIALIZED (SELECT NOT coalesce(bool_or(is_special), false) AND ' +
    `coalesce(sum(size), 0) <= ${MAX_BATCH_BYTES} AS claims FROM found), ` +
    'taken AS (UPDATE millrace_job j SET state = 3, epoch = epoch + 1, worker_id = @worker, claimed_at = (SELECT now FROM t), ' +
    'lease_until = (SELECT now FROM t) + @lease::bigint, left_in_line = CASE WHEN j.expires_at IS NULL THEN @left::int ELSE 0 END ' +
    'WHERE (SELECT claims FROM plain) AND j.ctid = ANY (ARRAY(SELECT spot FROM found)) ' +
    `RETURNING ${TAKEN_COLUMNS}), ` +
    'leased AS (INSERT INTO millrace_lease (id, until_at, job_ids) SELECT @claim::uuid, (SELECT now FROM t) + @lease::bigint, ' +
    'array_agg(id) FROM taken HAVING count(*) > 0 RETURNING ctid AS spot)'
  )
}
