/** What can be wrong with a file that works: indexes that somebody dropped, and durability that was traded for speed. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Diagnosis, DiagnosisLimits } from '../contract/index.ts'
import { damagedRows } from '../sql/damaged.ts'
import { indexesOf, missingIndex, notDurable } from '../sql/diagnose.ts'
import type { Migration } from '../sql/migrations.ts'
import { int, text } from '../sql/rows.ts'
import type { SqlValue, Statement } from '../sql/session.ts'
import type { Connection } from './connection.ts'

const INDEXES = "SELECT name FROM sqlite_master WHERE type = 'index'"
const SYNCHRONOUS = 'PRAGMA synchronous'
const FULL = 2

/** See `Store.diagnose`. */
export function diagnose(c: Connection, steps: readonly Migration[]): readonly Diagnosis[] {
  const known = new Set(c.all(INDEXES).map((row) => text(row[0])))
  const missing = indexesOf(steps)
    .filter(({ name }) => !known.has(name))
    .map(({ name, statement }) => missingIndex(name, statement))
  if (int(c.first(SYNCHRONOUS)) >= FULL) return missing
  const loss = 'a power cut may take the last jobs that were acknowledged; a killed process does not'
  return [...missing, notDurable('durability is normal', 'warning', loss, 'Leave ?durability=normal out of the URL.')]
}

/** A statement of store/sql as SQLite takes it. A bound limit is written `LIMIT ? + 0`: see `Connection.sql`. */
export function said(statement: string): string {
  return statement.replaceAll('$', '?').replace(/LIMIT \?\d/, '$& + 0')
}

/** The damaged rows among live jobs. Between two windows others have their turn on the loop. */
export function damagedIn(c: Connection, limits: DiagnosisLimits): Promise<readonly Diagnosis[]> {
  const query = async (statement: Statement, params: readonly SqlValue[] = []) => {
    await nextTurn()
    // True of what is asked here: texts, no write of many rows, and values that SQLite takes.
    const [sql, values] = [statement as string, params as readonly (string | number | Uint8Array)[]]
    return { rows: c.read(() => c.all(said(sql), ...values)), changes: 0 }
  }
  return damagedRows({ query }, c.now(), limits)
}
