/** The garbage of threads is collected while their attempts run; process/watch.ts says who asks for it, and why. */
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker as Thread } from 'node:worker_threads'
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

test('threads that collect at the same moment all do, though the flag by which they come to it is one for all', async () => {
  const THREADS = 6
  const ROUNDS = 10
  const memory = new URL('../../src/worker/memory.ts', import.meta.url).href
  // Each round loads the module anew, and begins when all threads are there.
  const code = `
    import { parentPort, workerData } from 'node:worker_threads'
    const gate = new Int32Array(workerData)
    let missed = 0
    for (let round = 0; round < ${ROUNDS}; round++) {
      const { collectAll } = await import('${memory}?' + round)
      const garbage = new WeakRef({})
      await new Promise(setImmediate)
      Atomics.add(gate, round, 1)
      while (Atomics.load(gate, round) < ${THREADS});
      collectAll()
      if (garbage.deref() !== undefined) missed++
    }
    parentPort.postMessage(missed)`
  const gate = new SharedArrayBuffer(4 * ROUNDS)
  const threads = Array.from(
    { length: THREADS },
    () => new Thread(new URL(`data:text/javascript,${encodeURIComponent(code)}`), { workerData: gate }),
  )

  const missed = await Promise.all(threads.map(async (thread) => (await once(thread, 'message'))[0]))

  expect(missed).toEqual(Array(THREADS).fill(0))
  await Promise.all(threads.map((thread) => thread.terminate()))
})
