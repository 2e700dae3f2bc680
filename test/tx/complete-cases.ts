/** What `job.completeIn` means for a worker, on every store that has transactions. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineJob, type JobContext, type Millrace } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import type { Begun } from './begin.ts'
import type { Ground } from './ground.ts'

const LEASE_MS = 2_000
const WORK = { poll: '20ms', heartbeat: '50ms', lease: `${LEASE_MS}ms` } as const

/** Declares the cases on one kind of store. */
export function describeCompletion(kind: string, prepare: () => Promise<Ground>) {
  async function openGround() {
    const ground = await prepare()
    return { ...ground, mill: await openMill({ store: ground.store }) }
  }

  describe(`job.completeIn on ${kind}`, () => {
    test('commits effect and completion together, and what the handler does then changes nothing', async () => {
      const { mill, begin, rows } = await openGround()
      const settled: string[] = []
      mill.on('job.settled', ({ outcome }) => settled.push(outcome))
      const job = defineJob({
        name: 'effect',
        output: z.number(),
        run: async (_: undefined, context) => {
          context.log('half way')
          await committed(await begin(), context, 42)
          throw new Error('too late to matter')
        },
      })
      const child = defineJob({ name: 'child', run: () => 'ran' })
      const parent = await mill.enqueue(job, undefined, { unique: 'key' })
      const after = await mill.enqueue(child, undefined, { dependsOn: parent })
      mill.work([job, child], WORK)

      expect(await after.result({ timeout: '20s' })).toBe('ran')
      expect(await parent.result({ timeout: '20s' })).toBe(42)
      expect(await mill.get(parent.id)).toMatchObject({ state: 'completed', attempts: 1, losses: 0 })
      expect((await mill.logs(parent.id)).map(({ message }) => message)).toEqual(['half way'])
      expect(await rows()).toEqual([parent.id])
      await expect.poll(() => settled).toEqual(['completed', 'completed'])
      expect((await mill.enqueue(job, undefined, { unique: 'key' })).status).toBe('created')
    })

    test('leaves an attempt whose transaction is rolled back to how its handler ends', async () => {
      const { mill, begin, rows } = await openGround()
      const job = defineJob({
        name: 'effect',
        retry: { attempts: 2, delay: 0, jitter: 'none' },
        run: async (_: undefined, context): Promise<string> => {
          const user = await begin()
          await user.write(`${context.id} ${context.attempt}`)
          await context.completeIn(user.tx, 'written')
          await user.end(context.attempt === 1 ? 'rollback' : 'commit')
          if (context.attempt === 1) throw new Error('rolled back')
          return 'returned'
        },
      })
      const queued = await mill.enqueue(job)
      mill.work([job], WORK)

      expect(await queued.result({ timeout: '20s' })).toBe('written')
      expect(await mill.get(queued.id)).toMatchObject({ state: 'completed', attempts: 2, losses: 0 })
      expect(await rows()).toEqual([`${queued.id} 2`])
    })

    test('takes what a handler returns after a rollback, and keeps the lease of one that goes on', async () => {
      const { mill, begin, rows } = await openGround()
      const job = defineJob({
        name: 'effect',
        run: async (_: undefined, context): Promise<string> => {
          const user = await begin()
          await context.completeIn(user.tx, 'never')
          await user.end('rollback')
          const before = (await mill.get(context.id))?.leaseUntil
          await expect.poll(async () => (await mill.get(context.id))?.leaseUntil).not.toEqual(before)
          context.signal.throwIfAborted()
          return 'returned'
        },
      })
      const queued = await mill.enqueue(job)
      mill.work([job], WORK)

      expect(await queued.result({ timeout: '20s' })).toBe('returned')
      expect(await mill.get(queued.id)).toMatchObject({ attempts: 1, losses: 0 })
      expect(await rows()).toEqual([])
    })

    test('never aborts a handler that goes on after its commit', async () => {
      const { mill, begin } = await openGround()
      const begun = Promise.withResolvers<void>()
      const release = Promise.withResolvers<void>()
      const wasAborted = Promise.withResolvers<boolean>()
      const beside = defineJob({
        name: 'beside',
        run: () => {
          begun.resolve()
          return release.promise
        },
      })
      const other = await mill.enqueue(beside)
      const otherEnd = async () => (await mill.get(other.id))?.leaseUntil?.getTime() ?? 0
      const job = defineJob({
        name: 'effect',
        run: async (_: undefined, context) => {
          await begun.promise
          await committed(await begin(), context, undefined)
          // By the heartbeats of the job beside it, those of its own have come and its own lease is over.
          const end = (await otherEnd()) + 1.5 * LEASE_MS
          await expect.poll(otherEnd, { timeout: 20_000 }).toBeGreaterThan(end)
          wasAborted.resolve(context.signal.aborted)
        },
      })
      const queued = await mill.enqueue(job)
      mill.work([beside, job], WORK)

      const isAborted = await wasAborted.promise
      release.resolve()
      expect(isAborted).toBe(false)
      expect(await mill.get(queued.id)).toMatchObject({ state: 'completed', attempts: 1 })
      expect(await other.result({ timeout: '20s' })).toBeUndefined()
    })

    test('refuses an attempt that has lost its lease, so that its effect is rolled back', async () => {
      const { mill, begin, rows } = await openGround()
      const job = defineJob({
        name: 'effect',
        run: async (_: undefined, context) => {
          if (context.attempt === 1 && (await mill.get(context.id))?.losses === 0) await lose(mill, context.id)
          await committed(await begin(), context, undefined)
        },
      })
      const queued = await mill.enqueue(job)
      const codes: unknown[] = []
      mill.work([job], {
        ...WORK,
        middleware: [(_, next) => next().catch((error) => Promise.reject(codes.push(error.code) && error))],
      })

      await queued.result({ timeout: '20s' })

      await expect.poll(() => codes).toEqual(['LEASE_LOST'])
      expect(await rows()).toEqual([queued.id])
    })

    test('checks the result, and refuses a thing that is no transaction, without ending the attempt', async () => {
      const { mill, begin } = await openGround()
      const codes: unknown[] = []
      const job = defineJob({
        name: 'effect',
        output: z.number(),
        run: async (_: undefined, context) => {
          const user = await begin()
          for (const [tx, result] of [[user.tx, 'no number'] as const, [{}, 1] as const]) {
            await context.completeIn(tx, result as number).catch((error) => codes.push(error.code))
          }
          await user.end('rollback')
          return 7
        },
      })
      const queued = await mill.enqueue(job)
      mill.work([job], WORK)

      expect(await queued.result({ timeout: '20s' })).toBe(7)
      expect(codes).toEqual(['RESULT_INVALID', 'CONFIG_INVALID'])
    })
  })
}

/** The effect and the completion, committed; rolled back when the completion is refused. */
async function committed(user: Begun, context: JobContext<never>, result: unknown): Promise<void> {
  try {
    await user.write(context.id)
    await context.completeIn(user.tx, result as never)
  } catch (error) {
    await user.end('rollback')
    throw error
  }
  await user.end('commit')
}

/** Ends the lease of a running job, as its end in time would. */
export async function lose(mill: Millrace, id: string): Promise<void> {
  const { store } = mill as unknown as { readonly store: import('../../src/store/contract/index.ts').Store }
  const job = await store.jobs.get(id)
  const lease = { id, epoch: job?.epoch ?? 0 }
  const reclaimed = async () => {
    // A heartbeat may come in between.
    await store.jobs.extend(job?.workerId ?? '', [lease], -1)
    await store.jobs.reclaim(10)
    return (await store.jobs.get(id))?.losses
  }
  // The worker may have been quicker.
  await expect.poll(reclaimed, { timeout: 20_000 }).toBe(1)
}
