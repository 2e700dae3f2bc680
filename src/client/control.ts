/** Changing jobs from outside: in chunks, and saying for each id what happened. */
import { MillraceError } from '../core/errors.ts'
import { checkQueue } from '../core/job/limits.ts'
import { type Priority, parsePriority } from '../core/job/priority.ts'
import type { CancelResult, RemoveResult, RetryResult, Store, UpdateResult } from '../store/contract/index.ts'
import { idsOf, instantOf } from './arguments.ts'

/** Ids of jobs, one or several. */
export type Ids = string | readonly string[]

/** For each id, in order, what became of it. */
export type Outcomes<R extends string> = readonly { readonly id: string; readonly outcome: R }[]

/** How many ids go in one store call. */
const CHUNK = 500

/** Cancels waiting jobs and asks running ones to stop. */
export function cancelJobs(store: Store, ids: Ids): Promise<Outcomes<CancelResult>> {
  return inChunks(ids, (chunk) => store.jobs.cancel(chunk))
}

/** Puts ended jobs back and makes waiting ones due. */
export function retryJobs(store: Store, ids: Ids): Promise<Outcomes<RetryResult>> {
  return inChunks(ids, (chunk) => store.jobs.retry(chunk))
}

/** Deletes jobs that are not running. */
export function removeJobs(store: Store, ids: Ids): Promise<Outcomes<RemoveResult>> {
  return inChunks(ids, (chunk) => store.jobs.remove(chunk))
}

/** Changes the priority of waiting jobs. */
export async function reprioritiseJobs(store: Store, ids: Ids, priority: Priority): Promise<Outcomes<UpdateResult>> {
  const parsed = parsePriority(priority)
  return inChunks(ids, (chunk) => store.jobs.update(chunk, { priority: parsed }))
}

/** Moves waiting jobs to another queue. */
export async function moveJobs(store: Store, ids: Ids, queue: string): Promise<Outcomes<UpdateResult>> {
  checkQueue(queue)
  return inChunks(ids, (chunk) => store.jobs.update(chunk, { queue }))
}

/** Sets when waiting jobs may run. */
export async function rescheduleJobs(store: Store, ids: Ids, runAt: Date): Promise<Outcomes<UpdateResult>> {
  const ms = instantOf(runAt, 'runAt')
  return inChunks(ids, (chunk) => store.jobs.update(chunk, { runAt: ms }))
}

/** A call that fails half-way says exactly what was done: `BULK_PARTIAL` carries the outcomes so far. */
async function inChunks<R extends string>(
  ids: Ids,
  call: (chunk: readonly string[]) => Promise<readonly R[]>,
): Promise<Outcomes<R>> {
  const all = idsOf(ids)
  const done: { id: string; outcome: R }[] = []
  for (let at = 0; at < all.length; at += CHUNK) {
    const chunk = all.slice(at, at + CHUNK)
    try {
      const results = await call(chunk)
      for (const [i, id] of chunk.entries()) {
        const outcome = results[i]
        if (outcome !== undefined) done.push({ id, outcome })
      }
    } catch (error) {
      if (at === 0) throw error
      const why = error instanceof Error ? `: ${error.message}` : ''
      throw new MillraceError('BULK_PARTIAL', `stopped after ${done.length} of ${all.length} jobs${why}`, {
        fields: { total: all.length, done, remaining: all.slice(at) },
        hint: 'What `fields.done` names is committed; call again with `fields.remaining`.',
        cause: error,
      })
    }
  }
  return done
}
