/** What an attempt keeps for the next: `job.checkpoint` and `job.restore`. */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { createKeyRing, defineJob, type JobContext } from '../../src/index.ts'
import { createMemoryStore } from '../../src/store/memory/store.ts'
import { openMill } from '../support/mill.ts'
import { tempStorePath } from '../support/temp-store.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

const AT_ONCE = { attempts: 5, delay: 0 } as const
const WAIT = { timeout: 20_000 }

test('an attempt that failed leaves its last checkpoint to the next, and a later one replaces it', async () => {
  const mill = await openMill()
  const seen: unknown[] = []
  const steps = defineJob({
    name: 'steps',
    retry: AT_ONCE,
    run: async (_: undefined, job) => {
      const before = (await job.restore()) as { readonly step: number } | undefined
      seen.push(before)
      const step = (before?.step ?? 0) + 1
      await job.checkpoint({ step: -1 })
      await job.checkpoint({ step })
      expect(await job.restore()).toEqual({ step })
      if (step < 3) throw new Error('again')
      return step
    },
  })
  const job = await mill.enqueue(steps)
  mill.work([steps])

  expect(await job.result({ timeout: '20s' })).toBe(3)
  expect(seen).toEqual([undefined, { step: 1 }, { step: 2 }])
})

test('a first attempt asks the store for nothing, and one that comes after a crash gets what the dead one kept', async () => {
  let [asked, kept] = [0, 0]
  const store = wrappedStore(createMemoryStore(), (inner) => ({
    checkpoint: (id) => {
      asked++
      return inner.checkpoint(id)
    },
    saveCheckpoint: (...args) => inner.saveCheckpoint(...args).finally(() => kept++),
  }))
  const mill = await openMill({ store })
  const seen: unknown[] = []
  const long = defineJob({
    name: 'long',
    run: async (_: undefined, job) => {
      seen.push(await job.restore())
      if (seen.length > 1) return 'done'
      await job.checkpoint(['half'])
      return untilAborted(job)
    },
  })
  const job = await mill.enqueue(long)
  const worker = mill.work([long], { lease: '900ms' })
  await vi.waitFor(() => expect(kept).toBe(1), WAIT)
  expect(asked).toBe(0)
  const { epoch } = (await store.jobs.get(job.id)) ?? { epoch: 0 }

  // As the supervisor of a process that was killed does.
  await store.jobs.recover(worker.id, [{ id: job.id, epoch }], 10)

  expect(await job.result({ timeout: '20s' })).toBe('done')
  expect(seen).toEqual([undefined, ['half']])
}, 30_000)

test('an attempt that has lost its lease keeps nothing any more, and is told so with LEASE_LOST', async () => {
  const clock = new ManualClock()
  const store = createMemoryStore({ clock })
  const mill = await openMill({ store, clock })
  let context: JobContext | undefined
  const end = Promise.withResolvers<void>()
  const held = defineJob({
    name: 'held',
    run: (_: undefined, job) => {
      context = job
      return end.promise
    },
  })
  const { id } = await mill.enqueue(held)
  const worker = mill.work([held])
  await vi.waitFor(() => expect(context).toBeDefined(), WAIT)
  await context?.checkpoint('mine')
  worker.pause()
  const { epoch } = (await store.jobs.get(id)) ?? { epoch: 0 }
  await store.jobs.recover(worker.id, [{ id, epoch }], 10)

  await expect(context?.checkpoint('too late')).rejects.toMatchObject({
    code: 'LEASE_LOST',
    fields: { id, name: 'held' },
  })

  expect(await context?.restore()).toBe('mine')
  end.resolve()
})

test('with keys it is sealed, and bound to its job; without JSON in it or too large it is refused', async () => {
  const path = tempStorePath()
  const keys = createKeyRing({ active: 'k1', keys: { k1: randomBytes(32) } })
  const mill = await openMill({ store: `sqlite:${path}`, codec: { keys } })
  const errors: unknown[] = []
  const secret = defineJob({
    name: 'secret',
    retry: AT_ONCE,
    run: async (_: undefined, job) => {
      if (errors.length > 0) return await job.restore()
      await job.checkpoint({ card: 'SECRET-4711' })
      for (const value of [() => 1, 10n, 'x'.repeat(20_000_000)])
        errors.push(await job.checkpoint(value).catch((error) => error.code))
      throw new Error('again')
    },
  })
  const job = await mill.enqueue(secret)
  const worker = mill.work([secret])

  expect(await job.result({ timeout: '20s' })).toEqual({ card: 'SECRET-4711' })
  expect(errors).toEqual(['PAYLOAD_NOT_JSON', 'PAYLOAD_NOT_JSON', 'PAYLOAD_TOO_LARGE'])
  await worker.stop()
  for (const file of [path, `${path}-wal`])
    if (existsSync(file)) expect(readFileSync(file, 'latin1')).not.toContain('SECRET-4711')
})

function untilAborted({ signal }: JobContext): Promise<never> {
  return new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason)))
}
