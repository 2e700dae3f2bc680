/** Reading and writing whole stores: what one holds is the same in another, and goes on there. */
import { describe, expect } from 'vitest'
import type { AttemptRecord, Store } from '../contract/index.ts'
import { contents, copyAll, forget, leaseOf, readAll, withMemory } from './copied.ts'
import { bytes, type Case, type Fixture, LEASE_MS, newJob, nth, textOf } from './fixture.ts'

const LARGE = 3 * 1024 * 1024

/** The cases of copying. */
export function copyCases(test: Case): void {
  describe('copy', () => {
    test('everything reads the same in a store that it was written into, and once more on the way back', async (f) => {
      const ids = await fill(f)
      await withMemory(f, async (memory) => {
        await copyAll(f.store, memory)

        expect(await contents(memory)).toEqual(await contents(f.store))
        for (const id of ids) {
          expect(await memory.jobs.get(id)).toEqual(await f.jobs.get(id))
          expect(await memory.jobs.logs(id, 0, 100)).toEqual(await f.jobs.logs(id, 0, 100))
          expect(await memory.jobs.edges(id)).toEqual(await f.jobs.edges(id))
          expect(await memory.jobs.checkpoint(id)).toEqual(await f.jobs.checkpoint(id))
        }
        expect(await memory.queues.list()).toEqual(await f.store.queues.list())
      })
    })

    test('what was written into an empty store reads as it was, and may be written again', async (f) => {
      await withMemory(f, async (memory) => {
        const ids = await fill(f, memory)

        await copyAll(memory, f.store)
        await copyAll(memory, f.store)

        expect(await contents(f.store)).toEqual(await contents(memory))
        for (const id of ids) {
          expect(await f.jobs.get(id)).toEqual(await memory.jobs.get(id))
          expect(await f.jobs.checkpoint(id)).toEqual(await memory.jobs.checkpoint(id))
        }
        expect(await f.jobs.list({ filter: {}, limit: 100 })).toEqual(
          await memory.jobs.list({ filter: {}, limit: 100 }),
        )
      })
    })

    test('jobs go on where they were written: leases, order, dependencies and keys hold', async (f) => {
      await withMemory(f, async (memory) => {
        const running = await claimFrom(memory, { priority: 100 })
        const parent = newJob({ priority: 50, unique: 'mine' })
        const child = newJob({ dependsOn: [{ parentId: parent.id, policy: 'cancel' }] })
        const later = newJob({ delayMs: 1_000 })
        await memory.jobs.insert([parent, child, later])

        await copyAll(memory, f.store)

        expect(await f.settle(running, { to: 'completed', result: bytes('done') })).toBe('settled')
        const again = await f.jobs.insert([newJob({ unique: 'mine' })])
        expect(again).toMatchObject([{ status: 'existing', id: parent.id }])
        expect((await f.claim()).map(({ id }) => id)).toEqual([parent.id])
        const [lease] = [{ id: parent.id, epoch: 1 }]
        await f.complete(lease)
        expect((await f.claim()).map(({ id }) => id)).toEqual([child.id])
        f.clock.advance(1_001)
        expect(await f.jobs.promote(10)).toBe(1)
        f.clock.advance(LEASE_MS)
        expect((await f.jobs.reclaim(10)).map(({ id }) => id)).toEqual([child.id])
      })
    })

    test('a job that has ended since it was copied is left as it is there, with its attempts', async (f) => {
      await withMemory(f, async (memory) => {
        const running = await claimFrom(memory, { priority: 1 })
        await copyAll(memory, f.store)
        const before = await contents(f.store)
        const [job] = await readAll(memory, 'live', 1)
        if (job === undefined) throw new Error('there is one')
        const ended = {
          ...job,
          state: 'completed',
          finishedAt: 9,
          leaseUntil: null,
          history: pastWith(bytes('no')),
        } as const

        await f.store.copy.write('archive', [ended])

        expect(await contents(f.store)).toEqual(before)
        expect((await f.row(running.id)).state).toBe('processing')
      })
    })

    test('a running job with a checkpoint leaves neither behind when nothing of it is to be kept', async (f) => {
      await withMemory(f, async (memory) => {
        const running = await claimFrom(memory, { priority: 1 })
        await memory.jobs.saveCheckpoint('w1', running, bytes('half way'))
        await copyAll(memory, f.store)

        const lease = leaseOf(running)
        expect(await f.settle(lease, { to: 'completed', result: null, forget: true })).toBe('settled')

        expect(textOf(await f.jobs.checkpoint(running.id))).toBe('half way')
        f.clock.advance(300_000)
        expect(await f.jobs.prune({ completedMs: 0, failedMs: 0, cancelledMs: 0 }, 10)).toBe(1)
        expect(await f.jobs.checkpoint(running.id)).toBeNull()
      })
    })

    test('a page ends where its bytes do, and the next one begins there', async (f) => {
      const jobs = Array.from({ length: 3 }, () => newJob({ payload: new Uint8Array(LARGE).fill(7) }))
      await f.jobs.insert(jobs)

      const first = await f.store.copy.read('live', null, 100)
      const all = await readAll(f.store, 'live', 100)

      expect(all.map(({ id }) => id).toSorted()).toEqual(jobs.map(({ id }) => id).toSorted())
      expect(all.every(({ payload }) => payload.byteLength === LARGE)).toBe(true)
      if (f.store.capabilities.persistent) expect(first.items.length).toBeLessThan(3)
    })

    test('errors of past attempts and lines of logs count as bytes of their pages', async (f) => {
      const large = new Uint8Array(LARGE).fill(7)
      await withMemory(f, async (memory) => {
        const history = pastWith(large)
        for (let i = 0; i < 3; i++) await claimFrom(memory, { priority: 1 })
        const jobs = (await readAll(memory, 'live', 100)).map((job) => ({ ...job, history }))
        const lines = jobs.map(
          ({ id }) => ({ jobId: id, attempt: 1, seq: 1, at: 5, level: 'info', message: large }) as const,
        )
        await f.store.copy.write('live', jobs)
        await f.store.copy.write('logs', lines)

        const read = await readAll(f.store, 'live', 100)
        expect(read.map(({ id }) => id).toSorted()).toEqual(jobs.map(({ id }) => id).toSorted())
        expect(read.every((job) => job.history[0]?.error?.byteLength === LARGE)).toBe(true)
        const told = await readAll(f.store, 'logs', 100)
        expect(told.map(({ message }) => message.byteLength)).toEqual([LARGE, LARGE, LARGE])
        if (!f.store.capabilities.persistent) return
        expect((await f.store.copy.read('live', null, 100)).items.length).toBeLessThan(3)
        expect((await f.store.copy.read('logs', null, 100)).items.length).toBeLessThan(3)
      })
    })
  })
}

