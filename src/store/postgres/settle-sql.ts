/**
 * What settles, in the statements of the exchange. Each job is touched at the place where its claim left it (`ctid`), which the
 * worker's store remembers; looking it up again by its id was a quarter of what settling it cost. A row that somebody changed
 * since has another place and is missed, and so is one that is changed meanwhile; the fence is said all the same, since a place
 * may hold another job by now, and since servers before the minor releases of November 2025 did not look at the place again
 * after they had waited for such a change. A place that is not known is looked up. `state + 0`: never by way of all that run. The
 * limit is one for the planner, which takes it for few rows. No ORDER BY: the ids come sorted.
 */

const FENCE =
  'j.epoch = held.epoch AND j.worker_id = @worker AND j.state + 0 = 3 AND j.dependents = 0 AND j.unique_key IS NULL'
// What cannot be read as a truth value ends the statement, and undoes it; the sentence is for the server's log.
const OTHERWISE = "('millrace settles these otherwise, plain are only ' || count(*))::boolean"
const LOG_OF_ANY =
  'EXISTS (SELECT 1 FROM millrace_log l WHERE l.job_id >= (@ids::text[])[1] AND ' +
  'l.job_id <= (@ids::text[])[cardinality(@ids::text[])]) AND EXISTS (SELECT 1 FROM unnest(@ids::text[]) AS v(id) ' +
  'JOIN millrace_log l ON l.job_id = v.id)'
/** Ids of about the same time share a row: see `sql/remembered.ts`. */
const REMEMBER =
  'INSERT INTO millrace_done (first_id, last_id, done_at, ids) SELECT min(id), max(id), t.now, ' +
  'CASE WHEN count(*) > 1 THEN array_agg(id) END FROM gone, t'
const TOGETHER = ' GROUP BY left(id, 10), t.now'

/** Every job goes to the archive. */
export const SETTLE = settleOf(false)
/** Those that may, and of which there is only the row, leave nothing but their id (see `Settlement`). */
export const FORGET = settleOf(true)
/** All of them leave nothing but their id; it settles none when there is more than its row of any. */
export const VANISH =
  heldOf('', '') +
  `gone AS (DELETE FROM millrace_job j USING held WHERE j.ctid = held.spot AND j.id = held.id AND ${FENCE} AND j.epoch = 1 ` +
  'AND j.payload IS NOT NULL RETURNING j.id), fit AS MATERIALIZED (SELECT CASE WHEN count(*) = cardinality(@ids::text[]) ' +
  `AND NOT (${LOG_OF_ANY}) THEN true ELSE ${OTHERWISE} END AS settles FROM gone), done AS (${REMEMBER}${TOGETHER})`

function heldOf(columns: string, arrays: string): string {
  return (
    ', held AS MATERIALIZED (SELECT coalesce(v.spot, (SELECT i.ctid FROM millrace_job i WHERE i.id = v.id)) AS spot, ' +
    `v.id, v.epoch${columns.replaceAll(', ', ', v.')} FROM unnest(@spots::tid[], @ids::text[], @epochs::bigint[]${arrays}) ` +
    `AS v(spot, id, epoch${columns}) LIMIT cardinality(@ids::text[])), `
  )
}

function settleOf(mayForget: boolean): string {
  const ifSo = (sql: string) => (mayForget ? sql : '')
  return (
    heldOf(
      `, run_ms, result${ifSo(', forget')}`,
      `, @runs::bigint[], @results::bytea[]${ifSo(', @forgets::bigint[]')}`,
    ) +
    `gone AS (DELETE FROM millrace_job j USING held WHERE j.ctid = held.spot AND j.id = held.id AND ${FENCE} ` +
    'RETURNING j.*, held.run_ms, held.result' +
    ifSo(
      ', held.forget = 1 AND j.epoch = 1 AND j.payload IS NOT NULL AND ' +
        '(SELECT 1 FROM millrace_log l WHERE l.job_id = j.id LIMIT 1) IS NULL AS is_forgotten',
    ) +
    `), fit AS MATERIALIZED (SELECT CASE WHEN count(*) = cardinality(@ids::text[]) THEN true ELSE ${OTHERWISE} END AS settles ` +
    'FROM gone), kept AS (INSERT INTO millrace_archive (id, name, version, queue, priority, state, created_at, run_at, ' +
    'attempts, attempt_offset, losses, crashes, epoch, worker_id, started_at, finished_at, progress, progress_note, ' +
    'timeout_ms, retry, tags, payload, result) SELECT id, name, version, queue, priority, 5, created_at, run_at, ' +
    'attempts + 1, attempt_offset, losses, crashes, epoch, worker_id, t.now - run_ms, t.now, progress, progress_note, ' +
    'timeout_ms, retry, tags, payload, result FROM gone, t' +
    ifSo(` WHERE NOT is_forgotten), done AS (${REMEMBER} WHERE is_forgotten${TOGETHER}`) +
    ')'
  )
}
