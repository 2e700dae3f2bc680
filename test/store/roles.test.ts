/** The three roles as docs/postgresql.md and docs/mysql.md make them. That a worker may all it needs, the suite of each driver shows. */
import { expect, it, onTestFinished } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { defineJob } from '../../src/index.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { openMill } from '../support/mill.ts'
import { databaseOf } from '../support/schema-of.ts'
import { describeOn, type Roles, SERVER_KINDS, type TestServer } from '../support/servers.ts'

const LEASE_MS = 60_000
const FORBIDDEN = { kind: 'schema', code: 'STORE_READ_ONLY' }

for (const kind of SERVER_KINDS) {
  await describeOn(kind, (server) => {
    cases(server)
    withheldCases(server)
  })
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
    await worker.cluster.post({ to: 'w', verb: 'pause', by: 'ana', ttlMs: 600_000 })
    const viewer = await opened(roles.viewer)
    const { jobs, queues, state, cluster } = viewer

    expect((await jobs.get(held.id))?.state).toBe('processing')
    expect(await jobs.checkpoint(held.id)).toBeNull()
    expect((await jobs.list({ filter: {}, limit: 10 })).rows).toHaveLength(5)
    expect((await jobs.count({ queues: ['q'] }, 10)).count).toBe(3)
    expect((await queues.list()).map(({ name }) => name)).toEqual(['late', 'q', 'ready'])
    expect(await queues.stats('q')).toMatchObject({ pausedBy: 'ana' })
    expect([await jobs.finished([held.id]), await jobs.edges(held.id), await jobs.logs(held.id, 0, 1)]).toEqual([
      [],
      [],
      [],
    ])
    const nothing = [await state.list('', 1), await cluster.nodes(1), await cluster.take('n'), await viewer.migrate()]
    expect(nothing).toEqual([[], [], [], []])
    expect(await viewer.plan()).toEqual([])
    const ids = [waiting.id]
    const settle = [{ ...lease, runMs: 1, to: 'completed', result: null }] as const
    const about = { id: 'n', host: 'h', pid: 1, version: '1', names: [], queues: null, concurrency: 1, running: 0 }
    const node = { ...about, node: null, status: 'running', health: null } as const
    const writes: readonly (() => Promise<unknown>)[] = [
      () => jobs.insert([job()]),
      () => jobs.exchange({ workerId: 'w', settle }),
      () => claimOne(viewer, 'ready'),
      () => jobs.extend('w', [lease], LEASE_MS),
      () => jobs.extendWaiting('w', [lease], LEASE_MS),
      () => jobs.start('w', lease),
      () => jobs.report('w', [{ ...lease, progress: 0.5 }]),
      () => jobs.saveCheckpoint('w', lease, Buffer.from('c')),
      () => jobs.promote(1),
      () => jobs.expire(1),
      () => jobs.recover('w', [], 1),
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
      () => cluster.post({ to: 'n', verb: 'stop', by: 'eve', ttlMs: 60_000 }),
      () => cluster.take('w'),
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

function withheldCases(server: TestServer): void {
  it('a viewer from whom payloads are kept lists, counts and reads all else, and is told so', async () => {
    const roles = await freshRoles(server)
    await (await opened(roles.migrator)).migrate()
    const worker = await openMill({ store: roles.worker, migrate: false })
    const echo = defineJob({ name: 'echo', run: (input: string) => input })
    const done = await worker.enqueue(echo, 'secret')
    const working = worker.work([echo], { poll: '20ms' })
    await done.result({ timeout: '20s' })
    await working.stop()
    const waits = await worker.enqueue(echo, 'secret'.repeat(1_000))
    await server.withhold(roles.migrator)

    const viewer = await openMill({ store: roles.viewer, migrate: false })

    for (const { id } of [done, waits]) {
      const withheld = { id, isWithheld: true, isUnreadable: false, input: undefined, result: undefined }
      expect(await viewer.get(id)).toMatchObject(withheld)
      expect((await viewer.list({ state: [(await worker.get(id))?.state ?? 'failed'] })).jobs).toMatchObject([withheld])
    }
    expect((await viewer.list({})).jobs.map(({ id }) => id)).toEqual([waits.id, done.id])
    expect((await viewer.count({})).count).toBe(2)
    expect((await viewer.why(waits.id)).length).toBeGreaterThan(0)
    expect((await viewer.queues.list()).map(({ name }) => name)).toEqual(['default'])
    expect(await viewer.logs(done.id)).toEqual([])
    const rows = await viewer.store.jobs.finished([done.id])
    expect(rows).toMatchObject([{ id: done.id, isWithheld: true, payload: new Uint8Array(0), result: null }])
    await expect(viewer.store.jobs.checkpoint(done.id)).rejects.toMatchObject({ code: 'STORE_READ_ONLY' })
    await expect(viewer.result(done.id, { timeout: '20s' })).rejects.toMatchObject({ code: 'STORE_READ_ONLY' })
    expect(await worker.get(done.id)).toMatchObject({ isWithheld: false, input: 'secret', result: 'secret' })
  })

  it('such a viewer may read every column but those of payloads and results', async () => {
    const roles = await freshRoles(server)
    await (await opened(roles.migrator)).migrate()
    await server.withhold(roles.migrator)

    const seen = await columnsOf(roles.viewer)

    const hidden = (await columnsOf(roles.migrator)).filter((column) => !seen.includes(column))
    expect(hidden.map((column) => column.replace('millrace_', ''))).toEqual([
      'archive.payload',
      'archive.result',
      'bytes.data',
      'job.payload',
    ])
  })
}

/** The columns of a store that its user may read, as `table.column`: to others the server denies that they exist. */
async function columnsOf(url: string): Promise<readonly string[]> {
  const [columns] = await (await databaseOf(url)).describe(url)
  // Rows of information_schema, the names of table and column first.
  return (columns as readonly Readonly<Record<string, unknown>>[]).map((row) =>
    Object.values(row).slice(0, 2).join('.'),
  )
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
