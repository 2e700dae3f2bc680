/** New jobs: repeated ids, unique keys, dependencies, and what a job is born as. */
import type { InsertResult, NewEdge, NewJob } from '../contract/index.ts'
import { fateOf, finish } from './finish.ts'
import { isEnded, type Job } from './job.ts'
import { keyName, type Tables } from './tables.ts'

/** Inserts one job. Everything that may refuse it is looked at before anything is written. */
export function insertJob(tables: Tables, job: NewJob, now: number): InsertResult {
  const known = tables.jobs.get(job.id)
  if (known !== undefined) return { status: 'existing', id: job.id, state: known.state }
  if (tables.done.has(job.id)) return { status: 'existing', id: job.id, state: 'completed' }
  const refusal = refusalOf(job)
  if (refusal !== null) return { status: 'refused', id: job.id, code: 'STORE_CONSTRAINT', message: refusal }
  const holder = job.unique === undefined ? null : holderOf(tables, job.unique, now)
  if (holder !== null && job.unique?.onConflict !== 'replace') {
    return { status: job.unique?.onConflict === 'reject' ? 'rejected' : 'existing', id: holder.id, state: holder.state }
  }
  const edges = distinct(job.dependsOn ?? [])
  const unknown = edges.find((edge) => !tables.jobs.has(edge.parentId) && !tables.done.has(edge.parentId))
  if (unknown !== undefined) {
    const message = `no job has the id ${unknown.parentId}`
    return { status: 'refused', id: job.id, code: 'PARENT_NOT_FOUND', message }
  }

  // The holder goes first: it, or a job that ends with it, may be a parent of the new one.
  if (holder !== null) displace(tables, holder, now)
  const born = write(tables, job, edges, now)
  return holder === null
    ? { status: 'created', id: job.id, state: born.state }
    : { status: 'replaced', id: job.id, state: born.state, replacedId: holder.id }
}

/** Who holds a key now: its job lives, or its window lasts. */
export function holderOf(
  tables: Tables,
  unique: { readonly scope: string; readonly key: string },
  now: number,
): Job | null {
  const hold = tables.keys.get(keyName(unique.scope, unique.key))
  const job = hold === undefined ? undefined : tables.jobs.get(hold.jobId)
  if (hold === undefined || job === undefined) return null
  return !isEnded(job.state) || (hold.until !== null && hold.until > now) ? job : null
}

function write(tables: Tables, job: NewJob, edges: readonly NewEdge[], now: number): Job {
  const row = newRow(job, now)
  const living: [Job, NewEdge][] = []
  let fate: 'failed' | 'cancelled' | null = null
  for (const edge of edges) {
    const parent = tables.jobs.get(edge.parentId)
    if (parent === undefined) continue
    if (!isEnded(parent.state)) living.push([parent, edge])
    else fate ??= fateOf(parent.state, edge.policy)
  }
  tables.add(row)
  takeKey(tables, job, now)
  if (fate !== null) finish(tables, row, { state: fate, reason: 'parent' }, now)
  else if (living.length > 0) {
    tables.change(row, () => {
      row.state = 'blocked'
      row.reason = 'parents'
      row.waitingOn = living.length
    })
    for (const [parent, edge] of living) tables.addEdge(parent, row.id, edge.policy)
  }
  return row
}

function takeKey(tables: Tables, job: NewJob, now: number): void {
  if (job.unique === undefined) return
  const { scope, key, withinMs } = job.unique
  const until = withinMs === undefined ? null : Math.floor(now + withinMs)
  tables.keys.set(keyName(scope, key), { scope, key, jobId: job.id, until })
}

/** Cancels who held the key: at once while it waits, by asking while it runs; one that has ended is left as it is. */
function displace(tables: Tables, holder: Job, now: number): void {
  if (holder.state === 'processing') holder.cancelling = true
  else if (!isEnded(holder.state)) finish(tables, holder, { state: 'cancelled', reason: 'replaced' }, now)
}

function newRow(job: NewJob, now: number): Job {
  const runAt = Math.floor(job.runAt ?? now + (job.delayMs ?? 0))
  return {
    id: job.id,
    name: job.name,
    version: job.version,
    queue: job.queue,
    priority: job.priority,
    state: runAt > now ? 'scheduled' : 'pending',
    reason: null,
    createdAt: now,
    runAt,
    expiresAt: job.expiresInMs === undefined ? null : Math.floor(now + job.expiresInMs),
    finishedAt: null,
    attempts: 0,
    attemptOffset: 0,
    losses: 0,
    crashes: 0,
    epoch: 0,
    workerId: null,
    claimedAt: null,
    leaseUntil: null,
    cancelling: false,
    progress: null,
    progressNote: null,
    timeoutMs: job.timeoutMs ?? null,
    retry: job.retry ?? null,
    tags: [...(job.tags ?? [])],
    uniqueKey: job.unique?.key ?? null,
    waitingOn: 0,
    dependents: 0,
    payload: job.payload.slice(),
    result: null,
    error: null,
    history: [],
    uniqueScope: job.unique?.scope ?? null,
    startedAt: null,
    blockedOn: null,
    checkpoint: null,
    logs: [],
  }
}

/** The sentence of the constraint that a row breaks, or null. */
function refusalOf(job: NewJob): string | null {
  if (!Number.isInteger(job.priority) || job.priority < 0 || job.priority > 100) {
    return `the priority ${job.priority} is not a whole number from 0 to 100`
  }
  if (!Number.isInteger(job.version)) return `the version ${job.version} is not a whole number`
  return null
}

function distinct(edges: readonly NewEdge[]): readonly NewEdge[] {
  return [...new Map(edges.map((edge) => [edge.parentId, edge])).values()]
}
