/** What can be wrong with a store on PostgreSQL. Reads statistics and catalogues only. */
import type { Diagnosis, DiagnosisLimits } from '../contract/index.ts'
import {
  clockOffset,
  connectionsNear,
  indexesOf,
  limitsOf,
  missingIndex,
  notDurable,
  oldTransaction,
  warning,
} from '../sql/diagnose.ts'
import type { Migration } from '../sql/migrations.ts'
import { int, text } from '../sql/rows.ts'
import type { Session } from '../sql/session.ts'
import type { PostgresDatabase } from './database.ts'

// A session of another user shows its times only to who may read all statistics.
const TRANSACTIONS =
  "SELECT pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, ''), " +
  'extract(epoch FROM clock_timestamp() - xact_start)::float8 FROM pg_stat_activity WHERE datname = current_database() ' +
  "AND pid <> pg_backend_pid() AND (backend_xmin IS NOT NULL OR state LIKE 'idle in transaction%') " +
  "AND xact_start < clock_timestamp() - $1::float8 * interval '1 millisecond' ORDER BY xact_start LIMIT 5"
const DEAD = "SELECT n_dead_tup, n_live_tup FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = 'job'"
const INDEXES =
  'SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid ' +
  'JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1'
const SETTINGS =
  "SELECT current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes'), " +
  "current_setting('max_connections')::bigint, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"

/** See `Store.diagnose`. */
export async function diagnose(
  db: PostgresDatabase,
  steps: readonly Migration[],
  given: Partial<DiagnosisLimits>,
): Promise<readonly Diagnosis[]> {
  const limits = limitsOf(given)
  const found = await db.read(async (session) => [
    ...(await transactions(session, limits)),
    ...(await deadRows(db, session, limits)),
    ...(await indexes(db, session, steps)),
    ...(await settings(session, limits)),
  ])
  return [...found, ...(await clockOffset(() => db.time(), limits))]
}

async function transactions(session: Session, { transactionMs }: DiagnosisLimits): Promise<readonly Diagnosis[]> {
  const { rows } = await session.query(TRANSACTIONS, [transactionMs])
  return rows.map((row) =>
    oldTransaction(
      `process ${int(row[0])} (user ${text(row[1])}, application ${JSON.stringify(row[2])}, ${text(row[3])})`,
      int(row[4]),
      'vacuum removes no row that died since, and claims become slower',
      `End it there, or: SELECT pg_terminate_backend(${int(row[0])}); and set idle_in_transaction_session_timeout.`,
    ),
  )
}

async function deadRows(
  db: PostgresDatabase,
  session: Session,
  limits: DiagnosisLimits,
): Promise<readonly Diagnosis[]> {
  const [row] = (await session.query(DEAD, [db.settings.schema])).rows
  const [dead, live] = [int(row?.[0]), int(row?.[1])]
  if (dead <= limits.deadRows) return []
  const message = `the hot table holds ${dead} dead rows beside ${live} live ones: claims step over them`
  const fix = `${db.dialect.compile('VACUUM millrace_job')}; and look for old transactions, or autovacuum that is off.`
  return [warning('DEAD_ROWS', message, fix)]
}

async function indexes(
  db: PostgresDatabase,
  session: Session,
  steps: readonly Migration[],
): Promise<readonly Diagnosis[]> {
  const { rows } = await session.query(INDEXES, [db.settings.schema])
  const known = new Map(rows.map((row) => [text(row[0]), int(row[1]) === 1]))
  return indexesOf(steps).flatMap(({ name, statement }): readonly Diagnosis[] => {
    const isValid = known.get(name)
    const concurrently = db.dialect.compile(statement.replace('CREATE INDEX ', 'CREATE INDEX CONCURRENTLY '))
    if (isValid === undefined) return [missingIndex(name, concurrently)]
    if (isValid) return []
    const index = `${db.dialect.compile('millrace_schema').replace(/\.[^.]*$/, '')}.${name}`
    const message = `the index ${name} is invalid, as one that was made halfway is: it costs writes and serves nothing`
    return [{ code: 'INDEX_INVALID', severity: 'problem', message, fix: `REINDEX INDEX CONCURRENTLY ${index};` }]
  })
}

async function settings(session: Session, limits: DiagnosisLimits): Promise<readonly Diagnosis[]> {
  const [row = []] = (await session.query(SETTINGS)).rows
  const found: Diagnosis[] = []
  if (row[0] === 'off') {
    const loss = 'jobs that were acknowledged in the last moment before a crash of the server are lost'
    found.push(notDurable('synchronous_commit is off', 'warning', loss, 'SET synchronous_commit = on for this role.'))
  }
  if (row[1] === 'off') {
    const loss = 'a crash of the machine may destroy the whole database'
    found.push(notDurable('fsync is off', 'problem', loss, 'ALTER SYSTEM SET fsync = on;'))
  }
  if (row[2] === 'off') {
    const loss = 'a crash of the machine may leave pages half written'
    found.push(notDurable('full_page_writes is off', 'problem', loss, 'ALTER SYSTEM SET full_page_writes = on;'))
  }
  return [...found, ...connectionsNear(int(row[4]), int(row[3]), limits)]
}
