/** When a worker starts a job that a library's transaction brought. */
import { expect, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import type { LibraryGround, OpenLibraryGround } from './library-ground.ts'
import { POLL_MS, workerAtRest } from './worker-at-rest.ts'

/** Declares the cases for a library on one kind of server. */
export function describeStart(openGround: OpenLibraryGround) {
  test.each([false, true])('has its job started by the first poll after its commit (notify: %s)', async (notify) => {
    const { store, job, started, commit } = await withJob(await openGround())
    const worker = await workerAtRest(store, [job], 'lost')

    await commit(notify)
    const claimsBefore = [...worker.claims()]
    worker.advance(POLL_MS)
    await started

    expect(claimsBefore).toEqual([])
    expect(worker.claims()[0]).toBe(1)
  })

  // A clock that stands still brings no poll: the commit told the worker. Through a pooler nobody listens, but whoever
  // commits through one tells those who do.
  test('has its job started by its commit itself with notify', async () => {
    const { direct, job, started, commit } = await withJob(await openGround())
    const worker = await workerAtRest(direct, [job], 'heard')

    await commit(true)
    await started

    expect(worker.claims()).toContain(1)
  })
}

async function withJob({ store, direct, mill, library, rows }: LibraryGround) {
  const start = Promise.withResolvers<void>()
  const job = defineJob({ name: 'timed', run: () => start.resolve() })
  // Nobody takes it, and it stays the first in line: on MySQL who is first in line is a hint of its own.
  await mill.enqueue(defineJob({ name: 'unknown here', run: () => undefined }), undefined, { priority: 'urgent' })
  const commit = async (notify: boolean) => {
    await library.transaction(async (tx) => {
      await tx.write('effect')
      await mill.enqueue(job, undefined, { tx: tx.handle, ...(notify && { notify }) })
    })
    expect(await rows()).toEqual(['effect'])
  }
  return { store, direct, job, started: start.promise, commit }
}
