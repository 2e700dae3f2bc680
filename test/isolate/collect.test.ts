/** The garbage of threads is collected while their attempts run; process/watch.ts says who asks for it, and why. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tempDir } from '../support/temp-store.ts'
import { inThread } from './handlers.ts'
import { scene } from './scene.ts'

const WAIT = { timeout: 30_000 }

test('a second collection of a thread whose attempt still runs is not done with what the first one was told', async () => {
  const { mill, worker } = await scene()
  const cue = join(tempDir(), 'cue')
  const job = await mill.enqueue(inThread, { how: 'blocksOnCue', text: cue })
  await expect.poll(async () => (await mill.logs(job.id)).length, WAIT).toBe(1)
  await worker.collectIsolates()
  writeFileSync(`${cue}-block`, '')
  await expect.poll(() => existsSync(`${cue}-blocks`), WAIT).toBe(true)

  let isCollected = false
  const collected = worker.collectIsolates().then(() => {
    isCollected = true
  })
  for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate)

  // A thread that is blocked collects nothing.
  expect(isCollected).toBe(false)
  writeFileSync(`${cue}-go-on`, '')
  await collected
  expect(await job.result({ timeout: '30s' })).toBe('went on')
})
