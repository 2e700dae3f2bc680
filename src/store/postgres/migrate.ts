/**
 * Schema versions: reads them, applies what is missing, refuses what is newer than this code may work on.
 *
 * Each step is one transaction on a connection of its own, without the deadline of other calls: a step over many rows may
 * take long, as long as the server is at work on it (step-watch.ts). Nobody waits in a statement. Of many migrators those who do
 * not get the lock look again in a moment, and a step that waits for a table's lock gives up after a second, since whoever comes
 * after it waits as well, and tries again.
 */
import { crc32 } from 'node:zlib'
import type { MigrationStep, SchemaVersion } from '../contract/store.ts'
import {
  MIGRATION_WAIT_S,
  type Migration,
  migrationPause,
  migrationWaited,
  refuseNewer,
  statementsOf,
} from '../sql/migrations.ts'
import { codeOf } from '../sql/network-error.ts'
import { int } from '../sql/rows.ts'
import type { Session } from '../sql/session.ts'
import { StepWatch } from '../sql/step-watch.ts'
import { Connection } from './connection.ts'
import type { PostgresDatabase } from './database.ts'
import { ident } from './dialect.ts'
import { isConflict, isCrowded } from './errors.ts'
import { transactionLimits } from './limits.ts'
import { MIGRATIONS, OLDEST, VERSION_TABLE } from './schema.ts'

/** The steps of this version. */
export const STEPS: readonly Migration[] = MIGRATIONS.map((script, i) => ({
  statements: statementsOf(script),
  oldest: OLDEST[i] ?? i + 1,
}))

// Not to_regclass, which remembers from before the lock that there was no such table.
const HAS_TABLE =
  "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'schema'"
const HAS_SCHEMA = 'SELECT 1 FROM pg_namespace WHERE nspname = $1'
const CURRENT = 'SELECT version, oldest FROM millrace_schema ORDER BY version DESC LIMIT 1'
/** One migrator at a time in a schema. The first number means nothing; the lock goes with the transaction. And who runs that. */
const LOCK = 'SELECT pg_try_advisory_xact_lock(730580440, $1::integer), pg_backend_pid()'
/** Where the server does not note what sessions do, one that is there is taken to be at work. */
const AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND coalesce(state, '') NOT LIKE 'idle%'"
const SERVER_MS = 'floor(extract(epoch FROM clock_timestamp()) * 1000)'
const CONNECT_MS = 10_000
const LONGEST_MS = 86_400_000
/** As in our sessions, for one behind a pooler: the role's own limits would end a long step. */
const LIMITS = transactionLimits(LONGEST_MS)
/** Whoever comes after a step that waits for a table's lock waits behind it. */
// allow sql: constants and numbers
const PATIENCE = `${LIMITS}; SET LOCAL lock_timeout = '1s'; SET LOCAL enable_seqscan = on`
const LOCK_NOT_AVAILABLE = '55P03'

/** See `Store.schemaVersion`. */
export function schemaVersion(db: PostgresDatabase, steps: readonly Migration[]): Promise<SchemaVersion> {
  return db.read((session) => versionOf(db, session, steps))
}

/** The same on a connection that is in use. */
export async function versionOf(
  db: PostgresDatabase,
  session: Session,
  steps: readonly Migration[],
): Promise<SchemaVersion> {
  const latest = steps.length
  if (!(await has(session, HAS_TABLE, db.settings.schema))) return { current: 0, latest, oldest: 0 }
  const [row] = (await session.query(CURRENT)).rows
  return { current: int(row?.[0]), latest, oldest: int(row?.[1]) }
}

/** See `Store.plan`. */
export async function plan(
  db: PostgresDatabase,
  steps: readonly Migration[],
  from?: number,
): Promise<readonly MigrationStep[]> {
  if (from !== undefined) return planFrom(db, steps, from, from > 0)
  return await db.read(async (session) => {
    const version = await versionOf(db, session, steps)
    refuseNewer(db.pool.where, version)
    return planFrom(db, steps, version.current, await has(session, HAS_SCHEMA, db.settings.schema))
  })
}

function planFrom(
  db: PostgresDatabase,
  steps: readonly Migration[],
  from: number,
  hasSchema: boolean,
): readonly MigrationStep[] {
  return steps.slice(from).map((_, i) => {
    const statements = statementsFor(db, steps, from + i, hasSchema || i > 0)
    return { version: from + i + 1, statements: ['BEGIN', ...statements, 'COMMIT'] }
  })
}

