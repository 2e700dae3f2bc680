/**
 * Rows that cannot be read: damaged, or written past this program with the file's checks turned off. An integer beyond
 * what a number can hold, text where a number belongs, tags that are no JSON. STRICT tables refuse most of it on the way
 * in, but also every later UPDATE of such a row. Mending gives each column a value of its type, so that the row can be
 * archived like any other; whoever mends ends the job, since what it was told to do is not known any more.
 */
import type { Connection } from './connection.ts'

const LAST = '8640000000000000'
const whole = (column: string) => `max(min(coalesce(CAST(${column} AS INTEGER), 0), ${LAST}), -${LAST})`
const wholeOrNull = (column: string) => `CASE WHEN ${column} IS NOT NULL THEN ${whole(column)} END`
const WHOLE = [
  'version',
  'created_at',
  'run_at',
  'attempts',
  'attempt_offset',
  'losses',
  'crashes',
  'epoch',
  'waiting_on',
  'dependents',
]
const WHOLE_OR_NULL = ['expires_at', 'claimed_at', 'lease_until', 'started_at', 'timeout_ms']
const TEXT_OR_NULL = ['reason', 'blocked_on', 'worker_id', 'retry', 'unique_scope', 'unique_key']
const BYTES_OR_NULL = ['progress_note', 'payload', 'error']

/** An id that cannot be written as it was read is replaced: nobody could name the job. */
const MEND = `UPDATE millrace_job SET ${[
  "id = CASE WHEN id = ?2 THEN id ELSE 'unreadable-' || rowid || '-' || hex(randomblob(4)) END",
  "name = CAST(coalesce(name, '') AS TEXT)",
  "queue = CAST(coalesce(queue, '') AS TEXT)",
  `priority = max(min(${whole('priority')}, 100), 0)`,
  "state = CASE WHEN typeof(state) = 'integer' AND state BETWEEN 0 AND 4 THEN state ELSE 0 END",
  'cancelling = coalesce(cancelling, 0) = 1',
  "progress = CASE WHEN typeof(progress) IN ('real', 'integer') THEN progress END",
  "tags = CASE WHEN json_valid(tags) THEN CASE WHEN json_type(tags) = 'array' THEN CAST(tags AS TEXT) END END",
  ...WHOLE.map((column) => `${column} = ${whole(column)}`),
  ...WHOLE_OR_NULL.map((column) => `${column} = ${wholeOrNull(column)}`),
  ...TEXT_OR_NULL.map((column) => `${column} = CAST(${column} AS TEXT)`),
  ...BYTES_OR_NULL.map((column) => `${column} = CAST(${column} AS BLOB)`),
].join(', ')} WHERE rowid = ?1 RETURNING id`
const ROW_OF = 'SELECT rowid FROM millrace_job WHERE id = ?'
const DROP_ARCHIVED = 'DELETE FROM millrace_archive WHERE id = ?'

/** Makes a live row one that every statement can read and write. Returns its id, which is a new one when `id` does not name it. */
export function mendRow(c: Connection, rowid: number | bigint, id: string): string {
  return String(c.first(MEND, rowid, id) ?? id)
}

/** The same by id, and makes room for it in the archive. */
export function mendForArchive(c: Connection, id: string): void {
  const rowid = c.first(ROW_OF, id)
  if (typeof rowid === 'number' || typeof rowid === 'bigint') mendRow(c, rowid, id)
  c.sql(DROP_ARCHIVED).run(id)
}
