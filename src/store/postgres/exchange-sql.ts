/** The statements of the exchange, put together from their parts: what settles, which queues, what claims. */
import { MAX_BATCH_BYTES } from '../../core/batch.ts'

const TIME = 'WITH RECURSIVE t AS MATERIALIZED (SELECT NOW_SQL AS now)'
const SETTLE = settleOf(false)
const FORGET = settleOf(true)
const NO_SETTLE = ', fit AS MATERIALIZED (SELECT true AS settles)'
const NAMED_SHARES = sharesOf('', '')
// Where the last claim ended, within its priority (see streak.ts).
const STREAK_SHARES = sharesOf(
  'v.priority, v.run_at, v.after, ',
  ', @priorities::bigint[], @runAts::bigint[], @afters::text[]',
)
// Every queue with pending jobs, found by one step each; the limit shared evenly, another queue first each time.
const ALL_SHARES =
  ', q (name) AS (SELECT min(queue) FROM millrace_job WHERE state = 2 UNION ALL SELECT (SELECT min(queue) FROM millrace_job ' +
  'WHERE state = 2 AND queue > q.name) FROM q WHERE q.name IS NOT NULL), open AS MATERIALIZED (SELECT name, ' +
  'row_number() OVER (ORDER BY name) AS n, count(*) OVER () AS total FROM q WHERE name IS NOT NULL AND name NOT IN ' +
  '(SELECT name FROM millrace_queue WHERE paused_at IS NOT NULL)), shares AS MATERIALIZED (SELECT name AS queue, ' +
  '(@limit::bigint + total - 1) / total AS most, (n - 1 + total - @turn::bigint % total) % total AS ord FROM open ORDER BY 3)'
const CLAIM = claimOf('', 'j.priority DESC, ')
const STREAK_CLAIM = claimOf(
  'j.priority = shares.priority AND (j.run_at, j.id) > (shares.run_at, shares.after) AND ',
  '',
)
// One row of its own, before those that were taken: told apart by its missing name.
const HEAD =
  ' SELECT (SELECT json_agg(json_build_array(id, epoch))::text FROM millrace_job WHERE cancelling = 1 AND ' +
  'worker_id = @worker AND state = 3) AS id, NULL AS name, t.now AS version'
const NO_JOB =
  ', NULL, NULL::smallint, NULL::bytea, NULL::int, NULL::int, NULL::int, NULL::int, NULL::int, NULL::bigint, ' +
  'NULL::bigint, NULL::bigint, NULL, NULL, fit.settles::int, plain.claims::int::bigint, NULL::bigint FROM fit, plain, t ' +
  'UNION ALL SELECT * FROM taken'
const SETTLED = ', fit.settles::int FROM fit, t'
const IDLE = ', 1 FROM t'

