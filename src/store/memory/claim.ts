/** Claiming: which jobs a worker gets, in which order. */
import { MAX_BATCH_BYTES } from '../../core/batch.ts'
import { isSuspect } from '../../core/job/decide.ts'
import type { ClaimedJob, ClaimRequest, ExchangeResult, QueueShare } from '../contract/index.ts'
import type { Job } from './job.ts'
import { byText } from './sorted-set.ts'
import type { Tables } from './tables.ts'

/** Gives pending jobs to a worker. Cost: O(log n) a job, and a look at each job that is passed over. */
export function claim(tables: Tables, request: ClaimRequest, now: number): Pick<ExchangeResult, 'claimed' | 'more'> {
  const names = new Set(request.names)
  const taken: ClaimedJob[] = []
  let bytes = 0
  const unfinished = new Set<string>()
  for (const share of sharesOf(tables, request)) {
    const max = Math.min(share.max, request.limit - taken.length)
    if (max <= 0) continue
    const found = candidates(tables, share.queue, names, max, now)
    if (found.length === max) unfinished.add(share.queue)
    else unfinished.delete(share.queue)
    for (const job of found) {
      const suspect = isSuspect(job.losses)
      // A job with two losses goes alone. It keeps its place: nothing behind it in its queue overtakes it.
      if (suspect && (taken.length > 0 || request.noSuspects === true)) {
        if (request.noSuspects === true) unfinished.delete(share.queue)
        else unfinished.add(share.queue)
        break
      }
      bytes += job.payload.byteLength
      if (taken.length > 0 && bytes > MAX_BATCH_BYTES) return { claimed: taken, more: true }
      taken.push(take(tables, job, request, now))
      if (suspect) return { claimed: taken, more: true }
    }
  }
  const isFull = taken.length >= request.limit
  return { claimed: taken, more: taken.length > 0 && (isFull || unfinished.size > 0) }
}

function candidates(
  tables: Tables,
  queue: string,
  names: ReadonlySet<string>,
  max: number,
  now: number,
): readonly Job[] {
  const found: Job[] = []
  for (const job of tables.ready.get(queue) ?? []) {
    if (!names.has(job.name) || (job.expiresAt !== null && job.expiresAt <= now)) continue
    found.push(job)
    if (found.length >= max) break
  }
  return found
}

/** The queues to serve, paused ones left out. `all` shares the limit evenly and begins with another queue each time. */
function sharesOf(tables: Tables, request: ClaimRequest): readonly QueueShare[] {
  if (request.queues !== 'all') return request.queues.filter((share) => !tables.paused.has(share.queue))
  const names = [...tables.ready.keys()].filter((queue) => !tables.paused.has(queue)).sort(byText)
  if (names.length === 0) return []
  const start = tables.turn++ % names.length
  const order = [...names.slice(start), ...names.slice(0, start)]
  const even = Math.ceil(request.limit / names.length)
  // A second round gives what the first left over.
  return [even, request.limit].flatMap((max) => order.map((queue) => ({ queue, max })))
}

function take(tables: Tables, job: Job, request: ClaimRequest, now: number): ClaimedJob {
  tables.change(job, () => {
    job.state = 'processing'
    job.epoch++
    job.workerId = request.workerId
    job.claimedAt = now
    job.leaseUntil = Math.floor(now + request.leaseMs)
    job.startedAt = null
  })
  return {
    id: job.id,
    epoch: job.epoch,
    name: job.name,
    version: job.version,
    queue: job.queue,
    priority: job.priority,
    payload: job.payload,
    attempt: job.attempts + 1,
    attemptOffset: job.attemptOffset,
    losses: job.losses,
    crashes: job.crashes,
    createdAt: job.createdAt,
    runAt: job.runAt,
    timeoutMs: job.timeoutMs,
    retry: job.retry,
    tags: [...job.tags],
  }
}
