/** Claiming among jobs that the worker does not handle: order and completeness, however many stand ahead or between. */
import { describe, expect } from 'vitest'
import { type Case, type Fixture, type JobParts, newJob } from './fixture.ts'
import { countAll } from './list.ts'

const STRANGERS = 20_000

/** Cases of claiming among jobs of other names. */
export function strangerCases(test: Case): void {
  describe('claim: among strangers', () => {
    test(`gives every job in order behind ${STRANGERS} of other names`, async (f) => {
      await addMany(f, STRANGERS, (i) => ({ name: `stranger${i % 7}`, priority: 50 }))
      const now = await f.store.time()
      const ours = await addMany(f, 300, (i) => ({
        name: i % 3 === 0 ? 'job' : 'other',
        priority: i % 2,
        runAt: now - (i % 5),
      }))
      const names = ['other', 'job', 'absent']

      const early = await claimAll(f, names, 30, 1)
      const late = await f.add({ priority: 60 })
      const rest = await claimAll(f, names, 30)

      const rank = ours.map((id, i) => ({ id, priority: i % 2, ago: i % 5 }))
      const expected = rank.sort((a, b) => b.priority - a.priority || b.ago - a.ago || (a.id < b.id ? -1 : 1))
      expect(early).toEqual(expected.slice(0, 30).map(({ id }) => id))
      expect(rest).toEqual([late, ...expected.slice(30).map(({ id }) => id)])
      expect(await countAll(f, { states: ['pending'] })).toBe(STRANGERS)
    }, 120_000)

    test('gives every job in order among strangers that stand between them', async (f) => {
      await addMany(f, 2_000, (i) => ({ name: i % 100 === 50 ? 'job' : 'stranger' }))

      const claimed = await claimAll(f, ['job'], 7)

      expect(claimed).toHaveLength(20)
      expect(claimed).toEqual([...claimed].sort())
    })

    test('keeps one order over hundreds of names, handled and not, some of them named twice', async (f) => {
      const handled = Array.from({ length: 250 }, (_, i) => `job${i}`)
      const ids = await addMany(f, 1_000, (i) => ({ name: i % 2 === 0 ? `job${(i * 7) % 250}` : `stranger${i % 400}` }))

      const claimed = await claimAll(f, [...handled, ...handled.slice(0, 9)], 60)

      expect(claimed).toEqual(ids.filter((_, i) => i % 2 === 0))
    })

    test('gives a new job at the head at once, though strangers were passed before', async (f) => {
      await addMany(f, 500, () => ({ name: 'stranger', priority: 50 }))
      const other = await f.connect()
      expect(await f.claim()).toEqual([])

      const job = newJob({ priority: 90 })
      await other.jobs.insert([job])

      expect((await f.claim()).map(({ id }) => id)).toEqual([job.id])
    })
  })
}

async function claimAll(
  f: Fixture,
  names: readonly string[],
  limit: number,
  times = 1_000,
): Promise<readonly string[]> {
  const ids: string[] = []
  for (let i = 0; i < times; i++) {
    const claimed = await f.claim({ names, limit })
    if (claimed.length === 0) break
    ids.push(...claimed.map(({ id }) => id))
  }
  return ids
}

/** Inserts many jobs and returns their ids in order. */
async function addMany(f: Fixture, count: number, parts: (i: number) => JobParts): Promise<readonly string[]> {
  const jobs = Array.from({ length: count }, (_, i) => newJob(parts(i)))
  for (let i = 0; i < count; i += 1_000) await f.jobs.insert(jobs.slice(i, i + 1_000))
  return jobs.map(({ id }) => id)
}
