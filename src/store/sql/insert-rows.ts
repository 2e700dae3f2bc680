/** Many rows of one page of a copy, by few statements, none of them much larger than a mebibyte. */
import type { NamedRow } from './copy-rows.ts'
import { type RowsStatement, rowsJson, type SqlValue, type Transaction } from './session.ts'

/** An insert of many rows that leaves what is there. */
export type RowsInsert = Extract<RowsStatement, { readonly write: 'insert' }>

/** Writes rows. */
export type InsertRows = (tx: Transaction, statement: RowsInsert, rows: readonly NamedRow[]) => Promise<void>

const DROP_BYTES = 'DELETE FROM millrace_bytes WHERE job_id = $1 AND field = $2'
const ONE_BYTES = 'INSERT INTO millrace_bytes (job_id, field, data) VALUES ($1, $2, $3)'
/**
 * Larger values travel as they are, each by itself: as text in a table of rows they would be twice as long, and be read as
 * hexadecimal, which costs a server more than one statement more.
 */
const LARGE_BYTES = 8 * 1024
/** At most so many bytes of values go by one statement, unless one row has more. */
const STATEMENT_BYTES = 1024 * 1024

/** Writes rows as tables of rows, which are one parameter each; all statements are sent together. */
export const insertRows: InsertRows = async (tx, statement, rows) => {
  const isLarge = ({ data }: NamedRow) => data instanceof Uint8Array && data.byteLength >= LARGE_BYTES
  const isOfBytes = statement.table === 'bytes'
  const batches = batchesOf(isOfBytes ? rows.filter((row) => !isLarge(row)) : rows)
  const alone = (isOfBytes ? rows.filter(isLarge) : []).flatMap(({ job_id: id = null, field = null, data = null }) => [
    tx.query(DROP_BYTES, [id, field]),
    tx.query(ONE_BYTES, [id, field, data]),
  ])
  await Promise.all([...batches.map((some) => tx.query(statement, [rowsJson(some)])), ...alone])
}

/** The rows in their order, in batches within the bytes of a statement; `lengths`: each of one of these, from the longest to 1. */
export function batchesOf(rows: readonly NamedRow[], lengths?: readonly number[]): readonly (readonly NamedRow[])[] {
  const batches: (readonly NamedRow[])[] = []
  for (let at = 0; at < rows.length; ) {
    let bytes = 0
    const over = rows.slice(at, at + (lengths?.[0] ?? rows.length)).findIndex((row) => {
      bytes += sizeOf(row)
      return bytes > STATEMENT_BYTES
    })
    const most = Math.max(1, over < 0 ? Math.min(rows.length - at, lengths?.[0] ?? rows.length) : over)
    const length = lengths?.find((one) => one <= most) ?? most
    batches.push(rows.slice(at, at + length))
    at += length
  }
  return batches
}

function sizeOf(row: NamedRow): number {
  return Object.values(row).reduce<number>((sum, value) => sum + lengthOf(value), 0)
}

function lengthOf(value: SqlValue): number {
  return value instanceof Uint8Array ? value.byteLength : typeof value === 'string' ? value.length : 0
}
