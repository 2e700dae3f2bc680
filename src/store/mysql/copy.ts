/**
 * Rows of a copy, as values of an INSERT. Elsewhere rows are one JSON text for JSON_TABLE, which suits short rows of few columns:
 * MariaDB goes through a row's text again for each column, and bytes in it are hexadecimal, twice as long.
 */
import type { NamedRow } from '../sql/copy-rows.ts'
import { batchesOf, type InsertRows, type RowsInsert } from '../sql/insert-rows.ts'
import { ENTER_BY_LIST } from './ready.ts'

/** How many rows one statement has: few lengths, so that each is prepared once. */
const LENGTHS = [64, 8, 1]
/** The text of each statement by its number of rows. */
const TEXTS = new WeakMap<RowsInsert, Map<number, string>>()

/** Writes rows and, after those of jobs, their places. */
export const insertCopied: InsertRows = async (tx, statement, rows) => {
  if (rows.length === 0) return
  const names = Object.keys(statement.columns)
  const valuesOf = (row: NamedRow) => names.map((name) => row[name] ?? null)
  await Promise.all(
    batchesOf(rows, LENGTHS).map((some) => tx.query(textOf(statement, some.length), some.flatMap(valuesOf))),
  )
  if (statement.table === 'job') await tx.query(ENTER_BY_LIST, [rows.map(({ id }) => String(id))])
}

function textOf(statement: RowsInsert, count: number): string {
  const known = TEXTS.get(statement) ?? new Map<number, string>()
  TEXTS.set(statement, known)
  const text = known.get(count) ?? madeText(statement, count)
  known.set(count, text)
  return text
}

function madeText({ table, columns, key: [key = ''] }: RowsInsert, count: number): string {
  const names = Object.keys(columns)
  const row = (_: unknown, i: number) => `(${names.map((_name, k) => `$${i * names.length + k + 1}`).join(', ')})`
  const values = Array.from({ length: count }, row).join(', ')
  // allow sql: names of tables and columns from the constants of store/sql
  return `INSERT INTO millrace_${table} (${names.join(', ')}) VALUES ${values} ON DUPLICATE KEY UPDATE ${key} = millrace_${table}.${key}`
}