/** The statements, their parameters by name (`@ids`) but for the time's, which is `$1`. */
export const EXCHANGE_SQL = {
  look: TIME + HEAD + IDLE,
  settle: TIME + SETTLE + HEAD + SETTLED,
  forget: TIME + FORGET + HEAD + SETTLED,
  claimNamed: TIME + NO_SETTLE + NAMED_SHARES + CLAIM + HEAD + NO_JOB,
  claimAll: TIME + NO_SETTLE + ALL_SHARES + CLAIM + HEAD + NO_JOB,
  claimOn: TIME + NO_SETTLE + STREAK_SHARES + STREAK_CLAIM + HEAD + NO_JOB,
  bothOn: TIME + SETTLE + STREAK_SHARES + STREAK_CLAIM + HEAD + NO_JOB,
  bothNamed: TIME + SETTLE + NAMED_SHARES + CLAIM + HEAD + NO_JOB,
  bothAll: TIME + SETTLE + ALL_SHARES + CLAIM + HEAD + NO_JOB,
  forgetOn: TIME + FORGET + STREAK_SHARES + STREAK_CLAIM + HEAD + NO_JOB,
  forgetNamed: TIME + FORGET + NAMED_SHARES + CLAIM + HEAD + NO_JOB,
  forgetAll: TIME + FORGET + ALL_SHARES + CLAIM + HEAD + NO_JOB,
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

/**
 * What settles. A row is looked up once and then touched at its place (`ctid`): one that somebody changes meanwhile has another,
 * is not touched, and so is missed; the fence is said again, since servers before the minor releases of November 2025 did not
 * look at the place again after they had waited for such a change. Written as lookups and with a limit, which the planner takes
 * for a few rows: for a table that was empty when the statement was planned it would else walk all of it for each batch.
 * `state + 0`: found by id, never by way of all that run. No ORDER BY: the ids come sorted, and are looked up one by one.
 * `mayForget`: some leave nothing but their id, those of which there is only the row (see `Settlement`).
 */
function settleOf(mayForget: boolean): string {
  const ifSo = (sql: string) => (mayForget ? sql : '')
  return (
    ', s AS MATERIALIZED (SELECT * FROM unnest(@ids::text[], @epochs::bigint[], @runs::bigint[], @results::bytea[]' +
    ifSo(', @forgets::bigint[]') +
    ') AS v(id, epoch, run_ms, result' +
    ifSo(', forget') +
    ')), held AS MATERIALIZED (SELECT f.spot, s.epoch, s.run_ms, ' +
    ifSo('s.forget, ') +
    's.result FROM s CROSS JOIN LATERAL (SELECT j.ctid AS spot FROM millrace_job j WHERE j.id = s.id AND j.epoch = s.epoch ' +
    'AND j.worker_id = @worker AND j.state + 0 = 3 AND j.dependents = 0 AND j.unique_key IS NULL OFFSET 0) f ' +
    'LIMIT cardinality(@ids::text[])), gone AS (DELETE FROM millrace_job j USING held WHERE j.ctid = held.spot ' +
    'AND j.epoch = held.epoch AND j.worker_id = @worker AND j.state + 0 = 3 AND j.dependents = 0 AND j.unique_key IS NULL ' +
    'RETURNING j.*, held.run_ms, held.result' +
    ifSo(
      ', held.forget = 1 AND j.epoch = 1 AND j.payload IS NOT NULL AND ' +
        '(SELECT 1 FROM millrace_log l WHERE l.job_id = j.id LIMIT 1) IS NULL AS is_forgotten',
    ) +
    // What cannot be read as a truth value ends the statement, and undoes it; the sentence is for the server's log.
    '), fit AS MATERIALIZED (SELECT CASE WHEN count(*) = cardinality(@ids::text[]) THEN true ELSE ' +
    "('millrace settles these one by one, plain are only ' || count(*))::boolean END AS settles FROM gone), " +
    'kept AS (INSERT INTO millrace_archive (id, name, version, queue, priority, state, created_at, run_at, attempts, ' +
    'attempt_offset, losses, crashes, epoch, worker_id, started_at, finished_at, progress, progress_note, timeout_ms, retry, ' +
    'tags, payload, result) SELECT id, name, version, queue, priority, 5, created_at, run_at, attempts + 1, attempt_offset, ' +
    'losses, crashes, epoch, worker_id, t.now - run_ms, t.now, progress, progress_note, timeout_ms, retry, tags, payload, ' +
    'result FROM gone, t' +
    ifSo(
      ' WHERE NOT is_forgotten), done AS (INSERT INTO millrace_done (id, done_at) SELECT id, t.now FROM gone, t ' +
        'WHERE is_forgotten ON CONFLICT (id) DO UPDATE SET done_at = excluded.done_at',
    ) +
    ')'
  )
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

/** What is claimed of each queue. `behind`: a further condition; `first`: what the order begins with. */
function claimOf(behind: string, first: string): string {
  return (
    ', found AS MATERIALIZED (SELECT f.*, shares.ord, shares.most FROM fit JOIN shares ON fit.settles CROSS JOIN LATERAL ' +
    '(SELECT j.ctid AS spot, j.losses >= 2 OR j.payload IS NULL AS is_special, octet_length(j.payload) AS size FROM millrace_job j WHERE j.state = 2 ' +
    'AND j.queue = shares.queue AND ' +
    behind +
    'j.name = ANY (@names::text[]) AND (j.expires_at IS NULL OR j.expires_at > ' +
    '(SELECT now FROM t)) ORDER BY ' +
    first +
    'j.run_at, j.id LIMIT shares.most FOR UPDATE OF j SKIP LOCKED) f ' +
    'LIMIT @limit::bigint), ' +
    'plain AS MATERIALIZED (SELECT NOT coalesce(bool_or(is_special), false) AND ' +
    `coalesce(sum(size), 0) <= ${MAX_BATCH_BYTES} AS claims FROM found), ` +
    'taken AS (UPDATE millrace_job j SET state = 3, epoch = epoch + 1, worker_id = @worker, claimed_at = t.now, ' +
    'lease_until = t.now + @lease::bigint FROM found, plain, t WHERE plain.claims AND j.ctid = found.spot ' +
    'RETURNING j.id, j.name, j.version, j.queue, j.priority, j.payload, j.attempts, j.attempt_offset, j.losses, j.crashes, ' +
    'j.epoch, j.created_at, j.run_at, j.timeout_ms, j.retry, j.tags, ' +
    '(j.dependents > 0 OR j.unique_key IS NOT NULL)::int AS is_bound, found.ord, found.most)'
  )
}
