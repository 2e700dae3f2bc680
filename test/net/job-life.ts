/**
 * A short life of three jobs (one with a unique key and a dependent, the dependent, one plain) on a store whose connection may
 * be cut at any moment: whoever gets no answer asks again, as a worker and a producer do.
 */
import type { ManualClock } from '../../src/base/clock.ts'
import { newId } from '../../src/base/id.ts'
import { StoreError } from '../../src/index.ts'
import type { ClaimedJob, InsertResult, NewJob, Store } from '../../src/store/contract/index.ts'

const LEASE_MS = 30_000
const MOST_TRIES = 10
const WORKER = 'w'

/** What was done, and how often the way was cut. */
export interface Life {
  readonly ids: readonly string[]
  /** Epochs under which each job was run. */
  readonly runs: ReadonlyMap<string, readonly number[]>
  readonly inserted: readonly InsertResult[]
  failures: number
}

/** Lives it, on a store that is not open yet. Throws what is not transient. */
export async function liveLife(store: Store, clock: ManualClock): Promise<Life> {
  const jobs = newJobs()
  const runs = new Map(jobs.map(({ id }) => [id, [] as number[]]))
  let failures = 0
  /** The answer, asked for again while it fails to come; `meanwhile` is done before each new try. */
  const asked = async <T>(ask: () => Promise<T>, meanwhile?: () => Promise<unknown>): Promise<T> => {
    for (let tries = 1; ; tries++) {
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof StoreError && error.kind === 'transient') || tries === MOST_TRIES) throw error
        failures++
        await meanwhile?.()
      }
    }
  }
  await asked(() => store.open())
  const inserted = await asked(() => store.jobs.insert(jobs))
  for (let settled = 0; settled < jobs.length; ) {
    const claimed = await asked(
      () => claim(store),
      async () => {
        // Nobody heard what was claimed: those leases run out.
        clock.advance(LEASE_MS + 1)
        await asked(() => store.jobs.reclaim(10))
      },
    )
    for (const job of claimed) {
      runs.get(job.id)?.push(job.epoch)
      await asked(() => store.jobs.extend(WORKER, [job], LEASE_MS))
      const { id, epoch } = job
      const settle = [{ id, epoch, runMs: 1, to: 'completed', result: null } as const]
      // An outcome whose answer was lost is `lost` when it is told again: it stands already.
      await asked(() => store.jobs.exchange({ workerId: WORKER, settle }))
      settled++
    }
    if (claimed.length === 0) {
      clock.advance(LEASE_MS + 1)
      await asked(() => store.jobs.reclaim(10))
    }
  }
  return { ids: jobs.map(({ id }) => id), runs, inserted, failures }
}

/** What is wrong with how it ended, seen by a store whose way is clear. */
export async function lifeFaults(store: Store, { ids, runs, inserted }: Life): Promise<readonly string[]> {
  const faults: string[] = []
  for (const { id, status } of inserted) {
    if (!ids.includes(id) || (status !== 'created' && status !== 'existing')) faults.push(`${id} was ${status}`)
  }
  for (const id of ids) {
    const row = await store.jobs.get(id)
    const outcomes = row?.history ?? []
    const completed = outcomes.filter(({ outcome }) => outcome === 'completed')
    const explained = new Set(
      outcomes.filter(({ outcome }) => outcome === 'lost' || outcome === 'completed').map(epochOf),
    )
    if (row?.state !== 'completed' || completed.length !== 1)
      faults.push(`${id} is ${row?.state}, ${completed.length} times`)
    const unexplained = runs.get(id)?.filter((epoch) => !explained.has(epoch)) ?? []
    if (unexplained.length > 0) faults.push(`${id} ran unexplained under ${unexplained.join()}`)
    if (outcomes.length !== explained.size) faults.push(`${id} has outcomes ${outcomes.map((o) => o.outcome).join()}`)
  }
  return faults
}

async function claim(store: Store): Promise<readonly ClaimedJob[]> {
  const request = { workerId: WORKER, queues: 'all', names: ['n'], limit: 2, leaseMs: LEASE_MS } as const
  return (await store.jobs.exchange({ workerId: WORKER, settle: [], claim: request })).claimed
}

function newJobs(): readonly NewJob[] {
  const plain = () => ({ id: newId(), name: 'n', version: 1, queue: 'q', priority: 5, payload: new Uint8Array(30) })
  const parent = { ...plain(), unique: { scope: 's', key: newId(), onConflict: 'existing' as const } }
  const child = { ...plain(), dependsOn: [{ parentId: parent.id, policy: 'cancel' as const }] }
  return [parent, child, plain()]
}

function epochOf({ epoch }: { readonly epoch: number }): number {
  return epoch
}
