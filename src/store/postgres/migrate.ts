/** Schema versions: reads them, applies what is missing, refuses what is newer than this code. */
import { StoreError } from '../../core/errors.ts'
import type { SchemaVersion } from '../contract/store.ts'
import { int } from '../sql/rows.ts'
import type { Session, Transaction } from '../sql/session.ts'
import type { PostgresDatabase } from './database.ts'
import { ident } from './dialect.ts'
import { MIGRATIONS, VERSION_TABLE } from './schema.ts'

// Not to_regclass, which remembers from before the lock that there was no such table.
const HAS_TABLE =
  "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = 'schema'"
const CURRENT = 'SELECT coalesce(max(version), 0) FROM millrace_schema'
/** One migrator at a time in a database, whatever its schema. The number means nothing; it is released with the transaction. */
const LOCK = 'SELECT pg_advisory_xact_lock(7305804402567)'
const APPLIED = 'INSERT INTO millrace_schema (version, applied_at) VALUES ($1, $2)'
const HAS_SCHEMA = 'SELECT 1 FROM pg_namespace WHERE nspname = $1'

/** See `Store.schemaVersion`. */
export function schemaVersion(db: PostgresDatabase): Promise<SchemaVersion> {
  return db.read((session) => versionOf(db, session))
}

async function versionOf(db: PostgresDatabase, session: Session): Promise<SchemaVersion> {
  const latest = MIGRATIONS.length
  const found = await session.query(HAS_TABLE, [db.settings.schema])
  if (found.rows.length === 0) return { current: 0, latest }
  return { current: int((await session.query(CURRENT)).rows[0]?.[0]), latest }
}

/** Applies each missing step, all in one transaction under one lock: of many at once the first does the work. */
export async function migrate(db: PostgresDatabase): Promise<readonly number[]> {
  const { current, latest } = await schemaVersion(db)
  refuseNewer(db.pool.where, current, latest)
  if (current === latest) return []
  return db.transact(async (tx) => {
    await tx.query(LOCK)
    const found = await versionOf(db, tx)
    if (found.current >= latest) return []
    if ((await tx.query(HAS_SCHEMA, [db.settings.schema])).rows.length === 0) await run(tx, makeSchema(db))
    await run(tx, VERSION_TABLE)
    const applied: number[] = []
    for (let version = found.current; version < latest; version++) {
      await run(tx, MIGRATIONS[version] ?? '')
      await tx.query(APPLIED, [version + 1, tx.now])
      applied.push(version + 1)
    }
    return applied
  })
}

/** Throws when the store was written by a newer Millrace: its rows may mean something else. */
export function refuseNewer(where: string, current: number, latest: number): void {
  if (current <= latest) return
  throw new StoreError(
    'schema',
    'STORE_NEWER',
    `${where} has schema version ${current}; this Millrace knows version ${latest}`,
    { fields: { store: where, current, latest }, hint: 'Update millrace in this program.' },
  )
}

function makeSchema(db: PostgresDatabase): string {
  // allow sql: a quoted name
  return `CREATE SCHEMA IF NOT EXISTS ${ident(db.settings.schema)}`
}

/** Statements one by one: each is sent prepared, which takes one at a time. */
async function run(tx: Transaction, text: string): Promise<void> {
  for (const statement of text.split(';')) if (statement.trim() !== '') await tx.query(statement)
}
