/** Schema versions: reads them, applies what is missing, refuses what is newer than this code may work on. */
import type { MigrationStep, SchemaVersion } from '../contract/store.ts'
import { type Migration, refuseNewer, statementsOf } from '../sql/migrations.ts'
import { columnsOf, int } from '../sql/rows.ts'
import type { Connection } from './connection.ts'
import { MIGRATIONS, OLDEST, VERSION_TABLE } from './schema.ts'

/** The steps of this version. */
export const STEPS: readonly Migration[] = MIGRATIONS.map((script, i) => ({
  statements: statementsOf(script),
  oldest: OLDEST[i] ?? i + 1,
}))

const HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'millrace_schema'"
const CURRENT = 'SELECT version, oldest FROM millrace_schema ORDER BY version DESC LIMIT 1'
const SERVER_MS = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"

/** The version of the file, 0 without tables, and the latest one. */
export function schemaVersion(c: Connection, steps: readonly Migration[]): SchemaVersion {
  const latest = steps.length
  if (c.db.prepare(HAS_TABLE).get() === undefined) return { current: 0, latest, oldest: 0 }
  const row = columnsOf(c.sql(CURRENT).get() ?? [])
  return { current: int(row[0]), latest, oldest: int(row[1]) }
}

/** See `Store.plan`. */
export function plan(c: Connection, steps: readonly Migration[]): readonly MigrationStep[] {
  const version = schemaVersion(c, steps)
  refuseNewer(c.path, version)
  return planFrom(steps, version.current)
}

/** The steps after a version, whatever the file has. */
export function planFrom(steps: readonly Migration[], from: number): readonly MigrationStep[] {
  return steps.slice(from).map((_, i) => ({
    version: from + i + 1,
    statements: ['BEGIN IMMEDIATE', ...statementsFor(steps, from + i), 'COMMIT'],
  }))
}

/** Applies each missing step, each in one write transaction: of many at once the first does the work. */
export async function migrate(c: Connection, steps: readonly Migration[]): Promise<readonly number[]> {
  const version = c.read(() => schemaVersion(c, steps))
  refuseNewer(c.path, version)
  const applied: number[] = []
  for (let { current } = version; current < steps.length; ) {
    const from = current
    current = await c.write(() => {
      const now = schemaVersion(c, steps).current
      if (now !== from) return now
      for (const statement of statementsFor(steps, from)) c.db.exec(statement)
      applied.push(from + 1)
      return from + 1
    })
  }
  return applied
}

/** What brings a store from version `from` to the next. */
function statementsFor(steps: readonly Migration[], from: number): readonly string[] {
  const step = steps[from]
  if (step === undefined) return []
  // allow sql: numbers of our own
  const done = `INSERT INTO millrace_schema (version, applied_at, oldest) VALUES (${from + 1}, ${SERVER_MS}, ${step.oldest})`
  return [...(from === 0 ? [VERSION_TABLE] : []), ...step.statements, done]
}
