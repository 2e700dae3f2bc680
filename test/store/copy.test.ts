/** Whole stores copied between databases: complete and the same, also when the copy was killed on its way. */
import { expect, it } from 'vitest'
import { type CopyProgress, copyStore } from '../../src/cli/copy-store.ts'
import { defineJob } from '../../src/index.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { startChild } from '../support/child.ts'
import { openMill } from '../support/mill.ts'
import { describeOn, freshStoreUrl } from '../support/servers.ts'
import { tempStoreUrl } from '../support/temp-store.ts'
import { COPIER, claimable, job, opened, payload } from './copy-stores.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const JOBS = LONG ? 20_000 : 2_200
/** How a fresh store of each kind is made. */
const FRESH = new Map<string, () => Promise<string>>()

declare('sqlite', async () => tempStoreUrl())
for (const kind of ['postgres', 'mysql'] as const) {
  await describeOn(kind, (server) => declare(kind, () => freshStoreUrl(server)))
}

/** Declares the copies between this kind and each that was declared before it, both ways, and within it. */
function declare(kind: string, fresh: () => Promise<string>): void {
  FRESH.set(kind, fresh)
  for (const other of FRESH.keys()) {
    declarePair(other, kind)
    if (other !== kind) declarePair(kind, other)
  }
}

function declarePair(from: string, to: string): void {
  it(`${from} to ${to}: killed on the way and run again, the copy is whole`, async () => {
    const [fromUrl, toUrl] = [await urlOf(from), await urlOf(to)]
    const source = await opened(fromUrl)
    await fill(source)
    const copier = startChild(COPIER, [fromUrl, toUrl])
    await copier.line('copy 1')
    await copier.kill()

    const report = JSON.parse((await startChild(COPIER, [fromUrl, toUrl]).line('report ')).slice('report '.length))

    expect(report).toMatchObject({ isResumed: true, isComplete: true, running: 0 })
    const counts = Object.fromEntries(
      report.parts.map(({ part, count }: { part: string; count: number }) => [part, count]),
    )
    expect(counts).toMatchObject({ live: JOBS - 100, archive: 100, edges: 50, keys: 50, queues: 1 })
    const target = await opened(toUrl)
    expect(await pagesOf(target)).toEqual(await pagesOf(source))
    expect(await claimable(target)).toEqual(await claimable(source))
  }, 120_000)
}

it('an id that is remembered of a job that is gone is the same job on the other side, too', async () => {
  const brief = defineJob({ name: 'brief', run: (_: number) => undefined })
  const source = await openMill({ retention: { completed: 0 } })
  const { id } = await source.enqueue(brief, 1)
  await source.work([brief], { drain: true }).done
  expect(await source.get(id)).toBeNull()
  const target = await openMill()

  await copyStore(source.store, target.store)

  expect(await target.enqueue(brief, 1, { id })).toMatchObject({ id, status: 'existing' })
  expect(await target.count({})).toMatchObject({ count: 0 })
})

it('hears a signal while it copies between files, which answer at once', async () => {
  const [source, target] = [await opened(tempStoreUrl()), await opened(tempStoreUrl())]
  await source.jobs.insert(Array.from({ length: 900 }, () => job()))
  const stop = new AbortController()
  // As a signal's handler, this runs when the event loop has its turn.
  const onProgress = () => void setImmediate(() => stop.abort())

  expect(await copyStore(source, target, { signal: stop.signal, onProgress })).toMatchObject({ isComplete: false })
})

it('stops after a page when it is told to, and goes on from there', async () => {
  const [source, target] = [await opened(tempStoreUrl()), await opened(tempStoreUrl())]
  await source.jobs.insert(Array.from({ length: 900 }, () => job()))
  const stop = new AbortController()

  expect(await copyStore(source, target, { signal: stop.signal, onProgress: () => stop.abort() })).toMatchObject({
    isComplete: false,
  })
  await expect(copyStore(await opened(tempStoreUrl()), target)).rejects.toMatchObject({
    code: 'COPY_REFUSED',
    message: /unfinished copy/,
  })

  const told: unknown[] = []
  const onProgress = ({ part, done }: CopyProgress) => void told.push([part, done])
  expect(await copyStore(source, target, { onProgress })).toMatchObject({ isResumed: true, isComplete: true })
  expect(told[0]).toEqual(['live', 400])
  await expect(copyStore(source, target)).rejects.toMatchObject({ code: 'COPY_REFUSED' })
})

async function urlOf(kind: string): Promise<string> {
  const fresh = FRESH.get(kind)
  if (fresh === undefined) throw new Error(`no ${kind}`)
  return fresh()
}

/** Jobs of which 100 have ended, 50 wait for another, 50 hold a key and some are large; one queue is paused. */
async function fill(store: Store): Promise<void> {
  await store.jobs.insert(Array.from({ length: 100 }, () => job({ queue: 'first' })))
  for (;;) {
    const claimed = await claimable(store, 50, 'first')
    if (claimed.length === 0) break
    const settle = claimed.map(
      ({ id, epoch }) => ({ id, epoch, runMs: 2, to: 'completed', result: payload(90) }) as const,
    )
    await store.jobs.exchange({ workerId: 'w', settle })
  }
  const parents = Array.from({ length: 50 }, () => job({ queue: 'parents' }))
  const children = parents.map(({ id }) => job({ dependsOn: [{ parentId: id, policy: 'fail' }] }))
  const keyed = Array.from({ length: 50 }, (_, i) =>
    job({ unique: { scope: 's', key: `k${i}`, onConflict: 'reject' } }),
  )
  const large = Array.from({ length: 10 }, () => job({ payload: payload(700_000) }))
  const rest = Array.from({ length: JOBS - 100 - 160 }, () => job())
  for (const batch of [parents, children, keyed, large]) await store.jobs.insert(batch)
  for (let i = 0; i < rest.length; i += 1_000) await store.jobs.insert(rest.slice(i, i + 1_000))
  await store.queues.pause('parents', 'ana', 'moving')
}

async function pagesOf(store: Store): Promise<readonly unknown[]> {
  const rows: unknown[] = []
  let cursor: string | undefined
  do {
    const page = await store.jobs.list({ filter: {}, limit: 200, ...(cursor !== undefined && { cursor }) })
    rows.push(...page.rows.map((row) => ({ ...row, payload: Buffer.from(row.payload).toString('base64') })))
    cursor = page.next
  } while (cursor !== undefined)
  return rows
}
