/** Reads: one job, pages of jobs, counts, logs, edges. */
import type { EdgeRow, JobFilter, JobRow, ListRequest, ListResult, LogLine } from '../contract/index.ts'
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

/** One page. Cost: O(jobs) in memory, as every filter looks at each job. */
export function list(tables: Tables, { filter, limit, cursor, oldestFirst }: ListRequest): ListResult {
  const from = cursor === undefined ? null : Buffer.from(cursor, 'base64url').toString()
  const matches = matcher(filter)
  const rows: JobRow[] = []
  for (const job of oldestFirst === true ? tables.byId : tables.byId.reversed()) {
    const isBefore = from !== null && (oldestFirst === true ? job.id <= from : job.id >= from)
    if (isBefore || !matches(job)) continue
    const last = rows.at(-1)
    if (rows.length === limit && last !== undefined) return { rows, next: Buffer.from(last.id).toString('base64url') }
    rows.push(toRow(job))
  }
  return { rows }
}

/** How many match, counted no further than the cap. */
export function count(
  tables: Tables,
  filter: JobFilter,
  cap: number,
): { readonly count: number; readonly capped: boolean } {
  const matches = matcher(filter)
  let found = 0
  for (const job of tables.jobs.values()) {
    if (!matches(job)) continue
    if (found === cap) return { count: cap, capped: true }
    found++
  }
  return { count: found, capped: false }
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

function matcher(filter: JobFilter): (job: Job) => boolean {
  const { states, queues, names, tag, createdAfter, createdBefore } = filter
  return (job) =>
    (states === undefined || states.includes(job.state)) &&
    (queues === undefined || queues.includes(job.queue)) &&
    (names === undefined || names.includes(job.name)) &&
    (tag === undefined || job.tags.includes(tag)) &&
    (createdAfter === undefined || job.createdAt > createdAfter) &&
    (createdBefore === undefined || job.createdAt < createdBefore)
}
