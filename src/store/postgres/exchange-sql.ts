/** The statements of the exchange, put together from their parts: what settles (settle-sql.ts), which queues, what claims. */
import { MAX_BATCH_BYTES } from '../../core/batch.ts'
import { FORGET, SETTLE, VANISH } from './settle-sql.ts'

const TIME = 'WITH RECURSIVE t AS MATERIALIZED (SELECT NOW_SQL AS now)'
// Leases all of whose jobs have ended (see leases.ts), with what ends jobs: a claim alone does as little as it can.
const OVER =
  ', over AS (DELETE FROM millrace_lease WHERE ctid = ANY (ARRAY(SELECT l.ctid FROM millrace_lease l WHERE ' +
  'l.ctid = ANY (@overSpots::tid[]) AND l.id = ANY (@over::uuid[]) FOR UPDATE SKIP LOCKED)))'
const BEGIN = TIME + OVER
const NO_SETTLE = ', fit AS MATERIALIZED (SELECT true AS settles)'
const NAMED_SHARES = sharesOf('', '')
// Where the last claim ended, within its priority (see streak.ts).
const STREAK_SHARES = sharesOf(
  'v.priority, v.run_at, v.after, ',
  ', @priorities::bigint[], @runAts::bigint[], @afters::text[]',
)
// Every queue with pending jobs, found by one step each; the limit shared evenly, another queue first each time.
const ALL_SHARES =
  ', q (name) AS (SELECT min(queue) FROM millrace_job WHERE line = 2 AND state = 2 UNION ALL SELECT (SELECT min(queue) ' +
  'FROM millrace_job WHERE line = 2 AND state = 2 AND queue > q.name) FROM q WHERE q.name IS NOT NULL), open AS MATERIALIZED (SELECT name, ' +
  'row_number() OVER (ORDER BY name) AS n, count(*) OVER () AS total FROM q WHERE name IS NOT NULL AND name NOT IN ' +
  '(SELECT name FROM millrace_queue WHERE paused_at IS NOT NULL)), shares AS MATERIALIZED (SELECT name AS queue, ' +
  '(@limit::bigint + total - 1) / total AS most, (n - 1 + total - @turn::bigint % total) % total AS ord FROM open ORDER BY 3)'
const CLAIM = claimOf('', 'j.priority DESC, ')
const STREAK_CLAIM = claimOf(
  'j.priority = shares.priority AND (j.run_at, j.id) > (shares.run_at, shares.after) AND ',
  '',
)
// One row of its own, before those that were taken: told apart by its missing name. Whoever asked for all queues is told
// which they were.
const HEAD =
  ' SELECT (SELECT json_agg(json_build_array(id, epoch))::text FROM millrace_job WHERE cancelling = 1 AND ' +
  'worker_id = @worker AND state = 3) AS id, NULL AS name, t.now AS version'
const SHARES = '(SELECT json_agg(json_build_array(queue, most))::text FROM shares)'
const NO_JOB = jobless('NULL')
const NO_JOB_OF_ALL = jobless(SHARES)
const SETTLED = ', fit.settles::int FROM fit, t'
const IDLE = ', 1 FROM t'

/** The statements, their parameters by name (`@ids`) but for the time's, which is `$1`. */
export const EXCHANGE_SQL = {
  look: TIME + HEAD + IDLE,
  settle: BEGIN + SETTLE + HEAD + SETTLED,
  forget: BEGIN + FORGET + HEAD + SETTLED,
  vanish: BEGIN + VANISH + HEAD + SETTLED,
  claimNamed: TIME + NO_SETTLE + NAMED_SHARES + CLAIM + HEAD + NO_JOB,
  claimAll: TIME + NO_SETTLE + ALL_SHARES + CLAIM + HEAD + NO_JOB_OF_ALL,
  claimOn: TIME + NO_SETTLE + STREAK_SHARES + STREAK_CLAIM + HEAD + NO_JOB,
  bothOn: BEGIN + SETTLE + STREAK_SHARES + STREAK_CLAIM + HEAD + NO_JOB,
  bothNamed: BEGIN + SETTLE + NAMED_SHARES + CLAIM + HEAD + NO_JOB,
  bothAll: BEGIN + SETTLE + ALL_SHARES + CLAIM + HEAD + NO_JOB_OF_ALL,
  forgetOn: BEGIN + FORGET + STREAK_SHARES + STREAK_CLAIM + HEAD + NO_JOB,
  forgetNamed: BEGIN + FORGET + NAMED_SHARES + CLAIM + HEAD + NO_JOB,
  forgetAll: BEGIN + FORGET + ALL_SHARES + CLAIM + HEAD + NO_JOB_OF_ALL,
  vanishOn: BEGIN + VANISH + STREAK_SHARES + STREAK_CLAIM + HEAD + NO_JOB,
  vanishNamed: BEGIN + VANISH + NAMED_SHARES + CLAIM + HEAD + NO_JOB,
  vanishAll: BEGIN + VANISH + ALL_SHARES + CLAIM + HEAD + NO_JOB_OF_ALL,
} as const

