/** What must be true of the tables of a store at any moment, whoever was killed while writing them. */
import { readTables, type StoreKind, type Tables } from './tables.ts'

const ALL_JOBS = 'SELECT id, payload FROM millrace_job UNION ALL SELECT id, payload FROM millrace_archive'

/** Each statement finds rows that must not be. A unique key is called as the servers call it. */
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
    "SELECT id, state FROM millrace_job WHERE waiting_on > 0 AND (state <> 0 OR coalesce(reason, '') <> 'parents')",
  'a unique key of a job that does not exist':
    'SELECT scope, unique_key FROM millrace_unique WHERE job_id NOT IN (SELECT id FROM millrace_job) ' +
    'AND job_id NOT IN (SELECT id FROM millrace_archive)',
  'a unique key without a window that outlives its job':
    'SELECT scope, unique_key FROM millrace_unique WHERE until_at IS NULL AND job_id NOT IN (SELECT id FROM millrace_job)',
  'a living job whose unique key nobody holds':
    'SELECT id FROM millrace_job j WHERE j.unique_key IS NOT NULL AND NOT EXISTS ' +
    '(SELECT 1 FROM millrace_unique u WHERE u.scope = j.unique_scope AND u.unique_key = j.unique_key)',
  'a lease without a running job or the reverse':
    'SELECT id, state FROM millrace_job WHERE (state = 3) <> (worker_id IS NOT NULL) OR (state = 3) <> (lease_until IS NOT NULL)',
  'a payload that is nowhere':
    `SELECT id FROM (${ALL_JOBS}) j ` +
    'WHERE payload IS NULL AND NOT EXISTS (SELECT 1 FROM millrace_bytes WHERE job_id = j.id AND field = 1)',
  'a payload that is in its row and beside it':
    `SELECT id FROM (${ALL_JOBS}) j ` +
    'WHERE payload IS NOT NULL AND EXISTS (SELECT 1 FROM millrace_bytes WHERE job_id = j.id AND field = 1)',
  'bytes, attempts or log lines of a job that does not exist':
    'SELECT job_id FROM (SELECT job_id FROM millrace_bytes UNION SELECT job_id FROM millrace_attempt UNION SELECT job_id ' +
    'FROM millrace_log) b WHERE job_id NOT IN (SELECT id FROM millrace_job) AND job_id NOT IN (SELECT id FROM millrace_archive)',
}

const IN_PLACE =
  'r.state = j.state AND r.queue_key = j.queue_key AND r.place = 100 - j.priority AND r.run_at = j.run_at ' +
  'AND r.id = j.id AND r.name = j.name AND r.expires_at <=> j.expires_at'

/** What holds of the tables that only one database has. */
const FAULTS_OF: Readonly<Record<StoreKind, Readonly<Record<string, string>>>> = {
  sqlite: {},
  postgres: {
    'a running job that nobody will look at when its lease ends':
      'SELECT id FROM millrace_job j WHERE state = 3 AND NOT EXISTS ' +
      '(SELECT 1 FROM millrace_lease WHERE until_at <= j.lease_until AND j.id = ANY (job_ids))',
  },
  mysql: {
    'a job that waits and has no place in line': `SELECT id FROM millrace_job j WHERE state <> 3 AND NOT EXISTS (SELECT 1 FROM millrace_ready r WHERE ${IN_PLACE})`,
    'a place in line of no job that waits': `SELECT id FROM millrace_ready r WHERE NOT EXISTS (SELECT 1 FROM millrace_job j WHERE ${IN_PLACE})`,
  },
}

/**
 * Every fault of the tables of the store at a URL, as sentences with the rows; empty: all is well. The tables must be there.
 * Each fault is looked for by one statement, so that what others commit meanwhile is seen whole or not at all.
 */
export function invariantFaults(url: string): Promise<readonly string[]> {
  return readTables(url, async (tables) => {
    const faults = await damage(tables)
    for (const [name, sql] of Object.entries({ ...FAULTS, ...FAULTS_OF[tables.kind] })) {
      const rows = await tables.rows(wordedFor(tables.kind, sql))
      if (rows.length > 0) faults.push(`${name}: ${JSON.stringify(rows.slice(0, 5))} (${rows.length})`)
    }
    return faults
  })
}

/** What SQLite itself finds wrong with its file. A server answers for its own. */
async function damage({ kind, rows }: Tables): Promise<string[]> {
  if (kind !== 'sqlite') return []
  const found = JSON.stringify(await rows('PRAGMA integrity_check'))
  return found === '[{"integrity_check":"ok"}]' ? [] : [`integrity_check: ${found}`]
}

/** SQLite's table of unique keys has two columns of other names. */
function wordedFor(kind: StoreKind, sql: string): string {
  if (kind !== 'sqlite' || !sql.includes('millrace_unique')) return sql
  return sql
    .replace(/\buntil_at\b/, 'until')
    .replace(/\bu\.unique_key\b/, 'u.key')
    .replace('scope, unique_key', 'scope, key')
}
