/** Another worker that takes the jobs of a stopped one over, call by call. */
import { newId } from '../../src/base/id.ts'
import type { ClaimedJob, Store } from '../../src/store/contract/index.ts'
import { until } from '../support/until.ts'

/** Inserts jobs for stale-worker.ts; their ids. */
export async function insertJobs(store: Store, count: number): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, () => newId())
  const job = { name: 'job', version: 1, queue: 'q', priority: 5, payload: Buffer.from('{}') }
  await store.jobs.insert(ids.map((id) => ({ ...job, id })))
  return ids
}

/** Reclaims and claims until another worker holds all of the jobs. */
export async function takeOver(store: Store, count: number, withinMs: number): Promise<readonly ClaimedJob[]> {
  const taken: ClaimedJob[] = []
  const queues = [{ queue: 'q', max: count }]
  const claim = { workerId: 'current', queues, names: ['job'], limit: count, leaseMs: 60_000 }
  const hasAll = async () => {
    await store.jobs.reclaim(1_000)
    taken.push(...(await store.jobs.exchange({ workerId: 'current', settle: [], claim })).claimed)
    return taken.length === count
  }
  await until(hasAll, withinMs, () => `${taken.length} of ${count} jobs were taken over`)
  return taken
}

/** All that the store shows of these jobs. */
export function recordOf(store: Store, ids: readonly string[]) {
  return Promise.all(
    ids.map(async (id) => ({
      row: await store.jobs.get(id),
      logs: await store.jobs.logs(id, 0, 100),
      checkpoint: await store.jobs.checkpoint(id),
    })),
  )
}
