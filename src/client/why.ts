/** Every reason why a job is not running, in words and as data. */
import { ALIVE_WITHIN_MS } from '../core/alive.ts'
import { formatDuration } from '../core/duration.ts'
import { COUNTED_TO } from '../core/job/limits.ts'
import type { JobRow, Store } from '../store/contract/index.ts'
import { notFound } from './waiter.ts'

/** A reason for which a job is not running. */
export type WhyCode =
  | 'finished'
  | 'running'
  | 'paused'
  | 'parents'
  | 'key'
  | 'not-before'
  | 'no-worker'
  | 'busy'
  | 'behind'
  | 'expired'
  | 'lease-ended'

/** One reason, in words and as data. */
export interface Why {
  readonly code: WhyCode
  /** One sentence for people. */
  readonly text: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** All that holds a job back now; empty when nothing does. */
export async function whyNotRunning(store: Store, id: string): Promise<readonly Why[]> {
  const row = await store.jobs.get(id)
  if (row === null) throw notFound(id)
  const now = await store.time()
  if (row.finishedAt !== null)
    return [
      why('finished', `It ended as ${row.state}${row.reason === null ? '' : ` (${row.reason})`}.`, {
        state: row.state,
        reason: row.reason,
      }),
    ]
  if (row.state === 'processing') return running(row, now)
  return [...(await ownReasons(store, row, now)), ...(await queueReasons(store, row, now))]
}

function running(row: JobRow, now: number): readonly Why[] {
  const late = row.leaseUntil !== null && row.leaseUntil < now
  if (late)
    return [
      why('lease-ended', `Worker ${row.workerId} holds it, but its lease has ended; it will be taken back.`, {
        workerId: row.workerId,
      }),
    ]
  return [
    why('running', `It runs: worker ${row.workerId}, attempt ${row.attempts + 1}.`, {
      workerId: row.workerId,
      attempt: row.attempts + 1,
    }),
  ]
}

async function ownReasons(store: Store, row: JobRow, now: number): Promise<readonly Why[]> {
  const reasons: Why[] = []
  if (row.state === 'blocked' && row.reason === 'parents') {
    const parents = (await store.jobs.edges(row.id))
      .filter((edge) => edge.childId === row.id)
      .map((edge) => edge.parentId)
    reasons.push(
      why(
        'parents',
        `It waits for ${row.waitingOn} parent${row.waitingOn === 1 ? '' : 's'}: ${parents.slice(0, 5).join(', ')}${parents.length > 5 ? ' …' : ''}.`,
        { parents, waitingOn: row.waitingOn },
      ),
    )
  }
  if (row.state === 'blocked' && row.reason === 'key') {
    reasons.push(why('key', 'Its payload is sealed with a key that no worker has.', {}))
  }
  if (row.runAt > now) {
    const what =
      row.state === 'retrying' ? `Attempt ${row.attempts} failed; the next one begins` : 'It is scheduled to run'
    reasons.push(
      why('not-before', `${what} in ${formatDuration(row.runAt - now, 2)}.`, {
        runAt: new Date(row.runAt).toISOString(),
      }),
    )
  }
  if (row.expiresAt !== null && row.expiresAt <= now)
    reasons.push(why('expired', 'Its time to start has passed; it will be failed.', { expiresAt: row.expiresAt }))
  return reasons
}

async function queueReasons(store: Store, row: JobRow, now: number): Promise<readonly Why[]> {
  const reasons: Why[] = []
  const queue = (await store.queues.list()).find((info) => info.name === row.queue)
  if (queue !== undefined && queue.pausedAt !== null) {
    const since = formatDuration(Math.max(0, now - queue.pausedAt), 2)
    const because = queue.pauseReason === null || queue.pauseReason === '' ? '' : `: ${queue.pauseReason}`
    reasons.push(
      why('paused', `The queue ${row.queue} was paused by ${queue.pausedBy} ${since} ago${because}.`, {
        queue: row.queue,
      }),
    )
  }
  const workers = await store.cluster.nodes(ALIVE_WITHIN_MS)
  const able = workers.filter(
    (node) => node.names.includes(row.name) && (node.queues === null || node.queues.includes(row.queue)),
  )
  if (able.length === 0) {
    const text =
      workers.length === 0
        ? 'No worker is alive.'
        : `${workers.length === 1 ? 'The one live worker does not handle' : `None of the ${workers.length} live workers handles`} ${row.name} on the queue ${row.queue}.`
    reasons.push(why('no-worker', text, { name: row.name, queue: row.queue, workers: workers.length }))
  } else if (row.state === 'pending' && reasons.length === 0) {
    const free = able.reduce((sum, node) => sum + Math.max(0, node.concurrency - node.running), 0)
    const waiting = queue?.counts.pending ?? 0
    if (free === 0)
      reasons.push(why('busy', `All ${able.length} workers that handle it are busy.`, { workers: able.length }))
    else if (waiting > 1)
      reasons.push(
        why(
          'behind',
          `It waits its turn among ${waiting}${waiting < COUNTED_TO ? '' : ' or more'} pending jobs of ${row.queue}.`,
          { pending: waiting },
        ),
      )
  }
  return reasons
}

function why(code: WhyCode, text: string, fields: Readonly<Record<string, unknown>>): Why {
  return { code, text, fields }
}
