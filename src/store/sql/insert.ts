/** New jobs on the slow road: those with a unique key or parents, and all that stand in one batch with them. */
import type { JobState } from '../../core/job/state.ts'
import type { InsertResult, NewEdge, NewJob } from '../contract/index.ts'
import { fateOf, finish } from './finish.ts'
import { isFinalState, Ledger } from './ledger.ts'
import type { LiveJob } from './live-job.ts'
import { BYTES_FIELD, INLINE_BYTES, liveState, STATE, tagsText } from './rows.ts'
import { Restart, type Transaction } from './session.ts'
import { writeLedger } from './write.ts'

/** The sentence of the constraint that a row breaks, or null: a database would end the whole transaction for it. */
export function refusalOf(job: NewJob): string | null {
  if (!Number.isInteger(job.priority) || job.priority < 0 || job.priority > 100) {
    return `the priority ${job.priority} is not a whole number from 0 to 100`
  }
  if (!Number.isSafeInteger(job.version)) return `the version ${job.version} is not a whole number`
  return null
}

/** When a new job is due. */
export function runTime(job: NewJob, now: number): number {
  return Math.floor(job.runAt ?? now + (job.delayMs ?? 0))
}

/**
 * Inserts a batch in order, inside the caller's transaction; one result per job. `isNobodys`: whose ids need not be looked for;
 * one that is there all the same ends in a `Restart`.
 */
export async function insertBound(
  tx: Transaction,
  jobs: readonly NewJob[],
  isNobodys: (job: NewJob) => boolean = () => false,
): Promise<readonly InsertResult[]> {
  const ledger = new Ledger(tx)
  await ledger.keys.lock(jobs.flatMap((job) => (job.unique === undefined ? [] : [job.unique])))
  const replaces = new Set(jobs.flatMap((job) => (job.unique?.onConflict === 'replace' ? [job.unique] : [])))
  const displaced = [...replaces].flatMap(({ scope, key }) => ledger.keys.get(scope, key)?.jobId ?? [])
  const parents = jobs.flatMap((job) => job.dependsOn?.map((edge) => edge.parentId) ?? [])
  // A parent may be the holder that is replaced, and end others that are parents here.
  const toEnd = new Set(displaced)
  const born = new Set(jobs.map((job) => job.id))
  await ledger.lock([...displaced, ...parents.filter((id) => !born.has(id))], (job) =>
    toEnd.has(job.id) ? 'end' : 'touch',
  )
  const unsure = jobs.flatMap((job) => (isNobodys(job) ? [] : [job.id]))
  await ledger.readStates([...unsure, ...parents.filter((id) => !born.has(id)), ...ledger.keys.holders()], true)
  const revived = parents.filter((id) => isLive(ledger.stateOf(id)) && ledger.job(id) === undefined)
  // Known by its id now, or put back by hand between the two readings: it is locked like the others.
  if (revived.length > 0) await ledger.lock(revived, 'touch')
  if (revived.some((id) => ledger.job(id) === undefined)) throw new Restart('a parent ended meanwhile')
  const results = jobs.map((job) => insertOne(ledger, job))
  await writeLedger(ledger)
  return results
}

function insertOne(ledger: Ledger, job: NewJob): InsertResult {
  const known = ledger.stateOf(job.id)
  if (known !== null) return { status: 'existing', id: job.id, state: known }
  const refusal = refusalOf(job)
  if (refusal !== null) return { status: 'refused', id: job.id, code: 'STORE_CONSTRAINT', message: refusal }
  const key = job.unique === undefined ? undefined : ledger.keys.get(job.unique.scope, job.unique.key)
  const holder = ledger.holderOf(key)
  if (holder !== null && job.unique?.onConflict !== 'replace') {
    return { status: job.unique?.onConflict === 'reject' ? 'rejected' : 'existing', id: holder.id, state: holder.state }
  }
  const edges = [...new Map((job.dependsOn ?? []).map((edge) => [edge.parentId, edge])).values()]
  const unknown = edges.find((edge) => ledger.stateOf(edge.parentId) === null)
  if (unknown !== undefined) {
    const message = `no job has the id ${unknown.parentId}`
    return { status: 'refused', id: job.id, code: 'PARENT_NOT_FOUND', message }
  }
  // The holder goes first: it, or a job that ends with it, may be a parent of the new one.
  if (holder !== null) displace(ledger, holder.id)
  const state = bear(ledger, job, edges)
  return holder === null
    ? { status: 'created', id: job.id, state }
    : { status: 'replaced', id: job.id, state, replacedId: holder.id }
}

