/**
 * Planted bugs about who keeps leases, and until when. Most are put between a process and the network, so that the store does
 * nothing wrong, and what is said of it is true: only that the process lost a job without need is there to be found.
 */
import type { Store } from '../../../src/store/contract/index.ts'
import { wrappedStore } from '../../support/wrapped-store.ts'
import type { Plant } from './simulation.ts'
import type { Actor } from './world.ts'

/** A supervisor extends whatever is in the list of a stalled worker, whoever holds it by now. */
export const keepWithoutFence: NonNullable<Plant['store']> = (inner) => (actor) => {
  if (!isSupervisor(actor)) return inner
  return wrappedStore(inner, (jobs) => ({
    extend: (_workerId, leases, leaseMs) =>
      Promise.all(
        leases.map(async ({ id, epoch }) => {
          const row = await jobs.get(id)
          const holder = row?.state === 'processing' ? row : { epoch, workerId: '' }
          return (await jobs.extend(holder.workerId ?? '', [{ id, epoch: holder.epoch }], leaseMs))[0] ?? 'lost'
        }),
      ),
  }))
}

/** A supervisor keeps one of the leases of a stalled worker. */
export const keepFirst: NonNullable<Plant['client']> = (store, actor) =>
  asSupervisor(store, actor, ({ jobs }) => ({
    extend: async (workerId, leases, leaseMs) => {
      await jobs.extend(workerId, leases.slice(0, 1), leaseMs)
      return leases.map(() => 'held')
    },
  }))

/** A supervisor takes a stalled worker for a dead one. */
export const recoverStalled: NonNullable<Plant['client']> = (store, actor) =>
  asSupervisor(store, actor, ({ jobs }) => ({
    extend: async (workerId, leases) => {
      await jobs.recover(workerId, null, 1_000)
      return leases.map(() => 'held')
    },
  }))

/** A supervisor goes on keeping the leases of a worker that is dead, and does not recover them. */
export const keepDead: NonNullable<Plant['client']> = (store, actor, _world, { leaseMs }) =>
  asSupervisor(store, actor, ({ jobs }) => ({
    recover: async (workerId, begun) => {
      if (begun !== null && begun.length > 0) await jobs.extend(workerId, begun, leaseMs)
      return []
    },
  }))

/**
 * When a call has failed that has nothing to do with it, a worker does not extend the lease of one of its jobs for a while. Whoever
 * takes any fault of a worker for an explanation does not see it.
 */
export const forgetOne: NonNullable<Plant['client']> = (store, actor, world, { leaseMs }) => {
  if (isSupervisor(actor)) return store
  let until = 0
  const noted = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
    return (...args: A): Promise<R> => {
      const answer = call(...args)
      answer.catch(() => {
        until = world.now + leaseMs * 1.5
      })
      return answer
    }
  }
  return wrappedStore(store, (jobs) => ({
    reclaim: noted(jobs.reclaim),
    promote: noted(jobs.promote),
    nextDue: noted(jobs.nextDue),
    extend: async (workerId, leases, leaseMs) => {
      if (world.now > until) return jobs.extend(workerId, leases, leaseMs)
      const others = leases.slice(1)
      return ['held', ...(others.length > 0 ? await jobs.extend(workerId, others, leaseMs) : [])]
    },
  }))
}

function asSupervisor(store: Store, actor: Actor, jobs: (store: Store) => Partial<Store['jobs']>): Store {
  return isSupervisor(actor) ? wrappedStore(store, () => jobs(store)) : store
}

function isSupervisor({ role }: Actor): boolean {
  return role === 'supervisor'
}