/** Which parts a statement is made of. */
export type ExchangeKind = keyof typeof EXCHANGE_SQL

/** A statement with its parameters numbered, and their names in that order (after the time's, which is `$1`). */
export interface Numbered {
  readonly text: string
  readonly names: readonly string[]
}

/** Numbers the parameters. */
export function numbered(text: string): Numbered {
  const names: string[] = []
  const sql = text.replace(/@(\w+)/g, (_, name: string) => {
    if (!names.includes(name)) names.push(name)
    return `$${names.indexOf(name) + 2}`
  })
  return { text: sql, names }
}

/** The queues that were asked for and are open. `columns` and `arrays`: what else is known of each. */
function sharesOf(columns: string, arrays: string): string {
  return (
    ', shares AS MATERIALIZED (SELECT v.queue, v.most, ' +
    columns +
    'v.ord FROM unnest(@queues::text[], @mosts::bigint[]' +
    arrays +
    ') WITH ORDINALITY AS v(queue, most, ' +
    columns.replaceAll('v.', '') +
    'ord) WHERE NOT EXISTS (SELECT 1 FROM millrace_queue p WHERE p.name = v.queue AND p.paused_at IS NOT NULL) ORDER BY v.ord)'
  )
}

/** The first row, as wide as those behind it, and these. `shares`: what is told of the queues. */
function jobless(shares: string): string {
  return (
    `, ${shares}, NULL::smallint, NULL::bytea, NULL::int, NULL::int, NULL::int, NULL::int, NULL::int, NULL::bigint, ` +
    'NULL::bigint, NULL::bigint, NULL, NULL, fit.settles::int, plain.claims::int, (SELECT spot FROM leased) FROM fit, plain, t ' +
    'UNION ALL SELECT * FROM taken'
  )
}

/**
 * What is claimed of each queue. `behind`: a further condition; `first`: what the order begins with. The places go to one scan
 * as a list: see settle-sql.ts.
 */
function claimOf(behind: string, first: string): string {
  return (
    ', found AS MATERIALIZED (SELECT f.* FROM fit JOIN shares ON fit.settles CROSS JOIN LATERAL ' +
    '(SELECT j.ctid AS spot, j.losses >= 2 OR j.payload IS NULL AS is_special, octet_length(j.payload) AS size FROM millrace_job j WHERE j.line = 2 ' +
    'AND j.state = 2 AND j.queue = shares.queue AND ' +
    behind +
    'j.name = ANY (@names::text[]) AND (j.expires_at IS NULL OR j.expires_at > ' +
    '(SELECT now FROM t)) ORDER BY ' +
    first +
    'j.run_at, j.id LIMIT shares.most FOR UPDATE OF j SKIP LOCKED) f ' +
    'LIMIT @limit::bigint), ' +
    'plain AS MATERIALIZED (SELECT NOT coalesce(bool_or(is_special), false) AND ' +
    `coalesce(sum(size), 0) <= ${MAX_BATCH_BYTES} AS claims FROM found), ` +
    'taken AS (UPDATE millrace_job j SET state = 3, epoch = epoch + 1, worker_id = @worker, claimed_at = (SELECT now FROM t), ' +
    'lease_until = (SELECT now FROM t) + @lease::bigint, left_in_line = CASE WHEN j.expires_at IS NULL THEN @left::int ELSE 0 END WHERE (SELECT claims FROM plain) AND ' +
    'j.ctid = ANY (ARRAY(SELECT spot FROM found)) ' +
    'RETURNING j.id, j.name, j.version, j.queue, j.priority, j.payload, nullif(j.attempts, 0), nullif(j.attempt_offset, 0), ' +
    'nullif(j.losses, 0), nullif(j.crashes, 0), j.epoch, j.created_at, j.run_at, j.timeout_ms, j.retry, j.tags, ' +
    'CASE WHEN j.dependents > 0 OR j.unique_key IS NOT NULL THEN 1 END AS is_bound, NULL::int, j.ctid), ' +
    'leased AS (INSERT INTO millrace_lease (id, until_at, job_ids) SELECT @claim::uuid, (SELECT now FROM t) + @lease::bigint, ' +
    'array_agg(id) FROM taken HAVING count(*) > 0 RETURNING ctid AS spot)'
  )
}
