/** What front.ts asks the server. Nothing of it has to outlive a crash, so none waits for the disk. */

/** No queue has this name: its row tells which queues those go on in who ask for all. */
export const ALL_QUEUES = ''
/** Between two claims from the head, at least; in milliseconds. */
export const MIN_MS = 100
/** Whoever claims from the head tells when it has; if that never comes, the next one goes after so long. */
const RENEWED_MS = 500
/** And at most: later than that says only a clock that was set back since. */
export const MAX_MS = 5_000

/** Others hold a front for as long as such a statement takes; whoever holds one for longer is not waited for. */
const WAIT_MS = 250

const TIME =
  "WITH t AS MATERIALIZED (SELECT NOW_SQL AS now, set_config('synchronous_commit', 'off', true), " +
  `set_config('lock_timeout', '${WAIT_MS}ms', true))`
const IS_FRESH = `(c.until_at > t.now AND c.until_at <= t.now + ${MAX_MS})`
const OF_THESE = 'c.names_hash = @hash::text'

// Fronts are locked in the order of their names, for as long as such a statement takes. One that is too old is renewed by the
// first who finds it so, who is told nothing of it and claims from the head; the others go on. Below 0: there was too little behind it.
const AHEAD =
  ', cur AS MATERIALIZED (SELECT c.queue, c.until_at, c.priority, c.run_at, c.after_id, a.most FROM t CROSS JOIN asked a JOIN millrace_front c ' +
  `ON c.queue = a.queue AND ${OF_THESE} WHERE NOT EXISTS (SELECT 1 FROM millrace_queue p WHERE p.name = c.queue AND ` +
  'p.paused_at IS NOT NULL) ORDER BY c.queue FOR UPDATE OF c), ' +
  `ahead AS MATERIALIZED (SELECT c.*, ${IS_FRESH} AS is_fresh, n.run_at AS to_run_at, n.id AS to_id FROM t CROSS JOIN cur c ` +
  'LEFT JOIN LATERAL (SELECT j.run_at, j.id FROM millrace_job j WHERE c.until_at > t.now AND j.line = 2 AND j.state = 2 AND ' +
  'j.queue = c.queue AND j.priority = c.priority AND (j.run_at, j.id) > (c.run_at, c.after_id) AND j.name = ANY (@names::text[]) ' +
  'ORDER BY j.run_at, j.id OFFSET c.most - 1 LIMIT 1) AS n ON true), ' +
  'moved AS (UPDATE millrace_front c SET run_at = coalesce(a.to_run_at, c.run_at), after_id = coalesce(a.to_id, c.after_id), ' +
  'head_run_at = CASE WHEN a.is_fresh THEN c.head_run_at ELSE c.run_at END, ' +
  'head_id = CASE WHEN a.is_fresh THEN c.head_id ELSE c.after_id END, ' +
  `until_at = CASE WHEN NOT a.is_fresh THEN t.now + ${RENEWED_MS} WHEN a.to_id IS NULL THEN -t.now ELSE c.until_at END ` +
  `FROM t CROSS JOIN ahead a WHERE c.queue = a.queue AND ${OF_THESE} AND a.until_at > 0) ` +
  'SELECT queue, most, CASE WHEN is_fresh AND to_id IS NOT NULL THEN priority END, run_at, after_id, to_run_at, to_id FROM '
const LINE =
  `, line AS MATERIALIZED (SELECT c.queues, c.until_at FROM t CROSS JOIN millrace_front c WHERE c.queue = '${ALL_QUEUES}' AND ${OF_THESE} FOR UPDATE OF c), ` +
  `renewed AS (UPDATE millrace_front c SET until_at = t.now + ${RENEWED_MS}, head_run_at = c.run_at, head_id = c.after_id FROM t CROSS JOIN line l WHERE ${OF_THESE} AND c.until_at > 0 AND ` +
  `(c.queue = '${ALL_QUEUES}' OR c.queue = ANY (l.queues)) AND NOT ${IS_FRESH.replaceAll('c.', 'l.')}), ` +
  'asked AS MATERIALIZED (SELECT l.queue, (@limit::bigint + l.total - 1) / l.total AS most FROM (SELECT unnest(c.queues) AS queue, ' +
  `cardinality(c.queues) AS total FROM line c, t WHERE ${IS_FRESH}) AS l)`
const NAMED = ', asked AS MATERIALIZED (SELECT * FROM unnest(@queues::text[], @mosts::bigint[]) AS v(queue, most))'
// A claim from the head that ended before the place where others were when it began may have left more there: all go back.
const MOVES =
  `NOT (SELECT ${IS_FRESH} FROM t) OR excluded.priority > c.priority OR ` +
  '(excluded.priority = c.priority AND ((excluded.run_at, excluded.after_id) > (c.run_at, c.after_id) OR ' +
  '(excluded.run_at, excluded.after_id) < (c.head_run_at, c.head_id)))'

/** The statements, their parameters by name but for the time's, which is `$1`. */
export const FRONT_SQL = {
  /** Of each queue that has a front: behind which place and up to which to claim, with no priority where that is at the head. */
  reserveNamed: `${TIME}${NAMED}${AHEAD}ahead`,
  /** The same of the queues that those go on in who ask for all; none: all are looked for. */
  reserveAll: `${TIME}${LINE}${AHEAD}(SELECT a.queue, a.most, h.is_fresh, h.priority, h.run_at, h.after_id, h.to_run_at, h.to_id FROM asked a LEFT JOIN ahead h ON h.queue = a.queue) AS s`,
  /** Where claims from the head ended. */
  place:
    `${TIME} INSERT INTO millrace_front AS c (queue, names_hash, until_at, priority, run_at, after_id, queues) ` +
    'SELECT v.queue, @hash::text, t.now + @forMs::bigint, v.priority, v.run_at, v.after_id, ' +
    `CASE WHEN v.queue = '${ALL_QUEUES}' THEN @all::text[] END FROM t CROSS JOIN ` +
    'unnest(@queues::text[], @priorities::bigint[], @runAts::bigint[], @afters::text[]) AS v(queue, priority, run_at, after_id) ' +
    'ORDER BY v.queue COLLATE "C" ON CONFLICT (queue, names_hash) DO UPDATE SET until_at = excluded.until_at, ' +
    'queues = coalesce(excluded.queues, c.queues), ' +
    ['priority', 'run_at', 'after_id']
      .map((name) => `${name} = CASE WHEN ${MOVES} THEN excluded.${name} ELSE c.${name} END`)
      .join(', '),
} as const
