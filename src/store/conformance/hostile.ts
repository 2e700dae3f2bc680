/** Text that wants to be SQL, and text that differs only in case: stored as it is, compared as it is. */
import { describe, expect } from 'vitest'
import { bytes, type Case, LEASE_MS, newJob, nth } from './fixture.ts'
import { HOSTILE, SEEDS } from './hostile-texts.ts'

/** The cases of texts of a stranger. */
export function hostileCases(test: Case): void {
  describe('hostile text', () => {
    test('Q1: survives as name, queue, tag, scope, key and retry of 1,000 jobs, nothing else touched', async (f) => {
      const bystander = await f.add({ tags: ['safe'] })
      const before = await f.row(bystander)
      const jobs = HOSTILE.map((text) =>
        newJob({
          name: text,
          queue: text,
          tags: [text],
          retry: text,
          payload: bytes(text),
          unique: { scope: text, key: text },
        }),
      )

      const results = await f.jobs.insert(jobs)

      expect(new Set(results.map((result) => result.status))).toEqual(new Set(['created']))
      for (const [i, job] of jobs.entries()) {
        const text = nth(HOSTILE, i)
        expect(await f.row(job.id)).toMatchObject({
          name: text,
          queue: text,
          tags: [text],
          retry: text,
          uniqueKey: text,
        })
      }
      const again = await f.jobs.insert(HOSTILE.map((text) => newJob({ unique: { scope: text, key: text } })))
      expect(again.map((result) => result.id)).toEqual(jobs.map((job) => job.id))
      expect(await f.row(bystander)).toEqual(before)
      expect(await f.jobs.count({}, 5_000)).toEqual({ count: 1_001, capped: false })
    })

    test('Q1: finds exactly its own in filters, queues and claims', async (f) => {
      await f.jobs.insert(HOSTILE.map((text) => newJob({ name: text, queue: text, tags: [text] })))
      for (let i = 0; i < HOSTILE.length; i += 13) {
        const text = nth(HOSTILE, i)
        for (const filter of [{ names: [text] }, { queues: [text] }, { tag: text }]) {
          const { rows } = await f.jobs.list({ filter, limit: 10 })
          expect(rows.map((row) => row.name)).toEqual([text])
        }
      }

      const queues = HOSTILE.map((queue) => ({ queue, max: 1 }))
      const claimed = await f.claim({ workerId: "w' OR '1'='1", queues, names: HOSTILE, limit: 1_000 })

      expect(claimed.map((job) => job.name)).toEqual(HOSTILE)
      expect((await f.row(nth(claimed, 0).id)).workerId).toBe("w' OR '1'='1")
    })

    test('Q1: is harmless as id, worker, error reason, state key, node and queue setting', async (f) => {
      const bystander = await f.add()
      for (const text of SEEDS) {
        expect(await f.jobs.get(text)).toBeNull()
        expect(await f.jobs.cancel([text])).toEqual(['missing'])
        expect(await f.jobs.remove([text])).toEqual(['missing'])
        expect(await f.jobs.extend('w1', [{ id: text, epoch: 0 }], LEASE_MS)).toEqual(['lost'])
        expect(await f.jobs.edges(text)).toEqual([])
        expect(await f.jobs.unblock([text], 10)).toBe(0)
        expect((await f.jobs.exchange({ workerId: text, settle: [] })).cancelling).toEqual([])
        expect(await f.store.state.put(text, text, null)).not.toBeNull()
        expect((await f.store.state.get(text))?.value).toBe(text)
        await f.store.queues.pause(text, text, text)
        await f.store.cluster.beat({
          id: text,
          host: text,
          pid: 1,
          version: text,
          names: [text],
          queues: [text],
          concurrency: 1,
          running: 0,
          node: text,
          status: 'running',
          health: null,
        })
      }

      const paused = (await f.store.queues.list()).filter((info) => info.pausedAt !== null)
      expect(paused.map((info) => info.name).sort()).toEqual([...SEEDS].sort())
      const workers = await f.store.cluster.nodes(1_000)
      expect(workers.map((worker) => worker.id).sort()).toEqual([...SEEDS].sort())
      expect(workers.every((worker) => worker.node === worker.id)).toBe(true)
      expect((await f.store.state.list('', 1_000)).map((entry) => entry.key).sort()).toEqual([...SEEDS].sort())
      expect((await f.row(bystander)).state).toBe('pending')
    })

    test('Q7: is told apart by case, accents and width everywhere', async (f) => {
      const texts = ['Admin', 'admin', 'ADMIN', 'ádmin', 'ａdmin', 'admin ']
      for (const text of texts)
        await f.add({ name: text, queue: text, tags: [text], unique: { scope: text, key: text } })
      await f.store.queues.pause('Admin', 'me', 'why')

      for (const text of texts) {
        expect(await f.jobs.count({ names: [text] }, 10)).toEqual({ count: 1, capped: false })
        expect(await f.jobs.count({ queues: [text] }, 10)).toEqual({ count: 1, capped: false })
        expect(await f.jobs.count({ tag: text }, 10)).toEqual({ count: 1, capped: false })
      }
      const queues = texts.map((queue) => ({ queue, max: 10 }))
      expect((await f.claim({ queues, names: ['admin', 'Admin', 'ádmin'] })).map((job) => job.name)).toEqual([
        'admin',
        'ádmin',
      ])
    })

    test('Q7: is kept whole, however long, and told apart at its end', async (f) => {
      const long = 'ä'.repeat(5_000)
      const texts = [`${long}a`, `${long}A`, long]

      for (const text of texts)
        await f.add({ name: text, queue: text, tags: [text], retry: text, unique: { scope: text, key: text } })

      for (const text of texts) {
        const { rows } = await f.jobs.list({ filter: { names: [text], queues: [text], tag: text }, limit: 10 })
        expect(rows.map((row) => [row.name, row.queue, row.tags, row.retry, row.uniqueKey])).toEqual([
          [text, text, [text], text, text],
        ])
      }
    })
  })
}
