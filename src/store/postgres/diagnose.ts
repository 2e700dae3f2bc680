/** What can be wrong with a store on PostgreSQL. Reads statistics and catalogues only. */
import type { Diagnosis, DiagnosisLimits } from '../contract/index.ts'
import { damagedRows, type OwnLook, quoted } from '../sql/damaged.ts'
import {
  clockOffset,
  connectionsFew,
  connectionsNear,
  indexesOf,
  limitsOf,
  missingIndex,
  notDurable,
  oldTransaction,
  tablesOf,
  tlsUnverified,
  warning,
} from '../sql/diagnose.ts'
import type { Migration } from '../sql/migrations.ts'
import { int, text } from '../sql/rows.ts'
import { isLocal } from '../sql/server-url.ts'
import type { Session } from '../sql/session.ts'
import type { PostgresDatabase } from './database.ts'
import { statementMs } from './limits.ts'
import type { PostgresSettings } from './options.ts'

// A session of another user shows its times only to who may read all statistics. A vacuum has a snapshot, too, which no other
// vacuum goes by, and is nothing to be ended.
const TRANSACTIONS =
  "SELECT pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, ''), " +
  'extract(epoch FROM clock_timestamp() - xact_start)::float8 FROM pg_stat_activity WHERE datname = current_database() ' +
  "AND pid <> pg_backend_pid() AND (backend_xmin IS NOT NULL OR state LIKE 'idle in transaction%') " +
  'AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum) ' +
  "AND xact_start < clock_timestamp() - $1::float8 * interval '1 millisecond' ORDER BY xact_start LIMIT 5"
const DEAD =
  'SELECT relname, n_dead_tup, n_live_tup FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = ANY ($2::text[]) ' +
  'AND n_dead_tup > $3::float8 ORDER BY n_dead_tup DESC'
const NOT_VACUUMED =
  'SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_options_to_table(c.reloptions) o ' +
  'WHERE n.nspname = $1 AND c.relname = ANY ($2::text[]) AND ' +
  // The cast of another option's value would fail, and nothing says which condition is looked at first.
  "CASE WHEN o.option_name = 'autovacuum_enabled' THEN NOT o.option_value::boolean END ORDER BY 1"
const INDEXES =
  'SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid ' +
  'JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1'
const SETTINGS =
  "SELECT current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes'), " +
  "current_setting('max_connections')::bigint, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), " +
  "current_setting('autovacuum'), current_setting('track_counts'), current_setting('default_transaction_isolation'), " +
  // Kept for superusers, and from version 16 on for whoever is given them.
  "current_setting('superuser_reserved_connections')::bigint + coalesce(current_setting('reserved_connections', true), '0')::bigint, " +
  "current_setting('statement_timeout')"

/** Running jobs that no row of leases names (leases.ts): their leases never end. */
const UNNOTED =
  'SELECT id FROM millrace_job WHERE state = 3 AND id > $1 AND id <= $2 ' +
  'AND id NOT IN (SELECT unnest(job_ids) FROM millrace_lease)'

const NOTE = 'INSERT INTO millrace_lease (id, until_at, job_ids)'

/** The statements of this file that read rows of jobs, for the test of their plans. */
export const DIAGNOSE_STATEMENTS = { UNNOTED } as const

/** Tables on the way of every claim. The others are vacuumed when a share of their rows is dead, so a large one has many. */
const ON_THE_WAY: ReadonlySet<string> = new Set(['job', 'lease', 'front'])
/** Autovacuum comes when a fifth of a table is dead, unless it is told otherwise. */
const TOO_DEAD = 0.3
/** Beside its pool a program has one connection that listens. */
const LISTENING = 1

/** See `Store.diagnose`. */
export async function diagnose(
  db: PostgresDatabase,
  steps: readonly Migration[],
  given: Partial<DiagnosisLimits>,
): Promise<readonly Diagnosis[]> {
  const limits = limitsOf(given)
  const now = await db.time()
  const found = await db.read(async (session) => [
    ...(await transactions(session, limits)),
    ...(await deadRows(db, session, steps, limits)),
    ...(await indexes(db, session, steps)),
    ...(await settings(db, session, steps, now, limits)),
  ])
  const damaged = await damagedRows(eachByItself(db), now, limits, lookForLeases(db))
  return [...found, ...damaged, ...unverified(db.settings), ...(await clockOffset(() => db.time(), limits))]
}

/** Each statement has a call's time to itself. */
function eachByItself(db: PostgresDatabase): Session {
  return { query: (statement, params) => db.read((session) => session.query(statement, params)) }
}

