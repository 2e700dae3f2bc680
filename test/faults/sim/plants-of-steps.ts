/** Planted bugs about things that have to happen together and are done one after the other. */
import type { CopiedJob, InsertResult, NewJob, Store } from '../../../src/store/contract/index.ts'
import { wrappedStore } from '../../support/wrapped-store.ts'
import { Chance } from './chance.ts'
import { numberOf } from './ledgers.ts'
import type { Plan } from './plan.ts'
import type { Plant } from './simulation.ts'
import { Actor, type World } from './world.ts'

/** Between two statements that are not one transaction. */
const BETWEEN_MS = 25

/** The second statement: it comes a moment later, if the process is still there and the call does not fail. */
function afterwards(world: World, plan: Plan, actor: Actor, id: string, run: () => Promise<unknown>): void {
  const { refused, unheard } = plan.rates
  if (new Chance(plan.seed, 11, numberOf(id)).flip(refused + unheard)) return
  world.after(actor, BETWEEN_MS, () => void run())
}

/** A look whether somebody holds the key, then the insert. */
export const uniqueByLooking: NonNullable<Plant['store']> = (inner, world) => {
  const { jobs } = inner
  const server = new Actor('looker')
  const holderOf = async ({ unique }: NewJob) => {
    const { rows } = await jobs.list({ filter: {}, limit: 10_000 })
    return rows.find(({ uniqueKey, finishedAt }) => uniqueKey === unique?.key && finishedAt === null)
  }
  const insertOne = async (job: NewJob): Promise<readonly InsertResult[]> => {
    const { unique } = job
    if (unique === undefined || (await jobs.get(job.id)) !== null) return jobs.insert([job])
    const holder = await holderOf(job)
    await new Promise<void>((resolve) => void world.after(server, BETWEEN_MS, resolve))
    if (holder !== undefined && unique.onConflict !== 'replace') {
      const status = unique.onConflict === 'reject' ? 'rejected' : 'existing'
      return [{ status, id: holder.id, state: holder.state }]
    }
    if (holder !== undefined) await jobs.cancel([holder.id])
    // Under a scope of its own no index holds it back.
    return jobs.insert([{ ...job, unique: { ...unique, scope: job.id } }])
  }
  return () =>
    wrappedStore(inner, () => ({
      insert: async (batch) => {
        const results: InsertResult[] = []
        for (const job of batch) results.push(...(await insertOne(job)))
        return results
      },
    }))
}

/** An attempt that is to run again is deleted and inserted anew. */
export const requeueByDelete: NonNullable<Plant['store']> = (inner, world, plan) => (actor) =>
  wrappedStore(inner, (jobs) => ({
    exchange: async (request) => {
      const result = await jobs.exchange(request)
      for (const [i, { id, to }] of request.settle.entries()) {
        const row = result.settled[i] === 'settled' && to === 'retrying' ? await whole(inner, id) : undefined
        if (row === undefined) continue
        await jobs.remove([id])
        afterwards(world, plan, actor, id, () => inner.copy.write('live', [row]))
      }
      return result
    },
  }))

/** A settlement that comes again, after its answer was lost, counts for its dependents again. */
export const releaseTwice: NonNullable<Plant['store']> = (inner) => {
  const children = new Map<string, Set<string>>()
  const releaseOne = async (id: string) => {
    const row = await whole(inner, id)
    if (row?.state !== 'blocked' || row.waitingOn !== 1) return
    await inner.jobs.remove([id])
    await inner.copy.write('live', [{ ...row, state: 'pending', reason: null, waitingOn: 0 }])
  }
  return () =>
    wrappedStore(inner, (jobs) => ({
      insert: (batch) => {
        for (const { id, dependsOn } of batch)
          for (const { parentId } of dependsOn ?? [])
            children.set(parentId, (children.get(parentId) ?? new Set()).add(id))
        return jobs.insert(batch)
      },
      exchange: async (request) => {
        const result = await jobs.exchange(request)
        for (const [i, { id, epoch, to }] of request.settle.entries()) {
          if (result.settled[i] !== 'lost' || to !== 'completed') continue
          const row = await jobs.get(id)
          if (row?.state === 'completed' && row.epoch === epoch)
            for (const child of children.get(id) ?? []) await releaseOne(child)
        }
        return result
      },
    }))
}

/** A parent is settled, and then its dependents are released by whoever settled it. */
export const releaseOutsideTransaction: NonNullable<Plant['store']> = (inner, world, plan) => (actor) =>
  wrappedStore(inner, (jobs) => ({
    exchange: async (request) => {
      const waiting = new Map<string, readonly string[]>()
      for (const { id } of request.settle) {
        const edges = await jobs.edges(id)
        waiting.set(
          id,
          edges.filter(({ parentId }) => parentId === id).map(({ childId }) => childId),
        )
      }
      const settled = await jobs.exchange({ workerId: request.workerId, settle: request.settle })
      for (const { id } of request.settle) {
        for (const child of waiting.get(id) ?? []) {
          const row = await jobs.get(child)
          if (row?.state !== 'pending') continue
          await jobs.update([child], { runAt: row.runAt + 3_600_000 })
          afterwards(world, plan, actor, child, () => jobs.update([child], { runAt: row.runAt }))
        }
      }
      return { ...(await jobs.exchange({ ...request, settle: [] })), settled: settled.settled }
    },
  }))

/** A running job is asked to stop by word of mouth: nothing is written. */
export const cancelNotWritten: NonNullable<Plant['store']> = (inner) => {
  const told = new Set<string>()
  return () =>
    wrappedStore(inner, (jobs) => ({
      cancel: (ids) =>
        Promise.all(
          ids.map(async (id) => {
            const row = await jobs.get(id)
            if (row?.state !== 'processing') return (await jobs.cancel([id]))[0] ?? 'missing'
            told.add(`${id} ${row.epoch}`)
            return 'cancelling'
          }),
        ),
      extend: async (workerId, leases, leaseMs) => {
        const answers = await jobs.extend(workerId, leases, leaseMs)
        return answers.map((answer, i) => {
          const { id, epoch } = leases[i] ?? {}
          return answer === 'held' && told.has(`${id} ${epoch}`) ? 'cancelling' : answer
        })
      },
    }))
}

/** A job with all that there is of it, when it stands alone: what others depend on would fall with it. */
async function whole({ copy }: Store, id: string): Promise<CopiedJob | undefined> {
  const { items } = await copy.read('live', null, 10_000)
  return items.find((job) => job.id === id && job.dependents === 0 && job.uniqueKey === null)
}
