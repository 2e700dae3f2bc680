/** The three roles as docs/postgresql.md and docs/mysql.md make them. That a worker may all it needs, the suite of each driver shows. */
import { expect, it, onTestFinished } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { describeOn, type Roles, type TestServer } from '../support/servers.ts'

const LEASE_MS = 60_000
const FORBIDDEN = { kind: 'schema', code: 'STORE_READ_ONLY' }

for (const kind of ['postgres', 'mysql'] as const) {
  await describeOn(kind, cases)
}

function cases(server: TestServer): void {
  it('a migrator makes the tables, and a worker works on them', async () => {
    const roles = await freshRoles(server)
    const worker = await opened(roles.worker)

    await expect(worker.migrate()).rejects.toMatchObject(FORBIDDEN)
    expect(await (await opened(roles.migrator)).migrate()).not.toEqual([])

    await worker.jobs.insert([job()])
    expect(await claimOne(worker)).toHaveLength(1)
  })

  it('a viewer lists, counts and reads, and every write is refused with what to do', async () => {
    const roles = await freshRoles(server)
    await (await opened(roles.migrator)).migrate()
    const worker = await opened(roles.worker)
    const [held, waiting, due] = [job(), job(), job()]
    await worker.jobs.insert([held])
    const [lease] = await claimOne(worker)
    if (lease === undefined) throw new Error('nothing was claimed')
    await worker.jobs.insert([
      waiting,
      { ...due, delayMs: 1 },
      { ...job(), expiresInMs: 1, queue: 'late' },
      { ...job(), queue: 'ready' },
    ])
    await condition(async () => Number(await worker.jobs.nextDue()) < (await worker.time()))
    await worker.queues.pause('q', 'ana', 'because')
    const viewer = await opened(roles.viewer)
    const { jobs, queues, state, cluster } = viewer

    expect((await jobs.get(held.id))?.state).toBe('processing')
    expect((await jobs.list({ filter: {}, limit: 10 })).rows).toHaveLength(5)
    expect((await jobs.count({ queues: ['q'] }, 10)).count).toBe(3)
    expect((await queues.list()).map(({ name }) => name)).toEqual(['late', 'q', 'ready'])
    expect(await queues.stats('q')).toMatchObject({ pausedBy: 'ana' })
    expect([await jobs.finished([held.id]), await jobs.edges(held.id), await jobs.logs(held.id, 0, 1)]).toEqual([
      [],
      [],
      [],
    ])
    expect([await state.list('', 1), await cluster.nodes(1), await viewer.migrate()]).toEqual([[], [], []])
    expect(await viewer.plan()).toEqual([])
    const ids = [waiting.id]
    const settle = [{ ...lease, runMs: 1, to: 'completed', result: null }] as const
    const node = { id: 'n', host: 'h', pid: 1, version: '1', names: [], queues: null, concurrency: 1, running: 0 }
    const writes: readonly (() => Promise<unknown>)[] = [
      () => jobs.insert([job()]),
      () => jobs.exchange({ workerId: 'w', settle }),
      () => claimOne(viewer, 'ready'),
      () => jobs.extend('w', [lease], LEASE_MS),
      () => jobs.start('w', lease),
      () => jobs.report('w', [{ ...lease, progress: 0.5 }]),
      () => jobs.promote(1),
      () => jobs.expire(1),
      () => jobs.cancel(ids),
      () => jobs.retry([due.id]),
      () => jobs.update(ids, { priority: 1 }),
      () => jobs.remove(ids),
      () => jobs.reseal(null, 10, ({ fields }) => fields),
      () => queues.pause('q', 'eve', 'never'),
      () => queues.resume('q'),
      () => queues.clear('q', ['pending'], 1),
      () => state.put('k', 'v', null),
      () => cluster.beat(node),
      () => cluster.remove('n'),
    ]
    for (const write of writes) {
      const error = await write().then(
        () => new Error('it was allowed'),
        (reason: unknown) => reason,
      )
      expect(error, String(write)).toMatchObject({ ...FORBIDDEN, hint: expect.stringContaining('docs/') })
    }
    expect((await jobs.get(waiting.id))?.state).toBe('pending')
  })
}

async function freshRoles(server: TestServer): Promise<Roles> {
  const url = server.freshUrl()
  await server.create(url)
  onTestFinished(() => server.drop(url))
  return server.rolesOf(url)
}

async function opened(url: string): Promise<Store> {
  const store = await createStore(url)
  await store.open()
  onTestFinished(() => store.close())
  return store
}

async function claimOne(store: Store, queue = 'q') {
  const claim = { workerId: 'w', queues: [{ queue, max: 1 }], names: ['n'], limit: 1, leaseMs: LEASE_MS }
  return (await store.jobs.exchange({ workerId: 'w', settle: [], claim })).claimed
}

async function condition(isMet: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await isMet())) if (performance.now() > deadline) throw new Error('the condition was not met within 20 s')
}

function job() {
  return { id: newId(), name: 'n', version: 1, queue: 'q', priority: 5, payload: Buffer.from('{}') }
}
