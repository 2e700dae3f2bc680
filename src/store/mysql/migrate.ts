/** Schema versions: reads them, applies what is missing, refuses what is newer than this code. */
import { createHash } from 'node:crypto'
import { StoreError } from '../../core/errors.ts'
import type { SchemaVersion } from '../contract/store.ts'
import { int } from '../sql/rows.ts'
import type { Runner } from './connection.ts'
import type { MysqlDatabase } from './database.ts'
import { MIGRATIONS, VERSION_TABLE } from './schema.ts'

const HAS_TABLE = 'SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name = ?'
const CURRENT = 'SELECT coalesce(max(version), 0) FROM millrace_schema'
const APPLIED = 'INSERT INTO millrace_schema (version, applied_at) VALUES (?, ?)'
const LOCK = 'SELECT get_lock(?, ?)'
const UNLOCK = 'DO release_lock(?)'

/** The version that the database has, and the one this code knows. */
export function schemaVersion(db: MysqlDatabase): Promise<SchemaVersion> {
  return db.pool.use(versionOf)
}

async function versionOf(runner: Runner): Promise<SchemaVersion> {
  const latest = MIGRATIONS.length
  const found = (await runner.execute(HAS_TABLE, ['millrace_schema'])).rows[0]?.[0]
  if (int(found) === 0) return { current: 0, latest }
  return { current: int((await runner.execute(CURRENT, [])).rows[0]?.[0]), latest }
}

/** Applies each missing step under one lock of the server: of many at once the first does the work. */
export async function migrate(db: MysqlDatabase): Promise<readonly number[]> {
  const { current, latest } = await schemaVersion(db)
  refuseNewer(db.pool.where, current, latest)
  if (current === latest) return []
  return db.pool.use(async (connection) => {
    const lock = lockName(db.settings.target.database)
    const { rows } = await connection.execute(LOCK, [lock, Math.max(1, Math.floor(db.settings.deadlineMs / 1000))])
    if (rows[0]?.[0] !== 1) throw waitedError(db.pool.where)
    try {
      const now = await db.nowOn(connection)
      await connection.run(VERSION_TABLE)
      const found = await versionOf(connection)
      const applied: number[] = []
      for (let version = found.current; version < latest; version++) {
        for (const statement of MIGRATIONS[version] ?? []) await connection.run(statement)
        await connection.execute(APPLIED, [version + 1, now])
        applied.push(version + 1)
      }
      return applied
    } finally {
      await connection.execute(UNLOCK, [lock])
    }
  })
}

/** Locks are the server's, not the database's, and their names have 64 letters at most. */
function lockName(database: string): string {
  return `millrace:${createHash('sha256').update(database).digest('base64url')}`
}

function waitedError(where: string): StoreError {
  return new StoreError('transient', 'STORE_BUSY', `${where} is being migrated by somebody else`, {
    fields: { store: where },
    hint: 'Wait for the other migration.',
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
