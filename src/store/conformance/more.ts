/** `more`: whether asking again at once may give something. A worker sleeps on it, so it must never be false too early. */
import { describe, expect } from 'vitest'
import type { ClaimRequest } from '../contract/index.ts'
import { type Case, claimRequest, type Fixture, newJob, suspectJob } from './fixture.ts'

/** The cases of whether asking again may give more. */
export function moreCases(test: Case): void {
  describe('claim: more', () => {
    test('is false when nothing waits, when nothing is claimed, and when all was given', async (f) => {
      expect(await ask(f, {})).toEqual([0, false])
      await addMany(f, 'q', 3)

      expect(await ask(f, { limit: 0 })).toEqual([0, false])
      expect((await f.jobs.exchange({ workerId: 'w1', settle: [] })).more).toBe(false)
      expect(await ask(f, { limit: 4 })).toEqual([3, false])
    })

    test('is true when the limit ends the claim', async (f) => {
      await addMany(f, 'q', 5)

      expect(await ask(f, { limit: 3 })).toEqual([3, true])
      expect(await ask(f, { limit: 3 })).toEqual([2, false])
    })

    test('is true when the share of one queue ends, though the limit does not', async (f) => {
      await addMany(f, 'a', 5)
      await addMany(f, 'b', 1)
      const queues = [
        { queue: 'a', max: 2 },
        { queue: 'b', max: 2 },
      ]

      expect(await ask(f, { queues, limit: 10 })).toEqual([3, true])
      expect(await ask(f, { queues, limit: 10 })).toEqual([2, true])
      expect(await ask(f, { queues, limit: 10 })).toEqual([1, false])
    })

    test('is false when a second share of a queue gave what the first had left', async (f) => {
      await addMany(f, 'a', 5)
      const queues = [
        { queue: 'a', max: 2 },
        { queue: 'b', max: 2 },
        { queue: 'a', max: 8 },
      ]

      expect(await ask(f, { queues, limit: 10 })).toEqual([5, false])
    })

    test('is false when every queue is served and all have been emptied', async (f) => {
      await addMany(f, 'a', 3)
      await addMany(f, 'b', 3)

      expect(await ask(f, { queues: 'all', limit: 4 })).toEqual([4, true])
      expect(await ask(f, { queues: 'all', limit: 4 })).toEqual([2, false])
    })

    test('is true after a suspect that was given alone, and before one that has to wait for that', async (f) => {
      await suspectJob(f)
      await suspectJob(f)
      await f.add({ priority: 50 })

      expect(await ask(f, {})).toEqual([1, true])
      expect(await ask(f, {})).toEqual([1, true])
      const [given] = await ask(f, {})
      expect(given).toBe(1)
      expect(await ask(f, {})).toEqual([0, false])
    })

    test('is false when only a suspect waits that the caller may not have', async (f) => {
      await suspectJob(f)
      await f.add({ priority: 50 })

      expect(await ask(f, { noSuspects: true })).toEqual([1, false])
      expect(await ask(f, { noSuspects: true })).toEqual([0, false])
      expect(await ask(f, {})).toMatchObject([1, expect.anything()])
    })

    test('is never false while something that may be given waits', async (f) => {
      for (const queue of ['a', 'b', 'c']) await addMany(f, queue, 7)
      await suspectJob(f, { queue: 'b' })
      const queues = ['a', 'b', 'c'].map((queue) => ({ queue, max: 2 }))
      let total = 0
      for (let more = true; more; ) {
        const [given, again] = await ask(f, { queues, limit: 5 })
        total += given
        more = again
      }

      expect(total).toBe(22)
    })
  })
}

async function ask(f: Fixture, parts: Partial<ClaimRequest>): Promise<readonly [number, boolean]> {
  const { claimed, more } = await f.jobs.exchange({ workerId: 'w1', settle: [], claim: claimRequest(parts) })
  return [claimed.length, more]
}

async function addMany(f: Fixture, queue: string, count: number): Promise<void> {
  await f.jobs.insert(Array.from({ length: count }, () => newJob({ queue })))
}
