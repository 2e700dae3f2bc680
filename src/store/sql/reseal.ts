/** Walks every job that carries sealed bytes, so that they can be sealed anew under another key. */
import type { ResealResult, SealedBytes, SealedRow } from '../contract/index.ts'
import { bytesOfAll } from './read.ts'
import { BYTES_FIELD, INLINE_BYTES, int, text } from './rows.ts'
import { type Database, rowsJson, type Session, type Transaction } from './session.ts'
import { INSERT_BYTES } from './write.ts'

// Each table gives no more than a page, in the order of its own index: together they would be sorted whole, for each page.
const PAGE =
  '(SELECT id, name, epoch, 0, payload, NULL, error, progress_note FROM millrace_job WHERE id > $1 AND state <> 3 ' +
  'ORDER BY id LIMIT $3) UNION ALL (SELECT id, name, epoch, 1, payload, result, error, progress_note ' +
  'FROM millrace_archive WHERE id > $2 ORDER BY id LIMIT $3) ORDER BY id LIMIT $3'
const ATTEMPT_ERRORS =
  'SELECT job_id, attempt, error, epoch FROM millrace_attempt WHERE job_id IN LIST($1 text) AND error IS NOT NULL'
const LOG_MESSAGES = 'SELECT job_id, seq, message FROM millrace_log WHERE job_id IN LIST($1 text)'
const SAME = [
  'SELECT 1 FROM millrace_job WHERE id = $1 AND epoch = $2 AND state <> 3 FOR UPDATE',
  'SELECT 1 FROM millrace_archive WHERE id = $1 AND epoch = $2 FOR UPDATE',
] as const
const SET_LIVE = {
  payload: 'UPDATE millrace_job SET payload = $1 WHERE id = $2',
  error: 'UPDATE millrace_job SET error = $1 WHERE id = $2',
  progress: 'UPDATE millrace_job SET progress_note = $1 WHERE id = $2',
} as const
const SET_ARCHIVED = {
  payload: 'UPDATE millrace_archive SET payload = $1 WHERE id = $2',
  result: 'UPDATE millrace_archive SET result = $1 WHERE id = $2',
  error: 'UPDATE millrace_archive SET error = $1 WHERE id = $2',
  progress: 'UPDATE millrace_archive SET progress_note = $1 WHERE id = $2',
} as const
const DROP_BYTES = 'DELETE FROM millrace_bytes WHERE job_id = $1 AND field = $2'
const SET_ATTEMPT = 'UPDATE millrace_attempt SET error = $1 WHERE job_id = $2 AND epoch = $3'
const SET_LOG = 'UPDATE millrace_log SET message = $1 WHERE job_id = $2 AND seq = $3'

interface Page {
  readonly rows: readonly (SealedRow & { readonly epoch: number; readonly isArchived: boolean })[]
  readonly next: string | null
}

/** Reads a page, asks `visit` for new bytes, and writes each row that did not change meanwhile in a transaction of its own. */
export async function reseal(
  db: Database,
  cursor: string | null,
  limit: number,
  visit: (row: SealedRow) => Promise<readonly SealedBytes[]> | readonly SealedBytes[],
): Promise<ResealResult> {
  const page = await db.read((session) => readPage(session, cursor, limit))
  let rewritten = 0
  for (const row of page.rows) {
    const fields = await visit({ id: row.id, name: row.name, fields: row.fields })
    if (fields.length > 0 && (await db.transact((tx) => writeBack(tx, row, fields)))) rewritten++
  }
  return { next: page.next, visited: page.rows.length, rewritten }
}

async function readPage(s: Session, cursor: string | null, limit: number): Promise<Page> {
  const found = (await s.query(PAGE, [cursor ?? '', cursor ?? '', limit])).rows
  const ids = found.map((row) => text(row[0]))
  if (ids.length === 0) return { rows: [], next: null }
  const [bytes, errors, messages] = await Promise.all([
    bytesOfAll(s, ids, true),
    s.query(ATTEMPT_ERRORS, [ids]),
    s.query(LOG_MESSAGES, [ids]),
  ])
  const rows = found.map((row) => {
    const id = text(row[0])
    const epoch = int(row[2])
    const fields: SealedBytes[] = []
    const add = (field: SealedBytes['field'], data: unknown, writtenIn = epoch) => {
      if (data instanceof Uint8Array) fields.push({ field, epoch: writtenIn, bytes: data })
    }
    add('payload', row[4] ?? bytes(id, BYTES_FIELD.payload))
    add('result', row[5] ?? bytes(id, BYTES_FIELD.result))
    add('error', row[6] ?? bytes(id, BYTES_FIELD.error))
    add('progress', row[7])
    add('checkpoint', bytes(id, BYTES_FIELD.checkpoint))
    for (const one of errors.rows) if (one[0] === id) add(`history:${int(one[1])}`, one[2], int(one[3]))
    for (const one of messages.rows) if (one[0] === id) add(`log:${int(one[1])}`, one[2])
    return { id, name: text(row[1]), epoch, isArchived: int(row[3]) === 1, fields }
  })
  return { rows, next: rows.length < limit ? null : (rows.at(-1)?.id ?? null) }
}

async function writeBack(tx: Transaction, row: Page['rows'][number], fields: readonly SealedBytes[]): Promise<boolean> {
  const same = await tx.query(SAME[row.isArchived ? 1 : 0], [row.id, row.epoch])
  if (same.rows.length === 0) return false
  for (const { field, epoch, bytes } of fields) {
    const [kind, number] = field.split(':')
    if (kind === 'history') await tx.query(SET_ATTEMPT, [bytes, row.id, epoch])
    else if (kind === 'checkpoint') await tx.query(INSERT_BYTES, [rowsJson([besideOf(row.id, kind, bytes)])])
    else if (kind === 'log') await tx.query(SET_LOG, [bytes, row.id, Number(number)])
    else if (kind === 'payload' || kind === 'result' || kind === 'error' || kind === 'progress') {
      // A live job keeps its error in its row, however large: it is overwritten there by the next attempt.
      const isOwn = kind === 'progress' || (kind === 'error' && !row.isArchived)
      const isInline = isOwn || bytes.byteLength <= INLINE_BYTES
      if (!isInline) await tx.query(INSERT_BYTES, [rowsJson([besideOf(row.id, kind, bytes)])])
      else if (kind !== 'progress') await tx.query(DROP_BYTES, [row.id, BYTES_FIELD[kind]])
      const inline = isInline ? bytes : null
      if (row.isArchived) await tx.query(SET_ARCHIVED[kind], [inline, row.id])
      else if (kind !== 'result') await tx.query(SET_LIVE[kind], [inline, row.id])
    }
  }
  return true
}

function besideOf(id: string, kind: keyof typeof BYTES_FIELD, data: Uint8Array) {
  return { job_id: id, field: BYTES_FIELD[kind], data }
}
