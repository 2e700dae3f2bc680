/** Changes by filter: the ids that match are looked up, and changed as by ids where they still match. */
import type { ChangeRequest, ChangeResult } from '../contract/index.ts'
import { text } from '../sql/rows.ts'
import type { Connection } from './connection.ts'
import { cancel, remove, retry, update } from './control.ts'
import { rowsOf, runOn, WORDS } from './read.ts'

/** See `JobsFacet.changeWhere`. */
export async function changeWhere(c: Connection, request: ChangeRequest): Promise<ChangeResult> {
  const { filter, change, limit, cursor } = request
  const { matchingQueries, search } = await import('../sql/query/index.ts')
  const found = await search(runOn(c), WORDS, 'ids', { filter, order: 'oldest', limit, cursor })
  const ids = found.rows.map((row) => text(row[0]))
  const end = found.next === undefined ? {} : { next: found.next }
  if (ids.length === 0) return { results: [], ...end }
  const queries = matchingQueries(WORDS, filter, ids)
  const results = await c.write(() => {
    const still = new Set(queries.flatMap(({ text: sql, values }) => rowsOf(c, sql, values).map((row) => text(row[0]))))
    return ids.filter((id) => still.has(id)).map((id) => ({ id, outcome: changeOne(c, id, change) }))
  })
  return { results, ...end }
}

function changeOne(c: Connection, id: string, change: ChangeRequest['change']): string {
  switch (change.kind) {
    case 'cancel':
      return cancel(c, id)
    case 'retry':
      return retry(c, id)
    case 'remove':
      return remove(c, id)
    case 'update':
      return update(c, id, change.change)
    default:
      return change satisfies never
  }
}
