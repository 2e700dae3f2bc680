/** What can be wrong with a file that works: indexes that somebody dropped, and durability that was traded for speed. */
import type { Diagnosis } from '../contract/index.ts'
import { indexesOf, missingIndex, notDurable } from '../sql/diagnose.ts'
import type { Migration } from '../sql/migrations.ts'
import { int, text } from '../sql/rows.ts'
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