function lookForLeases(db: PostgresDatabase): OwnLook {
  return async (session, above, upTo) => {
    const { rows } = await session.query(UNNOTED, [above, upTo])
    return rows.map((row) => {
      const id = text(row[0])
      // allow sql: an id, quoted, in a statement that is shown and not run
      const fix = `${db.dialect.compile(NOTE)} VALUES (gen_random_uuid(), 0, ARRAY[${quoted(id)}]);`
      const what = 'runs, and nothing says when its lease ends, so nobody takes it back'
      return { id, what, fix, keepsFromEnd: true }
    })
  }
}

/** A server elsewhere that the URL does not let prove who it is. */
function unverified({ target }: PostgresSettings): readonly Diagnosis[] {
  if (isLocal(target.host) || target.sslmode.startsWith('verify-')) return []
  const fix = 'Leave sslmode out of the URL, or say sslmode=verify-full; for an authority of your own add ca=FILE.'
  return [tlsUnverified(target.host, `sslmode=${target.sslmode}`, target.sslmode === 'require', fix)]
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
  steps: readonly Migration[],
  { deadRows }: DiagnosisLimits,
): Promise<readonly Diagnosis[]> {
  const { rows } = await session.query(DEAD, [db.settings.schema, tablesOf(steps), deadRows])
  return rows.flatMap((row) => {
    const [table, dead, live] = [text(row[0]), int(row[1]), int(row[2])]
    const isOnTheWay = ON_THE_WAY.has(table)
    if (!isOnTheWay && dead < live * TOO_DEAD) return []
    const message =
      `the table ${table} holds ${dead} dead rows beside ${live} live ones: ` +
      (isOnTheWay ? 'claims step over them' : 'what reads it steps over them, and it only grows')
    // allow sql: a name from the constants of the schema, shown and not run
    const fix = `${db.dialect.compile(`VACUUM millrace_${table}`)}; and look for old transactions, or autovacuum that is off.`
    return [warning('DEAD_ROWS', message, fix)]
  })
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

async function settings(
  db: PostgresDatabase,
  session: Session,
  steps: readonly Migration[],
  now: number,
  limits: DiagnosisLimits,
): Promise<readonly Diagnosis[]> {
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
  found.push(...(await autovacuum(db, session, steps, row[5] === 'off', row[6] === 'off')))
  if (row[7] !== 'read committed') {
    const message = `the sessions here begin at ${text(row[7])}, where statements that meet fail instead of waiting for each other`
    const fix = "ALTER ROLE CURRENT_USER SET default_transaction_isolation = 'read committed';"
    found.push(warning('NOT_READ_COMMITTED', message, fix))
  }
  found.push(...connectionsNear(int(row[4]), int(row[3]), limits))
  // Behind a pooler the connections of programs are the pooler's, and so are the sessions.
  if (db.settings.pooler === 'transaction') {
    return row[9] === '0' ? [...found, timeoutOff(db.settings.deadlineMs)] : found
  }
  const most = int(row[3]) - int(row[8])
  return [...found, ...(await connectionsFew(session, now, db.settings.pool + LISTENING, most, limits))]
}

/** Transactions and writes bring their own limits along (database.ts); what only reads has those of the session. */
function timeoutOff(deadlineMs: number): Diagnosis {
  const message =
    'statement_timeout is off for the sessions behind the pooler: a read that its caller has given up goes on, with what it costs'
  // allow sql: a number, in a statement that is shown and not run
  const fix = `ALTER ROLE CURRENT_USER SET statement_timeout = ${statementMs(deadlineMs)}; then, at the console of PgBouncer: RECONNECT;`
  return warning('TIMEOUT_OFF', message, fix)
}

/** Without autovacuum dead rows stay, and claims step over more of them every minute. */
async function autovacuum(
  db: PostgresDatabase,
  session: Session,
  steps: readonly Migration[],
  isOff: boolean,
  isBlind: boolean,
): Promise<readonly Diagnosis[]> {
  const what = 'dead rows stay, and claims become slower all the time'
  const ofServer = [...(isOff ? ['autovacuum'] : []), ...(isBlind ? ['track_counts'] : [])].map((setting) => {
    const message = `${setting} is off on the server, so nothing is vacuumed by itself: ${what}`
    // allow sql: one of two constants, shown and not run
    return warning('AUTOVACUUM_OFF', message, `ALTER SYSTEM SET ${setting} = on; SELECT pg_reload_conf();`)
  })
  const { rows } = await session.query(NOT_VACUUMED, [db.settings.schema, tablesOf(steps)])
  const ofTables = rows.map((row) => {
    // allow sql: a name from the constants of the schema, shown and not run
    const fix = `${db.dialect.compile(`ALTER TABLE millrace_${text(row[0])} RESET (autovacuum_enabled)`)};`
    return warning('AUTOVACUUM_OFF', `autovacuum is off for the table ${text(row[0])}: ${what}`, fix)
  })
  return [...ofServer, ...ofTables]
}
