/** Ids that a live worker of the source forgets while it is copied, which `force` allows. */
import { expect, it } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { copyStore } from '../../src/cli/copy-store.ts'
import type { CopiedId, Store } from '../../src/store/contract/index.ts'
import { tempStoreUrl } from '../support/temp-store.ts'
import { beforeRead, opened } from './copy-stores.ts'

const ALL_KEPT = { completedMs: 1e12, failedMs: 1e12, cancelledMs: 1e12 }
/** Which reads of `remembered` there are of a source that has one page of them: to copy it, then to compare it. */
const TO_COMPARE = 2

it('ids that the source forgets when they were copied make no difference', async () => {
  const [source, target] = await two()
  const [old, young] = [await idOf(source, 121_000), await idOf(source, 0)]
  await source.copy.write('remembered', [old, young])
  const prune = async () => {
    expect(await source.jobs.prune(ALL_KEPT, 100)).toBe(1)
  }

  const report = await copyStore(beforeRead(source, 'remembered', TO_COMPARE, prune), target, { force: true })

  expect(report).toMatchObject({ isComplete: true })
  expect(report.parts).toContainEqual({ part: 'remembered', count: 1, checksum: expect.any(String) })
  expect(await remembered(source)).toEqual([young])
  expect(await remembered(target)).toEqual([old, young].toSorted(byId))
})

it('an id that may be forgotten before it is compared may be on one side only', async () => {
  const [source, target] = await two()
  const late = await idOf(source, 95_000)
  const add = () => source.copy.write('remembered', [late])

  expect(await copyStore(beforeRead(source, 'remembered', TO_COMPARE, add), target)).toMatchObject({ isComplete: true })

  expect(await remembered(target)).toEqual([])
})

it.each(['source', 'target'] as const)('an id with time left that is only in the %s is a difference', async (side) => {
  const stores = { source: await opened(tempStoreUrl()), target: await opened(tempStoreUrl()) }
  const young = await idOf(stores.source, 0)
  const add = () => stores[side].copy.write('remembered', [young])

  const copying = copyStore(beforeRead(stores.source, 'remembered', TO_COMPARE, add), stores.target, { force: true })

  await expect(copying).rejects.toMatchObject({ code: 'COPY_DIFFERS', fields: { part: 'remembered' } })
})

it('an id that was done at another instant in the target is a difference', async () => {
  const [source, target] = await two()
  const young = await idOf(source, 0)
  await source.copy.write('remembered', [young])
  const other = () => target.copy.write('remembered', [{ ...young, doneAt: young.doneAt + 1 }])

  await expect(copyStore(beforeRead(source, 'remembered', 1, other), target)).rejects.toMatchObject({
    code: 'COPY_DIFFERS',
    fields: { part: 'remembered' },
  })
})

async function two(): Promise<readonly [source: Store, target: Store]> {
  return [await opened(tempStoreUrl()), await opened(tempStoreUrl())]
}

async function idOf(store: Store, ageMs: number): Promise<CopiedId> {
  return { id: newId(), doneAt: (await store.time()) - ageMs }
}

async function remembered(store: Store): Promise<readonly CopiedId[]> {
  return (await store.copy.read('remembered', null, 100)).items.toSorted(byId)
}

function byId(a: CopiedId, b: CopiedId): number {
  return a.id < b.id ? -1 : 1
}
