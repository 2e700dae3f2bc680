/**
 * Where the last claim ended in each queue, so that the next one under load need not begin at the head of the index.
 *
 * Claims leave their jobs in line (schema.ts), those that ended leave dead entries until the table is vacuumed, and a claim that
 * begins at the head reads past all of them: those of every worker, so that with each worker all claims grow dearer. So claims
 * of those who are busy go on where the last one ended, whoever made it, within its priority. A job that became claimable at
 * an earlier place meanwhile (of a higher priority, given back, of a queue that had nothing) is met by the next claim from the
 * head: that is each 100 ms, or ten times what such a claim took, for all workers together, and whenever a claim gets less than
 * it asked for.
 *
 * A row of `millrace_cursor` is such a place, of one queue and the names that are claimed, since whoever claims other names has to
 * look at what this one passed over. The row of the queue '' tells which queues those go on in who ask for all. All of it is a hint: a
 * row that somebody else is writing is left as it is, and one that is wrong costs a look at the head.
 */

/** No queue has this name: its row tells of those who ask for all queues. */
const ALL_QUEUES = "''"
const MIN_MS = 100
/** Of the time, a tenth at most goes into claims from the head. */
const SHARE = 10
/** So long claims go on at most; later than that says only a clock that was set back since. */
const MAX_MS = 5_000
const TOOK_MS = '(1000 * extract(epoch FROM clock_timestamp() - statement_timestamp()))::bigint'
const NEXT_HEAD = `t.now + least(${MAX_MS}, greatest(${MIN_MS}, ${SHARE} * ${TOOK_MS}))`
const IS_TIME = `(@restart::bigint = 0 AND c.until_at > t.now AND c.until_at <= t.now + ${MAX_MS})`

/** Which queues are gone on in by those who ask for all; no row when it is time to look for others. */
export const ON_LINE =
  `, line AS MATERIALIZED (SELECT c.queues FROM millrace_cursor c, t WHERE c.queue = ${ALL_QUEUES} AND ` +
  `c.names_hash = @hash::text AND ${IS_TIME})`
/** Whether they are looked for. */
export const RESTARTED = '(SELECT count(*) FROM line) = 0'
/** Of a share: where it goes on, if it does. */
export const ON_COLUMNS = `c.priority, c.run_at, c.after_id, coalesce(${IS_TIME}, false) AS goes_on`
/** Its cursor. */
export const ON_JOIN =
  'LEFT JOIN LATERAL (SELECT * FROM millrace_cursor c WHERE c.queue = o.queue AND c.names_hash = @hash::text) AS c ON true'
/** A job that stands behind it. */
export const BEHIND = 'j.priority = shares.priority AND (j.run_at, j.id) > (shares.run_at, shares.after_id)'

/** What each share gave, and the place of the last of it. */
export const GIVEN =
  ', given AS MATERIALIZED (SELECT ord, count(*) AS given, bool_or(is_special) AS is_special, sum(size) AS size, ' +
  '(array_agg(spot))[count(*)] AS spot FROM found GROUP BY ord)'
/** Whether the claim was given all that it asked for. */
export const IS_FULL = 'coalesce(sum(given), 0) >= least(@limit::bigint, (SELECT sum(most) FROM shares)) AS is_full'
// Where the claim ended; or that a queue has come to its end, so that nobody else goes on there.
const REACHED =
  ', ends AS MATERIALIZED (SELECT s.queue, s.goes_on, s.most, coalesce(g.given, 0) AS given, g.spot, p.is_full ' +
  'FROM plain p JOIN shares s ON p.claims LEFT JOIN given g ON g.ord = s.ord), ' +
  'reached AS MATERIALIZED (SELECT e.queue, j.priority, j.run_at, j.id AS after_id, NULL::text[] AS queues, ' +
  `CASE WHEN e.goes_on THEN NULL ELSE ${NEXT_HEAD} END AS until_at FROM t, ends e JOIN millrace_job j ON j.ctid = e.spot WHERE e.is_full ` +
  'UNION ALL SELECT e.queue, NULL, NULL, NULL, NULL, 0 FROM ends e WHERE e.goes_on AND e.given < e.most AND NOT e.is_full'
const REACHED_ALL =
  `${REACHED} UNION ALL SELECT ${ALL_QUEUES}, 0, 0, '', (SELECT array_agg(queue) FROM ends WHERE given > 0), ${NEXT_HEAD} FROM t ` +
  `WHERE ${RESTARTED} AND (SELECT bool_and(is_full) FROM ends)`
const WRITTEN =
  '), free AS MATERIALIZED (SELECT c.queue FROM millrace_cursor c WHERE c.names_hash = @hash::text AND ' +
  'c.queue IN (SELECT queue FROM reached) FOR UPDATE SKIP LOCKED), ' +
  'moved AS (UPDATE millrace_cursor c SET priority = coalesce(r.priority, c.priority), run_at = coalesce(r.run_at, c.run_at), ' +
  'after_id = coalesce(r.after_id, c.after_id), queues = coalesce(r.queues, c.queues), until_at = coalesce(r.until_at, c.until_at) ' +
  'FROM reached r JOIN free USING (queue) WHERE c.queue = r.queue AND c.names_hash = @hash::text AND (r.until_at IS NOT NULL OR ' +
  'c.priority = r.priority AND (r.run_at, r.after_id) > (c.run_at, c.after_id))), ' +
  'made AS (INSERT INTO millrace_cursor (queue, names_hash, until_at, priority, run_at, after_id, queues) SELECT queue, @hash::text, ' +
  'until_at, priority, run_at, after_id, queues FROM reached r WHERE r.until_at > 0 AND NOT EXISTS (SELECT 1 FROM millrace_cursor c ' +
  'WHERE c.queue = r.queue AND c.names_hash = @hash::text) ORDER BY queue ON CONFLICT DO NOTHING)'

/** Leaves word of where the claim ended. */
export const MOVE = REACHED + WRITTEN
/** The same of a claim that asked for all queues. */
export const MOVE_ALL = REACHED_ALL + WRITTEN
