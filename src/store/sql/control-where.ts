/** Changes by filter: the ids that match are looked up, then locked, looked at again, and changed as by ids. */
import type { ChangeRequest, ChangeResult } from '../contract/index.ts'
import { cancel, type Guard, remove, retry, update } from './control.ts'
import { text } from './rows.ts'
import type { Database, Transaction } from './session.ts'

/** See `JobsFacet.changeWhere`. */
export async function changeWhere(db: Database, request: ChangeRequest): Promise<ChangeResult> {
  const { filter, change, limit, cursor } = request
  const { search, stillMatching } = await import('./query/index.ts')
  const { words } = db.dialect
  const asked = { filter, order: 'oldest', limit, cursor } as const
  const found = await db.read((s) => search((sql, values) => s.select(sql, values), words, 'ids', asked))
  const ids = found.rows.map((row) => text(row[0]))
  const end = found.next === undefined ? {} : { next: found.next }
  if (ids.length === 0) return { results: [], ...end }
  const { outcomes, wanted } = await db.transact(async (tx) => {
    let still: ReadonlySet<string> = new Set()
    const guard: Guard = async (locked) => {
      still = await stillMatching((sql, values) => tx.select(sql, values), words, filter, locked)
      return still
    }
    const outcomes = await changed(tx, ids, change, guard)
    return { outcomes, wanted: still }
  })
  db.hint()
  const results = ids.flatMap((id, i) => {
    const outcome = outcomes[i]
    return outcome === undefined || !wanted.has(id) ? [] : [{ id, outcome }]
  })
  return { results, ...end }
}

function changed(
  tx: Transaction,
  ids: readonly string[],
  change: ChangeRequest['change'],
  guard: Guard,
): Promise<readonly string[]> {
  switch (change.kind) {
    case 'cancel':
      return cancel(tx, ids, guard)
    case 'retry':
      return retry(tx, ids, guard)
    case 'remove':
      return remove(tx, ids, undefined, guard)
    case 'update':
      return update(tx, ids, change.change, guard)
    default:
      return change satisfies never
  }
}
