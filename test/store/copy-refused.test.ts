/** What is not copied, and who may not be there while something is. */
import { expect, it } from 'vitest'
import { copyStore } from '../../src/cli/copy-store.ts'
import { refuseHalfCopy, unfinishedCopy } from '../../src/runtime/copy-note.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { tempStoreUrl } from '../support/temp-store.ts'
import { beforeRead, claimable, fillEachPart, job, opened } from './copy-stores.ts'

it('refuses a target with jobs, and a source with workers or running jobs, before it writes anything', async () => {
  const [source, target] = await two()
  await source.jobs.insert([job(), job()])
  await target.jobs.insert([job()])
  await expect(copyStore(source, target)).rejects.toMatchObject({ code: 'COPY_REFUSED', message: /is not empty/ })
  await expect(copyStore(source, source)).rejects.toMatchObject({ code: 'COPY_REFUSED', message: /the same store/ })

  const empty = await opened(tempStoreUrl())
  await claimable(source, 1)
  await expect(copyStore(source, empty)).rejects.toMatchObject({ code: 'COPY_REFUSED', message: /1 of its jobs/ })
  await beat(source)
  await expect(copyStore(source, empty)).rejects.toMatchObject({ code: 'COPY_REFUSED', message: /1 of its workers/ })
  expect(await empty.jobs.count({}, 1)).toEqual({ count: 0, capped: false })
  expect(await empty.state.get('copy')).toBeNull()

  expect(await copyStore(source, empty, { force: true })).toMatchObject({ isComplete: true, running: 1 })
  expect((await empty.jobs.list({ filter: { states: ['processing'] }, limit: 1 })).rows).toMatchObject([{ epoch: 1 }])
})

it('refuses a source that is itself half a copy, also with force, before it writes anything, and takes it once it is whole', async () => {
  const [source, half] = await two()
  const target = await opened(tempStoreUrl())
  await fillEachPart(source)
  const stop = new AbortController()
  await copyStore(source, half, { signal: stop.signal, onProgress: () => stop.abort() })

  for (const force of [false, true]) {
    await expect(copyStore(half, target, { force })).rejects.toMatchObject({
      code: 'COPY_REFUSED',
      message: /copy of .* not whole/,
      hint: /Finish it/,
    })
  }

  expect(await target.jobs.count({}, 1)).toEqual({ count: 0, capped: false })
  expect(await target.state.get('copy')).toBeNull()
  const whole = await copyStore(source, half)
  expect(await copyStore(half, target)).toMatchObject({ isResumed: false, isComplete: true, parts: whole.parts })
})

const TARGET_IN_USE = { code: 'COPY_REFUSED', message: /workers of the target/, hint: /--force/ }

it('refuses a target with a live worker, also with force, before it writes anything', async () => {
  const [source, target] = await two()
  await source.jobs.insert([job()])
  await beat(target)

  for (const force of [false, true]) {
    await expect(copyStore(source, target, { force })).rejects.toMatchObject(TARGET_IN_USE)
  }

  expect(await target.jobs.count({}, 1)).toEqual({ count: 0, capped: false })
  expect(await target.state.get('copy')).toBeNull()
})

it('goes no further while a worker of the target is alive, and goes on without it', async () => {
  const [source, target] = await two()
  await source.jobs.insert([job()])

  const copying = copyStore(
    beforeRead(source, 'live', 1, () => beat(target)),
    target,
  )

  await expect(copying).rejects.toMatchObject(TARGET_IN_USE)
  expect(await unfinishedCopy(target)).toMatchObject({ part: 'archive' })
  await expect(copyStore(source, target, { force: true })).rejects.toMatchObject(TARGET_IN_USE)
  await target.cluster.remove('n')
  expect(await copyStore(source, target)).toMatchObject({ isResumed: true, isComplete: true })
})

it('is not whole while a worker of the target is alive that came when all was written', async () => {
  const [source, target] = await two()
  await source.jobs.insert([job()])

  const copying = copyStore(
    beforeRead(source, 'remembered', 2, () => beat(target)),
    target,
  )

  await expect(copying).rejects.toMatchObject(TARGET_IN_USE)
  await expect(refuseHalfCopy(target)).rejects.toMatchObject({ code: 'COPY_UNFINISHED' })
})

it('a worker that is seen right after the note was written stops the copy, which leaves no note that others would heed', async () => {
  const [source, target] = await two()
  await source.jobs.insert([job()])
  const late = new Proxy(target, {
    get(store, key) {
      if (key !== 'state') return Reflect.get(store, key)
      const put: Store['state']['put'] = async (...args) => {
        const version = await store.state.put(...args)
        await beat(store)
        return version
      }
      return { ...store.state, put }
    },
  })

  await expect(copyStore(source, late)).rejects.toMatchObject(TARGET_IN_USE)

  expect(await target.jobs.count({}, 1)).toEqual({ count: 0, capped: false })
  expect(await unfinishedCopy(target)).toBeNull()
  await target.cluster.remove('n')
  expect(await copyStore(source, target)).toMatchObject({ isResumed: false, isComplete: true })
})

async function two(): Promise<readonly [source: Store, target: Store]> {
  return [await opened(tempStoreUrl()), await opened(tempStoreUrl())]
}

async function beat(store: Store): Promise<void> {
  const node = { host: 'h', pid: 1, version: '1', names: [], queues: null, concurrency: 1, running: 0 }
  await store.cluster.beat({ ...node, id: 'n', node: null, status: 'running', health: null })
}
