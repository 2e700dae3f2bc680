/** What must be true of a store's file at any moment, whoever was killed while writing it. */
import { DatabaseSync } from 'node:sqlite'

/** Each statement finds rows that must not be. */
const FAULTS: Readonly<Record<string, string>> = {
  'a job that is both live and archived': 'SELECT id FROM millrace_job WHERE id IN (SELECT id FROM millrace_archive)',
  'an edge of a parent that does not live':
    'SELECT parent_id, child_id FROM millrace_edge WHERE parent_id NOT IN (SELECT id FROM millrace_job)',
  'an edge to a child that does not live':
    'SELECT parent_id, child_id FROM millrace_edge WHERE child_id NOT IN (SELECT id FROM millrace_job)',
  'a child that counts its parents wrongly':
    'SELECT id, waiting_on FROM millrace_job j WHERE waiting_on <> (SELECT count(*) FROM millrace_edge WHERE child_id = j.id)',
  'a parent that counts its children wrongly':
    'SELECT id, dependents FROM millrace_job j WHERE dependents <> (SELECT count(*) FROM millrace_edge WHERE parent_id = j.id)',
  'a child that is blocked by nobody':
    "SELECT id FROM millrace_job WHERE state = 0 AND reason = 'parents' AND waiting_on = 0",
  'a child that does not wait for its living parents':
    "SELECT id, state FROM millrace_job WHERE waiting_on > 0 AND (state <> 0 OR reason IS NOT 'parents')",
  'a unique key of a job that does not exist':
    'SELECT scope, key FROM millrace_unique WHERE job_id NOT IN (SELECT id FROM millrace_job) ' +
    'AND job_id NOT IN (SELECT id FROM millrace_archive)',
  'a unique key without a window that outlives its job':
    'SELECT scope, key FROM millrace_unique WHERE until IS NULL AND job_id NOT IN (SELECT id FROM millrace_job)',
  'a living job whose unique key nobody holds':
    'SELECT id FROM millrace_job j WHERE unique_key IS NOT NULL AND NOT EXISTS ' +
    '(SELECT 1 FROM millrace_unique WHERE scope = j.unique_scope AND key = j.unique_key)',
  'a lease without a running job or the reverse':
    'SELECT id, state FROM millrace_job WHERE (state = 3) <> (worker_id IS NOT NULL) OR (state = 3) <> (lease_until IS NOT NULL)',
  'a payload that is nowhere':
    'SELECT id FROM (SELECT id, payload FROM millrace_job UNION ALL SELECT id, payload FROM millrace_archive) j ' +
    'WHERE payload IS NULL AND NOT EXISTS (SELECT 1 FROM millrace_bytes WHERE job_id = j.id AND field = 1)',
  'a payload that is in its row and beside it':
    'SELECT id FROM (SELECT id, payload FROM millrace_job UNION ALL SELECT id, payload FROM millrace_archive) j ' +
    'WHERE payload IS NOT NULL AND EXISTS (SELECT 1 FROM millrace_bytes WHERE job_id = j.id AND field = 1)',
  'bytes, attempts or log lines of a job that does not exist':
    'SELECT job_id FROM (SELECT job_id FROM millrace_bytes UNION SELECT job_id FROM millrace_attempt UNION SELECT job_id ' +
    'FROM millrace_log) WHERE job_id NOT IN (SELECT id FROM millrace_job) AND job_id NOT IN (SELECT id FROM millrace_archive)',
}

/** Every fault of the file at this path, as sentences with the rows; empty: all is well. The tables must be there. */
export function invariantFaults(path: string): readonly string[] {
  const db = new DatabaseSync(path, { timeout: 10_000 })
  try {
    const integrity = db.prepare('PRAGMA integrity_check').all()
    const isSound = JSON.stringify(integrity) === '[{"integrity_check":"ok"}]'
    const faults = Object.entries(FAULTS).flatMap(([name, sql]) => {
      const rows = db.prepare(sql).all()
      return rows.length === 0 ? [] : [`${name}: ${JSON.stringify(rows.slice(0, 5))} (${rows.length})`]
    })
    return isSound ? faults : [`integrity_check: ${JSON.stringify(integrity)}`, ...faults]
  } finally {
    db.close()
  }
}
