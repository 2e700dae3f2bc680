/**
 * How a live job ends: its unique key let go, its dependents released or ended with it. Everything that ends a job comes
 * through `finish`. The cascade is a loop over a list, not a recursion: a chain may be as long as it likes.
 */
import type { Reason } from '../../core/job/state.ts'
import type { EdgePolicy } from '../contract/index.ts'
import { dropLease, isEnded, type Job } from './job.ts'
import { keyName, type Tables } from './tables.ts'

/** A state in which a job has ended. */
export type EndState = 'completed' | 'failed' | 'cancelled'

/** How a job ends. */
export interface Ending {
  readonly state: EndState
  readonly reason: Reason | null
  /** Who ran the attempt that ended it; absent when it ends without one that counts. */
  readonly last?: { readonly workerId: string; readonly result: Uint8Array | null; readonly error: Uint8Array | null }
}

/** Ends a live job and carries its end on. Nothing happens when it has ended already. */
export function finish(tables: Tables, first: Job, how: Ending, now: number): void {
  const todo: { readonly job: Job; readonly how: Ending }[] = [{ job: first, how }]
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { job, how } = next
    if (isEnded(job.state)) continue
    tables.change(job, () => end(job, how, now))
    freeKey(tables, job, now)
    for (const parentId of [...(tables.parents.get(job.id) ?? [])]) tables.dropEdge(parentId, job.id)
    const edges = [...(tables.children.get(job.id) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
    for (const [childId, policy] of edges) {
      tables.dropEdge(job.id, childId)
      const child = tables.jobs.get(childId)
      if (child === undefined) continue
      const fate = fateOf(how.state, policy)
      if (fate === null) release(tables, child, now)
      else todo.push({ job: child, how: { state: fate, reason: 'parent' } })
    }
  }
}

/** What the end of a parent makes of a child: null when the child goes on. */
export function fateOf(parent: EndState, policy: EdgePolicy): 'failed' | 'cancelled' | null {
  if (parent === 'completed' || policy === 'proceed') return null
  return policy === 'fail' ? 'failed' : 'cancelled'
}

function end(job: Job, { state, reason, last }: Ending, now: number): void {
  dropLease(job)
  job.state = state
  job.reason = reason
  job.finishedAt = now
  job.expiresAt = null
  job.cancelling = false
  job.blockedOn = null
  job.waitingOn = 0
  if (state === 'completed') job.error = null
  if (last === undefined) return
  job.attempts++
  job.workerId = last.workerId
  job.result = last.result
  if (last.error !== null) job.error = last.error
}

function release(tables: Tables, child: Job, now: number): void {
  tables.change(child, () => {
    child.waitingOn--
    if (child.waitingOn > 0 || child.state !== 'blocked' || child.reason !== 'parents') return
    child.state = child.runAt > now ? 'scheduled' : 'pending'
    child.reason = null
  })
}

/** A key with a window is held on until its end. */
function freeKey(tables: Tables, job: Job, now: number): void {
  if (job.uniqueScope === null || job.uniqueKey === null) return
  const name = keyName(job.uniqueScope, job.uniqueKey)
  const hold = tables.keys.get(name)
  if (hold?.jobId === job.id && (hold.until === null || hold.until <= now)) tables.keys.delete(name)
}
