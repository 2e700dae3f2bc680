/** Jobs whose rows cannot be read end as failed, reason `unreadable`, so that they hold up nobody. */
import { type Columns, isInt, text } from '../sql/rows.ts'
import type { Connection } from './connection.ts'
import { isConstraint } from './errors.ts'
import { finishLive } from './finish.ts'
import { mendRow } from './mend.ts'

const ROW_OF = 'SELECT rowid FROM millrace_job WHERE id = ?'

/** Fails a live job whose row cannot be read. `rowid` finds it also when its id is a part of the damage. */
export function setAside(c: Connection, rowid: Columns[number] | undefined, id: string, now: number): void {
  if (typeof rowid !== 'number' && typeof rowid !== 'bigint') return
  finishLive(c, mendRow(c, rowid, id), 'failed', 'unreadable', now)
}

/** Runs `write`, which changes one live job; when its row takes no change, the job is set aside and the answer is undefined. */
export function changeOrSetAside<T>(c: Connection, id: string, now: number, write: () => T): T | undefined {
  try {
    return write()
  } catch (error) {
    if (!isConstraint(error)) throw error
    setAside(c, c.first(ROW_OF, id), id, now)
    return undefined
  }
}

/** Tells whether these columns of a row are whole numbers that can be counted with. */
export function areInts(row: Columns, from: number, to: number): boolean {
  for (let i = from; i <= to; i++) if (!isInt(row[i])) return false
  return true
}

/** The ids in the first column of rows. */
export function idsOf(rows: readonly Columns[]): readonly string[] {
  return rows.map((row) => text(row[0]))
}
