/**
 * What settles, in the statements of the exchange. Jobs are touched at the places where their claim left them (`ctid`), which
 * the worker's store remembers: looking them up again by id was a quarter of what settling cost. All places go to one scan as
 * a list: joined to a table of places, each row is a scan of its own, which asks the system for the table's length, a system
 * call a job. A place that is not known is looked up.
 *
 * A row that somebody changed since has another place and is missed, and a place may hold another job by now, so nothing is
 * believed: the worker's name, the state and the bonds are conditions, and what was found, in the order of the ids, has to
 * be the very ids with the very epochs that were to be settled. Rows are locked in the order of their places, as
 * leases are extended; elsewhere they are in that of their ids. Where two statements wait for each other, the server ends one
 * after a second, which is run again.
 */

const FREE = 'j.worker_id = @worker AND j.state = 3 AND j.dependents = 0 AND j.unique_key IS NULL'
const PLACES =
  'ARRAY(SELECT coalesce(v.spot, (SELECT i.ctid FROM millrace_job i WHERE i.id = v.id)) ' +
  'FROM unnest(@spots::tid[], @ids::text[]) AS v(spot, id))'
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
const FORGOTTEN =
  '((@forgets::bigint[])[n] = 1 AND epoch = 1 AND payload IS NOT NULL AND ' +
  '(SELECT 1 FROM millrace_log l WHERE l.job_id = f.id LIMIT 1) IS NULL)'

/** Every job goes to the archive. */
export const SETTLE = settleOf(false)
/** Those that may, and of which there is only the row, leave nothing but their id (see `Settlement`). */
export const FORGET = settleOf(true)
/** All of them, at their first claim, leave nothing but their id; it settles none when there is more than its row of any. */
export const VANISH =
  `, gone AS (DELETE FROM millrace_job j WHERE j.ctid = ANY (${PLACES}) AND ${FREE} AND j.epoch = 1 ` +
  'AND j.payload IS NOT NULL RETURNING j.id), fit AS MATERIALIZED (SELECT CASE WHEN array_agg(id ORDER BY id) = @ids::text[] ' +
  `AND NOT (${LOG_OF_ANY}) THEN true ELSE ${OTHERWISE} END AS settles FROM gone), done AS (${REMEMBER}${TOGETHER})`

/** `n`: where a job stands in the lists that the statement is given, which are in the order of the ids. */
function settleOf(mayForget: boolean): string {
  const ifSo = (sql: string) => (mayForget ? sql : '')
  return (
    `, ended AS (DELETE FROM millrace_job j WHERE j.ctid = ANY (${PLACES}) AND ${FREE} RETURNING j.*), ` +
    'gone AS MATERIALIZED (SELECT *' +
    ifSo(`, ${FORGOTTEN} AS is_forgotten`) +
    ' FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM ended) AS f), ' +
    'fit AS MATERIALIZED (SELECT CASE WHEN array_agg(id ORDER BY n) = @ids::text[] ' +
    `AND bool_and(epoch = (@epochs::bigint[])[n]) THEN true ELSE ${OTHERWISE} END AS settles FROM gone), ` +
    'kept AS (INSERT INTO millrace_archive (id, name, version, queue, priority, state, created_at, run_at, ' +
    'attempts, attempt_offset, losses, crashes, epoch, worker_id, started_at, finished_at, progress, progress_note, ' +
    'timeout_ms, retry, tags, payload, result) SELECT id, name, version, queue, priority, 5, created_at, run_at, ' +
    'attempts + 1, attempt_offset, losses, crashes, epoch, worker_id, t.now - (@runs::bigint[])[n], t.now, progress, ' +
    'progress_note, timeout_ms, retry, tags, payload, (@results::bytea[])[n] FROM gone, t' +
    ifSo(` WHERE NOT is_forgotten), done AS (${REMEMBER} WHERE is_forgotten${TOGETHER}`) +
    ')'
  )
}