/** See `Store.migrate`. */
export async function migrate(db: PostgresDatabase, steps: readonly Migration[]): Promise<readonly number[]> {
  const version = await schemaVersion(db, steps)
  refuseNewer(db.pool.where, version)
  if (version.current >= version.latest) return []
  return db.pool.apart(async () => {
    const connection = await Connection.open({ ...db.settings, deadlineMs: LONGEST_MS }, CONNECT_MS)
    try {
      return await applyAll(db, new Migrator(db, connection), steps)
    } finally {
      await connection.close()
    }
  })
}

/** The migration's connection, whose statements are watched. */
class Migrator {
  readonly connection: Connection
  readonly #watch: StepWatch<Connection>
  /** The server's number of the session in which the transaction runs: behind a pooler it is known from within. */
  pid = 0

  constructor(db: PostgresDatabase, connection: Connection) {
    this.connection = connection
    this.#watch = new StepWatch({
      where: db.pool.where,
      deadlineMs: db.settings.deadlineMs,
      connect: (timeoutMs, signal) => Connection.open(db.settings, timeoutMs, signal),
      isAtWork: async (other) => int((await other.query(AT_WORK, [this.pid])).rows[0]?.[0]) > 0,
      isCrowded,
      ...(db.settings.pooler === 'transaction' && { queueMs: MIGRATION_WAIT_S * 1000 }),
      giveUp: () => connection.destroy(),
    })
  }

  query: Connection['query'] = (text, values) => this.#watch.over(this.connection.query(text, values))

  run(text: string): Promise<void> {
    return this.#watch.over(this.connection.run(text))
  }
}

async function applyAll(db: PostgresDatabase, migrator: Migrator, steps: readonly Migration[]) {
  const applied: number[] = []
  const until = performance.now() + MIGRATION_WAIT_S * 1000
  for (;;) {
    const done = await attempt(db, migrator, steps)
    if (done === 'none is missing') return applied
    if (done !== 'busy') applied.push(done)
    else if (performance.now() > until) throw migrationWaited(db.pool.where, MIGRATION_WAIT_S)
    else await migrationPause()
  }
}

/** Applies the next step, when the lock and the tables are to be had. */
async function attempt(
  db: PostgresDatabase,
  migrator: Migrator,
  steps: readonly Migration[],
): Promise<number | 'busy' | 'none is missing'> {
  const session = db.sessionOn(migrator)
  try {
    await migrator.run('BEGIN ISOLATION LEVEL READ COMMITTED')
    await migrator.run(PATIENCE)
    const { schema } = db.settings
    const [locked] = (await session.query(LOCK, [crc32(schema) | 0])).rows
    const isOurs = int(locked?.[0]) === 1
    migrator.pid = int(locked?.[1])
    const { current, latest } = await versionOf(db, session, steps)
    if (current >= latest || !isOurs) {
      await migrator.run('ROLLBACK')
      return current >= latest ? 'none is missing' : 'busy'
    }
    const hasSchema = await has(session, HAS_SCHEMA, schema)
    for (const statement of statementsFor(db, steps, current, hasSchema)) await migrator.query(statement)
    await migrator.run('COMMIT')
    return current + 1
  } catch (error) {
    const { connection } = migrator
    if (!connection.isBroken) await migrator.run('ROLLBACK').catch(() => connection.destroy())
    if (codeOf(error) === LOCK_NOT_AVAILABLE || isConflict(error)) return 'busy'
    throw error
  }
}

/** What brings a store from version `from` to the next, as the server takes it. */
function statementsFor(
  db: PostgresDatabase,
  steps: readonly Migration[],
  from: number,
  hasSchema: boolean,
): readonly string[] {
  const step = steps[from]
  if (step === undefined) return []
  // allow sql: a quoted name
  const schema = hasSchema ? [] : [`CREATE SCHEMA IF NOT EXISTS ${ident(db.settings.schema)}`]
  const table = from === 0 ? [VERSION_TABLE] : []
  // allow sql: numbers of our own
  const done = `INSERT INTO millrace_schema (version, applied_at, oldest) VALUES (${from + 1}, ${SERVER_MS}, ${step.oldest})`
  return [...schema, ...[...table, ...step.statements, done].map((text) => db.dialect.compile(text))]
}

async function has(session: Session, question: string, name: string): Promise<boolean> {
  return (await session.query(question, [name])).rows.length > 0
}
