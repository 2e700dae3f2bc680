/** Schema versions: reads them, applies what is missing, refuses what is newer than this code. */
import { StoreError } from '../../core/errors.ts'
import type { SchemaVersion } from '../contract/store.ts'
import { columnsOf, int } from '../sql/rows.ts'
import type { Connection } from './connection.ts'
import { MIGRATIONS, VERSION_TABLE } from './schema.ts'

const HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'millrace_schema'"
const CURRENT = 'SELECT coalesce(max(version), 0) FROM millrace_schema'

/** The version of the file, 0 without tables, and the latest one. */
export function schemaVersion(c: Connection): SchemaVersion {
  const exists = c.db.prepare(HAS_TABLE).get() !== undefined
  const current = exists ? int(columnsOf(c.sql(CURRENT).get())[0]) : 0
  return { current, latest: MIGRATIONS.length }
}

/** Applies each missing step; all in one write transaction, so of many at once the first does the work. */
export async function migrate(c: Connection): Promise<readonly number[]> {
  const { current, latest } = c.read(() => schemaVersion(c))
  refuseNewer(c, current, latest)
  if (current === latest) return []
  return c.write(() => {
    c.db.exec(VERSION_TABLE)
    const from = int(columnsOf(c.sql(CURRENT).get())[0])
    const applied: number[] = []
    for (let version = from; version < MIGRATIONS.length; version++) {
      c.db.exec(MIGRATIONS[version] ?? '')
      c.sql('INSERT INTO millrace_schema (version, applied_at) VALUES (?, ?)').run(version + 1, c.now())
      applied.push(version + 1)
    }
    return applied
  })
}

/** Throws when the file was written by a newer Millrace: its rows may mean something else. */
export function refuseNewer(c: Connection, current: number, latest: number): void {
  if (current <= latest) return
  throw new StoreError(
    'schema',
    'STORE_NEWER',
    `${c.path} has schema version ${current}; this Millrace knows version ${latest}`,
    {
      fields: { path: c.path, current, latest },
      hint: 'Update millrace in this program.',
    },
  )
}
