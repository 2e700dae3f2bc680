/** Whole stores copied between databases: complete and the same, also when the copy was killed on its way. */
import { expect, it, onTestFinished } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { copyStore } from '../../src/cli/copy-store.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { NewJob, Store } from '../../src/store/contract/index.ts'
import { startChild } from '../support/child.ts'
import { describeOn, freshStoreUrl } from '../support/servers.ts'
import { tempStoreUrl } from '../support/temp-store.ts'

const LONG = process.env.MILLRACE_LONG !== undefined && process.env.MILLRACE_LONG !== ''
const JOBS = LONG ? 20_000 : 2_200
const LEASE_MS = 60_000
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

it('refuses a target with jobs, and a source with workers or running jobs, before it writes anything', async () => {
  const [source, target] = [await opened(tempStoreUrl()), await opened(tempStoreUrl())]
  await source.jobs.insert([job(), job()])
  await target.jobs.insert([job()])
  await expect(copyStore(source, target)).rejects.toMatchObject({ code: 'COPY_REFUSED', message: /is not empty/ })
  await expect(copyStore(source, source)).rejects.toMatchObject({ code: 'COPY_REFUSED', message: /the same store/ })

  const empty = await opened(tempStoreUrl())
  await claimable(source, 1)
  await expect(copyStore(source, empty)).rejects.toMatchObject({ code: 'COPY_REFUSED', message: /1 of its jobs/ })
  const node = { host: 'h', pid: 1, version: '1', names: [], queues: null, concurrency: 1, running: 0 }
  await source.cluster.beat({ ...node, id: 'n', node: null, status: 'running', health: null })
  await expect(copyStore(source, empty)).rejects.toMatchObject({ code: 'COPY_REFUSED', message: /workers/ })
  expect(await empty.jobs.count({}, 1)).toEqual({ count: 0, capped: false })

  expect(await copyStore(source, empty, { force: true })).toMatchObject({ isComplete: true, running: 1 })
  expect((await empty.jobs.list({ filter: { states: ['processing'] }, limit: 1 })).rows).toMatchObject([{ epoch: 1 }])
})

it('says which part differs when something wrote meanwhile', async () => {
  const [source, target] = [await opened(tempStoreUrl()), await opened(tempStoreUrl())]
  await source.jobs.insert([job()])
  let isWritten: Promise<unknown> | undefined

  const copying = copyStore(source, target, {
    onProgress({ part }) {
      if (part === 'values') isWritten ??= target.queues.pause('q', 'eve', 'meanwhile')
    },
  })

  await expect(copying).rejects.toMatchObject({ code: 'COPY_DIFFERS', fields: { part: 'queues' } })
  await isWritten
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

  expect(await copyStore(source, target)).toMatchObject({ isResumed: true, isComplete: true })
  await expect(copyStore(source, target)).rejects.toMatchObject({ code: 'COPY_REFUSED' })
})

const COPIER = new URL('copier.ts', import.meta.url).pathname

async function urlOf(kind: string): Promise<string> {
  const fresh = FRESH.get(kind)
  if (fresh === undefined) throw new Error(`no ${kind}`)
  return fresh()
}

async function opened(url: string): Promise<Store> {
  const store = await createStore(url)
  await store.open()
  onTestFinished(() => store.close())
  await store.migrate()
  return store
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

async function claimable(store: Store, limit = 100, queue = 'q') {
  const claim = { workerId: 'w', queues: [{ queue, max: limit }], names: ['n'], limit, leaseMs: LEASE_MS }
  const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
  return claimed.map(({ id, epoch }) => ({ id, epoch }))
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

function payload(length: number): Uint8Array {
  return new Uint8Array(length).fill(5)
}

function job(parts: Partial<NewJob> = {}): NewJob {
  return { id: newId(), name: 'n', version: 1, queue: 'q', priority: 5, payload: payload(20), ...parts }
}
