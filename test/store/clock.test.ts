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
