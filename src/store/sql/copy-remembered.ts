/** Remembered ids (`remembered.ts`) as items of a copy, one for each, however many of them share a row. */
import type { CopiedId, CopyPage } from '../contract/index.ts'
import { ALIKE_CHARACTERS } from './remembered.ts'
import { int, text, textOrNull } from './rows.ts'
import { rowsJson, type Session, type Transaction } from './session.ts'

/** `ids`: all of the row with commas between; null: the first one alone. */
const ROWS =
  'SELECT last_id, first_id, done_at, ids FROM millrace_done WHERE last_id >= $1 ORDER BY last_id, first_id LIMIT $2'
const KNOWN = 'SELECT v.id FROM ROWS($1: id text) v WHERE REMEMBERED(v.id)'
const INSERT =
  'INSERT INTO millrace_done (first_id, last_id, done_at, ids) SELECT v.first_id, v.last_id, v.done_at, v.ids ' +
  'FROM ROWS($1: first_id text, last_id text, done_at int, ids text) v'
/** The statements that a driver has to say in another way. */
export const REMEMBERED_STATEMENTS = { ROWS, INSERT } as const

/** So many rows are read first: each has one id or as many as an exchange settles. */
const FIRST_ROWS = 8

interface Row {
  readonly lastId: string
  readonly doneAt: number
  readonly ids: readonly string[]
}

/**
 * A page of remembered ids. Its cursor: the last id of the row that was under way, how many ids were read of it, and how many
 * rows to read next, which is about twice what this page took.
 */
export async function readRemembered(
  session: Session,
  cursor: string | null,
  limit: number,
): Promise<CopyPage<CopiedId>> {
  // As this function wrote it.
  const [from, read, most] = cursor === null ? ['', 0, FIRST_ROWS] : (JSON.parse(cursor) as [string, number, number])
  const rows = (await session.query(ROWS, [from, most])).rows.map(rowOf)
  const items: CopiedId[] = []
  let [at, done] = [from, read]
  let used = 0
  for (const { lastId, doneAt, ids } of rows) {
    const skipped = lastId === at ? done : 0
    const taken = ids.slice(skipped, skipped + limit - items.length)
    items.push(...taken.map((id) => ({ id, doneAt })))
    used++
    at = lastId
    done = skipped + taken.length
    if (done < ids.length) break
  }
  const isMore = used < rows.length || rows.length === most || done < (rows.at(-1)?.ids.length ?? 0)
  const next = [at, done, Math.min(2 * used, limit) + 1]
  return { items, next: isMore ? JSON.stringify(next) : null }
}

/** Writes ids that are not remembered, those that begin alike and were done together in one row. */
export async function writeRemembered(tx: Transaction, items: readonly CopiedId[]): Promise<void> {
  const known = await tx.query(KNOWN, [rowsJson(items.map(({ id }) => ({ id })))])
  const isKnown = new Set(known.rows.map((row) => text(row[0])))
  const alike = new Map<string, CopiedId[]>()
  for (const item of items) {
    if (isKnown.has(item.id)) continue
    const name = `${item.doneAt} ${item.id.slice(0, ALIKE_CHARACTERS)}`
    const some = alike.get(name) ?? []
    some.push(item)
    alike.set(name, some)
  }
  if (alike.size > 0) await tx.query(INSERT, [rowsJson([...alike.values()].map(insertedRow))])
}

function rowOf(row: readonly unknown[]): Row {
  const ids = textOrNull(row[3])
    ?.split(',')
    .filter((id) => id !== '') ?? [text(row[1])]
  return { lastId: text(row[0]), doneAt: int(row[2]), ids }
}

function insertedRow(items: readonly CopiedId[]) {
  const ids = items.map(({ id }) => id).sort()
  const [first = ''] = ids
  return {
    first_id: first,
    last_id: ids.at(-1) ?? first,
    done_at: items[0]?.doneAt ?? 0,
    ids: ids.length > 1 ? ids.join() : null,
  }
}
