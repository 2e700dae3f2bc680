/**
 * Planted bugs of those who come after one that died, and of supervisors about workers that are deaf to a cancel. Those that are put
 * between a supervisor and the network leave the store to do nothing wrong.
 */
import { wrappedStore } from '../../support/wrapped-store.ts'
import { idOf } from './ledgers.ts'
import type { Plant } from './simulation.ts'

/** A producer's successor enqueues what was under way under another id, as one that makes an id for each call does. */
export const newIdAfterDeath: NonNullable<Plant['idFor']> = (n, tries, life) => {
  return idOf(tries > 0 ? n + life * 100_000 : n)
}

/** A node that takes a predecessor's place takes back what the workers of that hold, and some of them are still giving it back. */
export const recoverPredecessors: NonNullable<Plant['client']> = (store, actor, world) => {
  if (actor.role !== 'supervisor' || actor.name.endsWith('.0')) return store
  const takeBack = async () => {
    const { rows } = await store.jobs.list({ filter: { states: ['processing'] }, limit: 1_000 })
    const ids = new Set(rows.map(({ workerId }) => workerId ?? '').filter((id) => id.startsWith(`w${actor.slot}.`)))
    for (const id of ids) await store.jobs.recover(id, null, 1_000)
  }
  // It does not insist when its store is away.
  world.after(actor, 0, () => void takeBack().catch(() => undefined))
  return store
}

/** A supervisor takes every stalled worker for one that blocks a cancelled job. */
export const killStalled: NonNullable<Plant['client']> = (store, actor) => {
  if (actor.role !== 'supervisor') return store
  return wrappedStore(store, (jobs) => ({
    extend: async (...args) =>
      (await jobs.extend(...args)).map((answer) => (answer === 'held' ? 'cancelling' : answer)),
  }))
}

/** A supervisor keeps the lease of a cancelled job as any other. */
export const keepCancelled: NonNullable<Plant['client']> = (store, actor) => {
  if (actor.role !== 'supervisor') return store
  return wrappedStore(store, (jobs) => ({
    extend: async (...args) =>
      (await jobs.extend(...args)).map((answer) => (answer === 'cancelling' ? 'held' : answer)),
  }))
}

/** While a worker stands still somebody cancels what it runs, which is seldom by chance. */
export const cancelsInPauses: NonNullable<Plant['plan']> = (plan) => {
  const pauses = plan.faults.filter((fault) => fault.kind === 'pause')
  const acts = pauses.map(({ at }) => ({ at: at + 1, tries: 0, kind: 'cancelWhere', queue: 'default' }) as const)
  return { ...plan, acts: [...plan.acts, ...acts] }
}
