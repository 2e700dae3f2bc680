/** Walks every job that carries sealed bytes, so that they can be sealed anew under another key. */
import type { ResealResult, SealedBytes, SealedRow } from '../contract/index.ts'
import { BYTES_FIELD, INLINE_BYTES, int, text } from '../sql/rows.ts'
import type { Connection } from './connection.ts'
import { INSERT_BYTES } from './finish.ts'
import { bytesOf } from './read.ts'

const PAGE =
  'SELECT id, name, epoch, 0, payload, NULL, error, progress_note, state FROM millrace_job WHERE id > ?1 AND state <> 3 ' +
  'UNION ALL SELECT id, name, epoch, 1, payload, result, error, progress_note, state FROM millrace_archive WHERE id > ?1 ' +
  'ORDER BY id LIMIT ?2 + 0'
const ATTEMPT_ERRORS = 'SELECT attempt, error, epoch FROM millrace_attempt WHERE job_id = ? AND error IS NOT NULL'
const LOG_MESSAGES = 'SELECT seq, message, attempt FROM millrace_log WHERE job_id = ?'
const SAME =
  'SELECT 1 FROM millrace_job WHERE id = ?1 AND epoch = ?2 AND state <> 3 UNION ALL SELECT 1 FROM millrace_archive WHERE id = ?1 AND epoch = ?2'
const SET_LIVE = {
  payload: 'UPDATE millrace_job SET payload = ?2 WHERE id = ?1',
  error: 'UPDATE millrace_job SET error = ?2 WHERE id = ?1',
  progress: 'UPDATE millrace_job SET progress_note = ?2 WHERE id = ?1',
} as const
const SET_ARCHIVED = {
  payload: 'UPDATE millrace_archive SET payload = ?2 WHERE id = ?1',
  result: 'UPDATE millrace_archive SET result = ?2 WHERE id = ?1',
  error: 'UPDATE millrace_archive SET error = ?2 WHERE id = ?1',
  progress: 'UPDATE millrace_archive SET progress_note = ?2 WHERE id = ?1',
} as const
const DROP_BYTES = 'DELETE FROM millrace_bytes WHERE job_id = ? AND field = ?'
const SET_ATTEMPT = 'UPDATE millrace_attempt SET error = ?3 WHERE job_id = ?1 AND epoch = ?2'
const SET_LOG = 'UPDATE millrace_log SET message = ?3 WHERE job_id = ?1 AND seq = ?2'

interface Page {
  readonly rows: readonly (SealedRow & { readonly epoch: number; readonly isArchived: boolean })[]
  readonly next: string | null
}

/** Reads a page, asks `visit` for new bytes, and writes each row that did not change meanwhile in a transaction of its own. */
export async function reseal(
  c: Connection,
  cursor: string | null,
  limit: number,
  visit: (row: SealedRow) => Promise<readonly SealedBytes[]> | readonly SealedBytes[],
): Promise<ResealResult> {
  const page = c.read(() => readPage(c, cursor, limit))
  let rewritten = 0
  for (const row of page.rows) {
    const fields = await visit({ id: row.id, name: row.name, fields: row.fields })
    if (fields.length > 0 && (await c.write(() => writeBack(c, row, fields)))) rewritten++
  }
  return { next: page.next, visited: page.rows.length, rewritten }
}

function readPage(c: Connection, cursor: string | null, limit: number): Page {
  const rows = c.all(PAGE, cursor ?? '', limit).map((row) => {
    const id = text(row[0])
    const epoch = int(row[2])
    const fields: SealedBytes[] = []
    const add = (field: SealedBytes['field'], bytes: unknown, writtenIn = epoch) => {
      if (bytes instanceof Uint8Array) fields.push({ field, epoch: writtenIn, bytes })
    }
    add('payload', row[4] ?? bytesOf(c, id, BYTES_FIELD.payload))
    add('result', row[5] ?? bytesOf(c, id, BYTES_FIELD.result))
    add('error', row[6] ?? bytesOf(c, id, BYTES_FIELD.error))
    add('progress', row[7])
    add('checkpoint', bytesOf(c, id, BYTES_FIELD.checkpoint))
    for (const attempt of c.all(ATTEMPT_ERRORS, id)) add(`history:${int(attempt[0])}`, attempt[1], int(attempt[2]))
    for (const line of c.all(LOG_MESSAGES, id)) add(`log:${int(line[0])}`, line[1])
    return { id, name: text(row[1]), epoch, isArchived: int(row[3]) === 1, fields }
  })
  return { rows, next: rows.length < limit ? null : (rows.at(-1)?.id ?? null) }
}

function writeBack(c: Connection, row: Page['rows'][number], fields: readonly SealedBytes[]): boolean {
  if (c.get(SAME, row.id, row.epoch) === undefined) return false
  for (const { field, epoch, bytes } of fields) {
    const [kind, number] = field.split(':')
    if (kind === 'history') c.sql(SET_ATTEMPT).run(row.id, epoch, bytes)
    else if (kind === 'checkpoint') c.sql(INSERT_BYTES).run(row.id, BYTES_FIELD.checkpoint, bytes)
    else if (kind === 'log') c.sql(SET_LOG).run(row.id, Number(number), bytes)
    else if (kind === 'payload' || kind === 'result' || kind === 'error' || kind === 'progress') {
      // A live job keeps its error in its row, however large: it is overwritten there by the next attempt.
      const isOwn = kind === 'progress' || (kind === 'error' && !row.isArchived)
      const isInline = isOwn || bytes.byteLength <= INLINE_BYTES
      if (!isInline) c.sql(INSERT_BYTES).run(row.id, BYTES_FIELD[kind], bytes)
      else if (kind !== 'progress') c.sql(DROP_BYTES).run(row.id, BYTES_FIELD[kind])
      const inline = isInline ? bytes : null
      if (row.isArchived) c.sql(SET_ARCHIVED[kind]).run(row.id, inline)
      else if (kind !== 'result') c.sql(SET_LIVE[kind]).run(row.id, inline)
    }
  }
  return true
}