function pastWith(error: Uint8Array): readonly AttemptRecord[] {
  return [{ attempt: 1, epoch: 1, workerId: 'w', startedAt: 3, endedAt: 4, outcome: 'retrying', error }]
}

/** Fills a store, the case's own unless told otherwise, with a job in every state and whatever a job may carry. */
async function fill(f: Fixture, store: Store = f.store): Promise<readonly string[]> {
  const { jobs, queues, state } = store
  const claim = async (limit: number) => {
    const request = { workerId: 'w1', queues: 'all' as const, names: ['job'], limit, leaseMs: LEASE_MS }
    return (await jobs.exchange({ workerId: 'w1', settle: [], claim: request })).claimed
  }
  const first = [
    newJob({ tags: ['a', 'ü'], payload: new Uint8Array(5_000).fill(1), priority: 9 }),
    newJob({ unique: { key: 'k', scope: 's\u{1f600}', withinMs: 60_000 }, priority: 8 }),
    newJob({ timeoutMs: 5, retry: '{"a":1}', priority: 7 }),
    newJob({ payload: new Uint8Array(0), priority: 6 }),
  ]
  await jobs.insert(first)
  const held = await claim(4)
  await jobs.report('w1', [
    {
      ...nth(held, 0),
      progress: 0.25,
      note: bytes('a quarter'),
      logs: [
        { seq: 1, level: 'info', message: bytes('one') },
        { seq: 2, level: 'error', message: bytes('two') },
      ],
    },
  ])
  for (const i of [0, 1, 3]) await jobs.saveCheckpoint('w1', nth(held, i), bytes(`point ${i}`.repeat(i * 300 + 1)))
  await jobs.exchange({
    workerId: 'w1',
    settle: [
      { ...leaseOf(nth(held, 0)), runMs: 3, to: 'completed', result: new Uint8Array(4_000).fill(2) },
      { ...leaseOf(nth(held, 1)), runMs: 4, to: 'failed', reason: 'exhausted', error: new Uint8Array(3_000).fill(3) },
      { ...leaseOf(nth(held, 2)), runMs: 5, to: 'retrying', delayMs: 10_000, error: bytes('again') },
    ],
  })
  const parent = newJob({ queue: 'other' })
  const second = [
    parent,
    newJob({ dependsOn: [{ parentId: parent.id, policy: 'proceed' }] }),
    newJob({ delayMs: 60_000 }),
    newJob({ expiresInMs: 120_000, unique: 'alive' }),
    newJob({ queue: 'gone' }),
  ]
  await jobs.insert(second)
  await jobs.cancel([nth(second, 4).id])
  await forget(store, [5, 1])
  await queues.pause('other', 'ana', 'because')
  await state.put('some key', 'a value', null)
  return [...first, ...second].map(({ id }) => id)
}

async function claimFrom(store: Store, parts: { readonly priority: number }) {
  await store.jobs.insert([newJob(parts)])
  const claim = { workerId: 'w1', queues: 'all' as const, names: ['job'], limit: 1, leaseMs: LEASE_MS }
  return nth((await store.jobs.exchange({ workerId: 'w1', settle: [], claim })).claimed, 0)
}