/** Cancels who held the key: at once while it waits, by asking while it runs; one that has ended is left as it is. */
function displace(ledger: Ledger, holderId: string): void {
  const holder = ledger.live(holderId)
  if (holder === undefined) return
  if (holder.state === STATE.processing) {
    holder.cancelling = true
    holder.isDirty = true
  } else finish(ledger, holder, { state: 'cancelled', reason: 'replaced' })
}

function bear(ledger: Ledger, job: NewJob, edges: readonly NewEdge[]): JobState {
  const living: [LiveJob, NewEdge][] = []
  let fate: 'failed' | 'cancelled' | null = null
  for (const edge of edges) {
    const parent = ledger.live(edge.parentId)
    const state = ledger.stateOf(edge.parentId)
    if (parent !== undefined) living.push([parent, edge])
    else if (state !== null && isFinalState(state)) fate ??= fateOf(state, edge.policy)
  }
  const live = newLiveJob(job, ledger.now)
  ledger.add(live)
  ledger.fresh.push({ job: live, row: newRow(ledger, job) })
  if (job.unique !== undefined) {
    const { scope, key, withinMs } = job.unique
    const until = withinMs === undefined ? null : Math.floor(ledger.now + withinMs)
    ledger.keys.take(ledger.keys.get(scope, key), job.id, until)
  }
  if (fate !== null) {
    finish(ledger, live, { state: fate, reason: 'parent' })
    return fate
  }
  if (living.length > 0) {
    live.state = STATE.blocked
    live.reason = 'parents'
    live.waitingOn = living.length
    for (const [parent, edge] of living) ledger.addEdge(parent, job.id, edge.policy)
  }
  return liveState(live.state)
}

/** What a new row has beside `changedColumns`. */
function newRow(ledger: Ledger, job: NewJob): Ledger['fresh'][number]['row'] {
  const isLarge = job.payload.byteLength > INLINE_BYTES
  if (isLarge) ledger.bytes.push({ id: job.id, field: BYTES_FIELD.payload, data: job.payload })
  return {
    name: job.name,
    version: job.version,
    created_at: ledger.now,
    expires_at: job.expiresInMs === undefined ? null : Math.floor(ledger.now + job.expiresInMs),
    timeout_ms: job.timeoutMs ?? null,
    retry: job.retry ?? null,
    tags: tagsText(job.tags),
    unique_scope: job.unique?.scope ?? null,
    unique_key: job.unique?.key ?? null,
    payload: isLarge ? null : job.payload,
  }
}

function newLiveJob(job: NewJob, now: number): LiveJob {
  const runAt = runTime(job, now)
  return {
    id: job.id,
    name: job.name,
    queue: job.queue,
    priority: job.priority,
    state: runAt > now ? STATE.scheduled : STATE.pending,
    reason: null,
    blockedOn: null,
    runAt,
    attempts: 0,
    losses: 0,
    crashes: 0,
    epoch: 0,
    workerId: null,
    claimedAt: null,
    leaseUntil: null,
    startedAt: null,
    cancelling: false,
    uniqueScope: job.unique?.scope ?? null,
    uniqueKey: job.unique?.key ?? null,
    waitingOn: 0,
    dependents: 0,
    hasError: false,
    expiresAt: null,
    isDirty: false,
    ending: null,
  }
}

function isLive(state: JobState | null): boolean {
  return state !== null && !isFinalState(state)
}
