/** The clock that `Millrace.open` is given is that of the store too. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { defineJob } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { tempStoreUrl } from '../support/temp-store.ts'

test.each([
  ['on a file', tempStoreUrl],
  ['in memory', () => 'memory:'],
])('a store %s that is named by URL lives by the clock that it was opened with', async (_, url) => {
  const clock = new ManualClock(1_000_000_000_000)
  const mill = await openMill({ store: url(), clock })

  const job = await mill.enqueue(defineJob({ name: 'a' }), undefined, { delay: '1h' })

  expect(await mill.store.time()).toBe(1_000_000_000_000)
  expect((await mill.get(job.id))?.runAt).toEqual(new Date(1_000_003_600_000))
})

test.each([
  ['on a file', tempStoreUrl],
  ['in memory', () => 'memory:'],
])('a store %s whose clock is set back by an hour still promotes what is due', async (_, url) => {
  const clock = new ManualClock()
  const mill = await openMill({ store: url(), clock })
  const { store } = mill
  clock.step(3_600_000)
  const before = await store.time()
  clock.step(-3_600_000)
  const delayed = await mill.enqueue(defineJob({ name: 'a' }), undefined, { delay: '10s' })

  const early = await store.jobs.promote(10)
  clock.advance(20_000)

  expect(early).toBe(0)
  expect(await store.time()).toBe(before + 10_000)
  expect(await store.jobs.promote(10)).toBe(1)
  expect(await store.jobs.get(delayed.id)).toMatchObject({ state: 'pending' })
})
