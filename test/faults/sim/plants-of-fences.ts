/** Planted bugs about who may speak for a job. Each is made of the real store's own operations, so that nothing else breaks. */
import type { ClaimedJob, JobRow, JobsFacet, Lease, Settlement, Store } from '../../../src/store/contract/index.ts'
import { wrappedStore } from '../../support/wrapped-store.ts'
import type { Plant } from './simulation.ts'
import { Actor } from './world.ts'

type Settled = 'settled' | 'cancelled' | 'lost'

/** Settles a running job in the name of whoever holds it. */
export async function held(jobs: JobsFacet, row: JobRow, settlement: Settlement): Promise<Settled> {
  const settle = [{ ...settlement, epoch: row.epoch }]
  return (await jobs.exchange({ workerId: row.workerId ?? '', settle })).settled[0] ?? 'lost'
}

/** Completes a job that waits. Only one that stands alone: what others depend on would fall with it. */
export async function forced({ jobs, copy }: Store, { id }: JobRow, settlement: Settlement): Promise<Settled> {
  const { items } = await copy.read('live', null, 10_000)
  const job = items.find((each) => each.id === id)
  const isAlone = job?.dependents === 0 && job.waitingOn === 0 && job.uniqueKey === null
  if (settlement.to !== 'completed' || !isAlone) return 'lost'
  await jobs.remove([id])
  const { result } = settlement
  const ended = { state: 'completed', attempts: job.attempts + 1, result, finishedAt: job.runAt } as const
  await copy.write('archive', [{ ...job, ...ended }])
  return 'settled'
}

/** Epochs grow by claims but not by those after a loss, and the fence is the epoch alone. */
export const withoutBump: NonNullable<Plant['store']> = (inner) => {
  const { jobs } = inner
  const behind = new Map<string, number>()
  const lost = new Set<string>()
  const shown = (id: string, epoch: number) => epoch - (behind.get(id) ?? 0)
  /** The lease that holds now, when its epoch is the one that is named. */
  const current = async <L extends Lease>(lease: L): Promise<{ lease: L; workerId: string }> => {
    const row = await jobs.get(lease.id)
    const isIt = row?.state === 'processing' && shown(row.id, row.epoch) === lease.epoch
    return { lease: { ...lease, epoch: isIt ? row.epoch : -1 }, workerId: row?.workerId ?? '' }
  }
  const each = async <L extends Lease, R>(leases: readonly L[], one: (lease: L, workerId: string) => Promise<R>) => {
    const answers: R[] = []
    for (const given of leases) {
      const { lease, workerId } = await current(given)
      answers.push(await one(lease, workerId))
    }
    return answers
  }
  return () =>
    wrappedStore(inner, () => ({
      reclaim: async (limit) => {
        const reclaimed = await jobs.reclaim(limit)
        for (const { id } of reclaimed) lost.add(id)
        return reclaimed
      },
      exchange: async (request) => {
        const settled = await each(request.settle, async (settlement, workerId) => {
          return (await jobs.exchange({ workerId, settle: [settlement] })).settled[0] ?? 'lost'
        })
        const result = await jobs.exchange({ ...request, settle: [] })
        const claimed = result.claimed.map((job): ClaimedJob => {
          if (lost.delete(job.id)) behind.set(job.id, (behind.get(job.id) ?? 0) + 1)
          return { ...job, epoch: shown(job.id, job.epoch) }
        })
        const cancelling = result.cancelling.map((lease) => ({ ...lease, epoch: shown(lease.id, lease.epoch) }))
        return { ...result, settled, claimed, cancelling }
      },
      extend: (_workerId, leases, leaseMs) =>
        each(leases, async (lease, workerId) => (await jobs.extend(workerId, [lease], leaseMs))[0] ?? 'lost'),
      report: (_workerId, reports) =>
        each(reports, async (news, workerId) => (await jobs.report(workerId, [news]))[0] ?? 'lost'),
      start: async (_workerId, given) => {
        const { lease, workerId } = await current(given)
        return jobs.start(workerId, lease)
      },
    }))
}

/** A claim that comes right after another one has read the same rows. */
export const claimTwice: NonNullable<Plant['store']> = (inner, world) => {
  const AT_ONCE_MS = 3
  let last: { readonly at: number; readonly actor: Actor; readonly claimed: readonly ClaimedJob[] } | undefined
  return (actor) =>
    wrappedStore(inner, (jobs) => ({
      exchange: async (request) => {
        const result = await jobs.exchange(request)
        if (request.claim === undefined) return result
        const other = last !== undefined && last.actor !== actor && world.now - last.at < AT_ONCE_MS ? last.claimed : []
        last = { at: world.now, actor, claimed: result.claimed }
        const again = other.slice(0, Math.max(0, request.claim.limit - result.claimed.length))
        return { ...result, claimed: [...result.claimed, ...again.map((job) => ({ ...job }))] }
      },
    }))
}

/** A sweep in two steps: which leases have ended, and a moment later these are taken back, renewed or not. */
export const sweepOfOldList: NonNullable<Plant['store']> = (inner, world) => {
  const sweeper = new Actor('sweeper')
  const A_MOMENT_MS = 150
  return () =>
    wrappedStore(inner, (jobs) => ({
      reclaim: async (limit) => {
        const now = await inner.time()
        const { rows } = await jobs.list({ filter: { states: ['processing'] }, limit: 1_000 })
        const over = rows.filter(({ leaseUntil }) => (leaseUntil ?? 0) <= now)
        await new Promise<void>((resolve) => void world.after(sweeper, A_MOMENT_MS, resolve))
        for (const { id, epoch, workerId } of over) await jobs.extend(workerId ?? '', [{ id, epoch }], -1)
        return jobs.reclaim(limit)
      },
    }))
}

/** A sweep that settles the attempts which `isMeant` names as if they had failed. */
export function burning(
  jobs: JobsFacet,
  isMeant: (lease: { readonly id: string; readonly epoch: number }) => boolean,
): JobsFacet['reclaim'] {
  return async (limit) => {
    const reclaimed = await jobs.reclaim(limit)
    return Promise.all(
      reclaimed.map(async (job) => {
        const row = await jobs.get(job.id)
        if (job.to !== 'pending' || row === null || !isMeant(row)) return job
        // Given to nobody for a moment, and failed: that counts an attempt.
        const names = [row.name]
        const claim = {
          workerId: 'sweep',
          queues: [{ queue: row.queue, max: 1_000 }],
          names,
          limit: 1_000,
          leaseMs: 1_000,
        }
        const { claimed } = await jobs.exchange({ workerId: 'sweep', settle: [], claim })
        const settle = claimed.map(({ id, epoch }): Settlement => {
          if (id !== job.id) return { id, epoch, runMs: 0, to: 'pending' }
          return { id, epoch, runMs: 0, to: 'retrying', delayMs: 0, error: null }
        })
        await jobs.exchange({ workerId: 'sweep', settle })
        return job
      }),
    )
  }
}
