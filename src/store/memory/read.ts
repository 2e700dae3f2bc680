/** Reads: one job, pages of jobs, counts, logs, edges. */
import { readCursor, writeCursor } from '../../core/filter/cursor.ts'
import { matcherOf } from '../../core/filter/match.ts'
import type { CountResult, EdgeRow, JobFilter, JobRow, ListRequest, ListResult, LogLine } from '../contract/index.ts'
import { isEnded, type Job, toRow } from './job.ts'
import { byText } from './sorted-set.ts'
import type { Tables } from './tables.ts'

/** The job as a row, or null. */
export function get(tables: Tables, id: string): JobRow | null {
  const job = tables.jobs.get(id)
  return job === undefined ? null : toRow(job)
}

/** Those of the jobs that have ended. */
export function finished(tables: Tables, ids: readonly string[]): readonly JobRow[] {
  return [...new Set(ids)].flatMap((id) => {
    const job = tables.jobs.get(id)
    return job !== undefined && isEnded(job.state) ? [toRow(job)] : []
  })
}

/** One page. Cost: O(jobs) in memory, as every filter looks at each job; so a page is always full while there are more. */
export function list(tables: Tables, { filter, limit, cursor, oldestFirst }: ListRequest): ListResult {
  const order = oldestFirst === true ? 'oldest' : 'newest'
  const rows: JobRow[] = []
  for (const job of matching(tables, filter, order, cursor)) {
    const last = rows.at(-1)
    if (rows.length === limit && last !== undefined) return { rows, next: writeCursor(order, last.id) }
    rows.push(toRow(job))
  }
  return { rows }
}

/** How many match, counted no further than the cap. */
export function count(tables: Tables, filter: JobFilter, cap: number, cursor?: string): CountResult {
  let found = 0
  for (const _ of matching(tables, filter, 'oldest', cursor)) {
    if (found === cap) return { count: cap, capped: true }
    found++
  }
  return { count: found, capped: false }
}

/** The jobs of a filter in order, after the cursor. */
export function* matching(
  tables: Tables,
  filter: JobFilter,
  order: 'newest' | 'oldest',
  cursor: string | undefined,
): Generator<Job, void> {
  const from = cursor === undefined ? null : readCursor(order, cursor)
  const matches = matcherOf(filter)
  for (const job of order === 'oldest' ? tables.byId : tables.byId.reversed()) {
    const isBefore = from !== null && (order === 'oldest' ? byText(job.id, from) <= 0 : byText(job.id, from) >= 0)
    if (!isBefore && matches(job)) yield job
  }
}

/** Log lines after a number, in order. */
export function logs(tables: Tables, id: string, afterSeq: number, limit: number): readonly LogLine[] {
  const lines = tables.jobs.get(id)?.logs ?? []
  return lines.filter((line) => line.seq > afterSeq).slice(0, limit)
}

/** The edges that begin or end at a job. */
export function edges(tables: Tables, id: string): readonly EdgeRow[] {
  const rows: EdgeRow[] = []
  for (const parentId of tables.parents.get(id) ?? []) {
    const policy = tables.children.get(parentId)?.get(id)
    if (policy !== undefined) rows.push({ parentId, childId: id, policy })
  }
  for (const [childId, policy] of tables.children.get(id) ?? []) rows.push({ parentId: id, childId, policy })
  return rows.sort((a, b) => byText(a.parentId, b.parentId) || byText(a.childId, b.childId))
}
