/**
 * Schema versions: reads them, applies what is missing, refuses what is newer than this code may work on.
 *
 * The steps run on a connection of their own, without the deadline of other calls but as long as the server is at work on them
 * (step-watch.ts), under one lock of the server that goes with the connection. No transaction spans the making of tables here: a
 * step that was interrupted is run again from its first statement, and what the server says is there already is taken as done. A
 * statement that waits for a table gives up after a second, since whoever comes after it waits as well, and is tried again.
 */
import { createHash } from 'node:crypto'
import type { MigrationStep, SchemaVersion } from '../contract/store.ts'
import { MIGRATION_WAIT_S, type Migration, migrationPause, migrationWaited, refuseNewer } from '../sql/migrations.ts'
import { int } from '../sql/rows.ts'
import { StepWatch } from '../sql/step-watch.ts'
import { Connection } from './connection.ts'
import type { MysqlDatabase } from './database.ts'
import { isConflict, isCrowded, isMade } from './errors.ts'
import type { Runner } from './runner.ts'
import { MIGRATIONS, OLDEST, VERSION_TABLE } from './schema.ts'

/** The steps of this version. */
export const STEPS: readonly Migration[] = MIGRATIONS.map((statements, i) => ({
  statements,
  oldest: OLDEST[i] ?? i + 1,
}))

const HAS_TABLE = 'SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name = ?'
const CURRENT = 'SELECT version, oldest FROM millrace_schema ORDER BY version DESC LIMIT 1'
const SERVER_MS = "timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(3)) DIV 1000"
/** And who has it: behind a proxy the number that the greeting told is the proxy's own. */
const LOCK = 'SELECT get_lock(?, 1), connection_id()'
const UNLOCK = 'DO release_lock(?)'
/** One that has lost its client keeps the lock no longer than a minute. */
const PATIENCE = 'SET SESSION lock_wait_timeout = 1, innodb_lock_wait_timeout = 1, wait_timeout = 60'
const AT_WORK = "SELECT count(*) FROM information_schema.processlist WHERE id = ? AND command <> 'Sleep'"
const CONNECT_MS = 10_000
const LONGEST_MS = 86_400_000

/** The version that the database has, and the one this code knows. */
export function schemaVersion(db: MysqlDatabase, steps: readonly Migration[]): Promise<SchemaVersion> {
  return db.pool.use((runner) => versionOf(runner, steps))
}

async function versionOf(runner: Runner, steps: readonly Migration[]): Promise<SchemaVersion> {
  const latest = steps.length
  const found = (await runner.execute(HAS_TABLE, ['millrace_schema'])).rows[0]?.[0]
  if (int(found) === 0) return { current: 0, latest, oldest: 0 }
  const [row] = (await runner.execute(CURRENT, [])).rows
  return { current: int(row?.[0]), latest, oldest: int(row?.[1]) }
}

/** See `Store.plan`. */
export async function plan(
  db: MysqlDatabase,
  steps: readonly Migration[],
  from?: number,
): Promise<readonly MigrationStep[]> {
  if (from !== undefined) return planFrom(steps, from)
  const version = await schemaVersion(db, steps)
  refuseNewer(db.pool.where, version)
  return planFrom(steps, version.current)
}

function planFrom(steps: readonly Migration[], from: number): readonly MigrationStep[] {
  return steps.slice(from).map((_, i) => ({ version: from + i + 1, statements: statementsFor(steps, from + i) }))
}

/** See `Store.migrate`. */
export async function migrate(db: MysqlDatabase, steps: readonly Migration[]): Promise<readonly number[]> {
  const version = await schemaVersion(db, steps)
  refuseNewer(db.pool.where, version)
  if (version.current >= version.latest) return []
  return db.pool.apart(async () => {
    const connection = await Connection.open({ ...db.settings, deadlineMs: LONGEST_MS }, CONNECT_MS)
    try {
      const migrator = new Migrator(db, connection)
      await migrator.run(PATIENCE)
      return await applyAll(db, migrator, steps)
    } finally {
      await connection.close()
    }
  })
}

/** The migration's connection, whose statements are watched. */
class Migrator implements Runner {
  readonly #connection: Connection
  readonly #watch: StepWatch<Connection>
  /** The server's number of the session in which the statements run. */
  threadId: number

  constructor(db: MysqlDatabase, connection: Connection) {
    this.#connection = connection
    this.threadId = connection.threadId ?? 0
    this.#watch = new StepWatch({
      where: db.pool.where,
      deadlineMs: db.settings.deadlineMs,
      connect: (timeoutMs, signal) => Connection.open(db.settings, timeoutMs, 'work', signal),
      isAtWork: async (other) => int((await other.execute(AT_WORK, [this.threadId])).rows[0]?.[0]) > 0,
      isCrowded,
      giveUp: () => connection.destroy(),
    })
  }

  execute: Runner['execute'] = (text, values) => this.#watch.over(this.#connection.execute(text, values))

  run(text: string): Promise<void> {
    return this.#watch.over(this.#connection.run(text))
  }
}

async function applyAll(db: MysqlDatabase, runner: Migrator, steps: readonly Migration[]) {
  const lock = lockName(db.settings.target.database)
  const until = performance.now() + MIGRATION_WAIT_S * 1000
  for (;;) {
    const [locked] = (await runner.execute(LOCK, [lock])).rows
    runner.threadId = int(locked?.[1])
    if (int(locked?.[0]) === 1) break
    const { current, latest } = await versionOf(runner, steps)
    if (current >= latest) return []
    if (performance.now() > until) throw migrationWaited(db.pool.where, MIGRATION_WAIT_S)
  }
  try {
    const applied: number[] = []
    for (;;) {
      const { current, latest } = await versionOf(runner, steps)
      if (current >= latest) return applied
      for (const statement of statementsFor(steps, current)) await patiently(db, runner, statement, until)
      applied.push(current + 1)
    }
  } finally {
    // Where it cannot be said, the connection ends, and the lock with it.
    await runner.execute(UNLOCK, [lock]).catch(() => undefined)
  }
}

/** Runs a statement as often as it takes to get the locks that it needs. */
async function patiently(db: MysqlDatabase, runner: Runner, statement: string, until: number): Promise<void> {
  for (;;) {
    try {
      return await runner.run(statement)
    } catch (error) {
      if (isMade(error)) return
      if (!isConflict(error)) throw error
      if (performance.now() > until) throw migrationWaited(db.pool.where, MIGRATION_WAIT_S)
      await migrationPause()
    }
  }
}

/** What brings a store from version `from` to the next. */
function statementsFor(steps: readonly Migration[], from: number): readonly string[] {
  const step = steps[from]
  if (step === undefined) return []
  // allow sql: numbers of our own
  const done = `INSERT INTO millrace_schema (version, applied_at, oldest) VALUES (${from + 1}, ${SERVER_MS}, ${step.oldest})`
  return [...(from === 0 ? [VERSION_TABLE] : []), ...step.statements, done]
}

/** Locks are the server's, not the database's, and their names have 64 letters at most. */
function lockName(database: string): string {
  return `millrace:${createHash('sha256').update(database).digest('base64url')}`
}
