/** Edges of a ledger: read as far as an end may reach, changed in memory, written back together. */
import type { EdgePolicy } from '../contract/index.ts'
import { text } from './rows.ts'
import { type RowsStatement, rowsJson, type Transaction } from './session.ts'

const OF_PARENTS = 'SELECT parent_id, child_id, policy FROM millrace_edge WHERE parent_id IN LIST($1 text)'
const OF_CHILDREN = 'SELECT parent_id, child_id, policy FROM millrace_edge WHERE child_id IN LIST($1 text)'
/** The statements that read edges, for a driver that has to say them in another way. */
export const EDGE_STATEMENTS = { OF_PARENTS, OF_CHILDREN } as const
const TYPES = { parent_id: 'text', child_id: 'text' } as const
const INSERT: RowsStatement = {
  write: 'insert',
  table: 'edge',
  columns: { ...TYPES, policy: 'text' },
  key: ['parent_id', 'child_id'],
  onTaken: 'fail',
}
const DELETE: RowsStatement = { write: 'delete', table: 'edge', key: TYPES }

/** The edges that a ledger works with. */
export class Edges {
  readonly #tx: Transaction
  readonly #children = new Map<string, Map<string, EdgePolicy>>()
  readonly #parents = new Map<string, Set<string>>()
  readonly #added = new Map<string, { parentId: string; childId: string; policy: EdgePolicy }>()
  readonly #dropped = new Map<string, { parentId: string; childId: string }>()

  constructor(tx: Transaction) {
    this.#tx = tx
  }

  /**
   * Reads the edges of jobs that may end badly (`ending`) or complete, and of all that may end with them. Returns every job
   * that this touches. What was read before is read again: only what is read under the lock of a parent is final.
   */
  async read(ending: readonly string[], completing: readonly string[]): Promise<readonly string[]> {
    const touched = new Set<string>()
    const seen = new Set<string>()
    let ends: readonly string[] = ending
    let completes: readonly string[] = completing
    while (ends.length + completes.length > 0) {
      for (const id of [...ends, ...completes]) seen.add(id)
      const ending = new Set(ends)
      const [down, up] = await Promise.all([
        this.#tx.query(OF_PARENTS, [[...ends, ...completes]]),
        ends.length === 0 ? { rows: [] } : this.#tx.query(OF_CHILDREN, [ends]),
      ])
      for (const id of [...ends, ...completes]) this.#forget(id)
      const next = new Set<string>()
      for (const row of down.rows) {
        const [parentId, childId, policy] = this.#add(row)
        touched.add(childId)
        if (ending.has(parentId) && policy !== 'proceed' && !seen.has(childId)) next.add(childId)
      }
      for (const row of up.rows) touched.add(this.#add(row)[0])
      ends = [...next]
      completes = []
    }
    return [...touched]
  }

  #add(row: readonly unknown[]): readonly [string, string, EdgePolicy] {
    const [parentId, childId] = [text(row[0]), text(row[1])]
    // Only inserts write this column.
    const policy = text(row[2]) as EdgePolicy
    if (!this.#dropped.has(`${parentId} ${childId}`)) this.#link(parentId, childId, policy)
    return [parentId, childId, policy]
  }

  /** What an earlier reading found may be gone by now; what was added here stays. */
  #forget(parentId: string): void {
    for (const childId of this.#children.get(parentId)?.keys() ?? []) {
      if (this.#added.has(`${parentId} ${childId}`)) continue
      this.#children.get(parentId)?.delete(childId)
      this.#parents.get(childId)?.delete(parentId)
    }
  }

  #link(parentId: string, childId: string, policy: EdgePolicy): void {
    const children = this.#children.get(parentId) ?? new Map<string, EdgePolicy>()
    this.#children.set(parentId, children.set(childId, policy))
    const parents = this.#parents.get(childId) ?? new Set<string>()
    this.#parents.set(childId, parents.add(parentId))
  }

  /** The edges from a parent, by the children's ids. */
  childrenOf(parentId: string): readonly (readonly [string, EdgePolicy])[] {
    return [...(this.#children.get(parentId) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  parentsOf(childId: string): readonly string[] {
    return [...(this.#parents.get(childId) ?? [])]
  }

  add(parentId: string, childId: string, policy: EdgePolicy): void {
    this.#link(parentId, childId, policy)
    this.#added.set(`${parentId} ${childId}`, { parentId, childId, policy })
  }

  drop(parentId: string, childId: string): void {
    this.#children.get(parentId)?.delete(childId)
    this.#parents.get(childId)?.delete(parentId)
    const name = `${parentId} ${childId}`
    if (!this.#added.delete(name)) this.#dropped.set(name, { parentId, childId })
  }

  async write(): Promise<void> {
    const rowOf = (edge: { parentId: string; childId: string }) => ({
      parent_id: edge.parentId,
      child_id: edge.childId,
    })
    if (this.#dropped.size > 0) await this.#tx.query(DELETE, [rowsJson([...this.#dropped.values()].map(rowOf))])
    if (this.#added.size === 0) return
    const added = [...this.#added.values()].map((edge) => ({ ...rowOf(edge), policy: edge.policy }))
    await this.#tx.query(INSERT, [rowsJson(added)])
  }
}
