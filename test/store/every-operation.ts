/** Calls every operation of a store, and fills one, so that tests can look at the plan of every statement that it sends. */
import { newId } from '../../src/base/id.ts'
import { COPY_PARTS, type CopyFacet, type NewJob, type Settlement, type Store } from '../../src/store/contract/index.ts'

const BATCH = 1_000
const LEASE_MS = 3_600_000

/** How a caller's transaction is begun and rolled back around what is done in it. */
export type Within = (fn: (tx: unknown) => Promise<void>) => Promise<void>

/** The store, and the names of its operations that were not called through it so far. */
export function uncalled(store: Store): { readonly store: Store; readonly names: () => readonly string[] } {
  const left = new Set<string>()
  const watch = <F extends object>(facet: F, name: string): F => {
    for (const key of Object.keys(facet)) left.add(`${name}.${key}`)
    return new Proxy(facet, {
      get(target, key) {
        left.delete(`${name}.${String(key)}`)
        return Reflect.get(target, key)
      },
    })
  }
  const { jobs, queues, state, cluster, copy } = store
  const watched = {
    jobs: watch(jobs, 'jobs'),
    queues: watch(queues, 'queues'),
    state: watch(state, 'state'),
    cluster: watch(cluster, 'cluster'),
    copy: watch(copy, 'copy'),
  }
  return { store: Object.assign(Object.create(store), watched), names: () => [...left] }
}

/** Calls every operation, those with several ways more than once. `within`: does something inside an open transaction of a caller. */
export async function callEverything(store: Store, within: Within): Promise<void> {
  const { jobs, queues, state, cluster } = store
  const large = Buffer.alloc(5_000)
  const [parent, child, keyed] = [newId(), newId(), newId()]
  const unique = { scope: 's', key: 'k', onConflict: 'replace' } as const
  await jobs.insert(Array.from({ length: 10 }, () => someJob('mine')))
  await jobs.insert([
    { ...someJob('mine'), id: parent, payload: large },
    { ...someJob('mine'), id: child, dependsOn: [{ parentId: parent, policy: 'proceed' }] },
    { ...someJob('mine'), id: keyed, unique },
    { ...someJob('mine'), unique: { ...unique, withinMs: 1_000 }, dependsOn: [{ parentId: parent, policy: 'cancel' }] },
  ])
  const own = { workerId: 'w', queues: [{ queue: 'mine', max: 1 }], names: ['job'], limit: 1, leaseMs: LEASE_MS }
  const [held] = (await jobs.exchange({ workerId: 'w', settle: [], claim: own })).claimed
  await within(async (tx) => {
    await jobs.insertWithin(tx, [{ ...someJob('mine'), unique: { ...unique, key: 'w' }, payload: large }], true)
    const lease = { id: held?.id ?? '', epoch: held?.epoch ?? 0 }
    const news = { ...lease, progress: 1, logs: [{ seq: 1, level: 'info' as const, message: large }] }
    await jobs.settleWithin(tx, 'w', { ...lease, runMs: 1, to: 'completed', result: large }, news)
  })
  const ends: readonly (readonly [to: object, count: number])[] = [
    [{ to: 'completed', result: null }, 1],
    [{ to: 'completed', result: large }, 1],
    [{ to: 'retrying', delayMs: 0, error: large }, 2],
    [{ to: 'failed', reason: 'exhausted', error: null }, 2],
    [{ to: 'retrying', delayMs: 0, error: large, crashed: true }, 1],
    [{ to: 'failed', reason: 'quarantined', error: large, crashed: true }, 1],
    [{ to: 'scheduled', delayMs: 1 }, 1],
    [{ to: 'pending' }, 1],
    [{ to: 'blocked', reason: 'key', on: 'k1' }, 1],
  ]
  for (const queue of ['mine', 'all'] as const) {
    for (const [end, limit] of ends) {
      const queues = queue === 'all' ? queue : [{ queue, max: limit }]
      const claim = { workerId: 'w', queues, names: ['job'], limit, leaseMs: LEASE_MS }
      const { claimed } = await jobs.exchange({ workerId: 'w', settle: [], claim })
      const leases = claimed.map(({ id, epoch }) => ({ id, epoch }))
      for (const lease of leases) await jobs.start('w', lease)
      for (const lease of leases) await jobs.saveCheckpoint('w', lease, large)
      await jobs.extend('w', leases, LEASE_MS)
      await jobs.extendWaiting('w', leases, LEASE_MS)
      const logs = [{ seq: 1, level: 'info' as const, message: large }]
      await jobs.report(
        'w',
        leases.map((lease) => ({ ...lease, progress: 0.5, logs })),
      )
      // Each end stands with what belongs to it.
      const settle = leases.map((lease) => ({ ...lease, runMs: 1, ...end }) as Settlement)
      await jobs.exchange({ workerId: 'w', settle })
      await jobs.promote(1)
    }
  }
  const short = { workerId: 'w', queues: 'all' as const, names: ['job', 'none'], limit: 2, leaseMs: 0 }
  await jobs.exchange({ workerId: 'w', settle: [], claim: { ...short, names: ['none'] } })
  await jobs.exchange({ workerId: 'w', settle: [], claim: short })
  await jobs.insert([{ ...someJob('mine'), expiresInMs: 0 }])
  await jobs.expire(1)
  await jobs.reclaim(2)
  await jobs.exchange({ workerId: 'w', settle: [], claim: short })
  await jobs.recover('w', [], 2)
  await jobs.unblock(['k1'], 1)
  await jobs.nextDue()
  await jobs.cancel([parent, keyed])
  await jobs.retry([parent, keyed])
  await jobs.update([parent], { priority: 1, queue: 'mine', runAt: 1 })
  await jobs.get(parent)
  await jobs.checkpoint(parent)
  await jobs.finished([keyed])
  for (const filter of [{}, { states: ['failed'] as const }, { names: ['job'], queues: ['mine'], tag: 't' }]) {
    for (const oldestFirst of [true, false]) await jobs.list({ filter, limit: 10, oldestFirst })
    await jobs.count(filter, 10)
  }
  const move = { kind: 'update', change: { priority: 1 } } as const
  for (const change of [move, { kind: 'retry' }, { kind: 'cancel' }, { kind: 'remove' }] as const)
    await jobs.changeWhere({ filter: { queues: ['mine'], names: ['job'] }, change, limit: 2 })
  await jobs.logs(parent, 0, 10)
  await jobs.edges(parent)
  await jobs.reseal(null, 5, (row) => row.fields)
  await jobs.remove([keyed])
  await jobs.prune({ completedMs: 0, failedMs: 0, cancelledMs: 0 }, 10)
  await queues.pause('mine', 'me', 'why')
  await queues.list()
  await queues.stats('mine')
  await queues.clear('mine', ['pending'], 1)
  await queues.resume('mine')
  await state.put('a', 'b', null)
  await state.put('a', 'c', 1)
  await state.get('a')
  await state.list('a', 1)
  await cluster.beat({
    id: 'n',
    host: 'h',
    pid: 1,
    version: '1',
    names: [],
    queues: null,
    concurrency: 1,
    running: 0,
    node: null,
    status: 'running',
    health: null,
  })
  await cluster.nodes(1_000)
  await cluster.remove('n')
  await cluster.post({ to: 'n', verb: 'pause', by: 'me', ttlMs: 60_000 })
  await cluster.take('n')
  await copyToItself(store.copy)
}

/** Reads two pages of each part and writes what it read, which is all there. */
async function copyToItself(copy: CopyFacet): Promise<void> {
  for (const part of COPY_PARTS) {
    const first = await copy.read(part, null, 2)
    await copy.write(part, first.items)
    if (first.next !== null) await copy.read(part, first.next, 2)
  }
}

/** Fills a store: half of its jobs have ended, and each growing table beside theirs has a row for every fourth of them. */
export async function grow(store: Store, rows: number): Promise<void> {
  for (let i = 0; i < rows; i += BATCH) {
    const jobs = Array.from({ length: BATCH }, (_, k) => grownJob(i + k))
    await store.jobs.insert(jobs)
    const claim = { workerId: 'w', queues: 'all' as const, names: ['job'], limit: BATCH / 2, leaseMs: LEASE_MS }
    const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
    const settle = claimed.map(({ id, epoch }, k): Settlement => {
      const lease = { id, epoch, runMs: 1 }
      if (k % 9 === 0) return { ...lease, to: 'failed', reason: 'exhausted', error: Buffer.from('no') }
      if (k % 9 === 1) return { ...lease, to: 'retrying', delayMs: 3_600_000 + k, error: Buffer.from('no') }
      return { ...lease, to: 'completed', result: null }
    })
    await store.jobs.exchange({ workerId: 'w', settle })
    const ids = jobs.slice(0, BATCH / 4).map(({ id }) => id)
    const line = { attempt: 1, at: 1, level: 'info' as const, message: Buffer.from('line') }
    await store.copy.write(
      'logs',
      ids.map((jobId, seq) => ({ ...line, jobId, seq })),
    )
    await store.copy.write(
      'values',
      ids.map((key) => ({ key, value: 'v', version: 1 })),
    )
    await store.copy.write(
      'keys',
      ids.map((jobId, k) => ({ scope: 's', key: `of ${jobId}`, jobId, until: k % 2 === 0 ? null : FAR + i + k })),
    )
    await store.copy.write(
      'remembered',
      ids.map((id, k) => ({ id: `${id.slice(0, -1)}f`, doneAt: FAR + i + k })),
    )
    // Children that nobody ever releases, of parents that never end.
    const edges = ids.map((parentId, k) => ({ parentId, childId: ids[(k + 1) % ids.length] ?? parentId }))
    await store.copy.write(
      'edges',
      edges.map((edge) => ({ ...edge, policy: 'proceed' as const })),
    )
  }
}

/** An instant that no test comes to. */
const FAR = 4_000_000_000_000

/** A job as most are. */
export function someJob(queue: string): NewJob {
  return { id: newId(), name: 'job', version: 1, queue, priority: 5, payload: Buffer.from('{}') }
}

function grownJob(i: number): NewJob {
  const job = { ...someJob(`q${i % 3}`), priority: i % 16 }
  if (i % 20 === 0) return { ...job, payload: Buffer.alloc(2_100) }
  if (i % 20 === 1) return { ...job, delayMs: 60_000 + i }
  if (i % 20 === 2) return { ...job, expiresInMs: 3_600_000 }
  return i % 20 === 3
    ? { ...job, unique: { scope: 's', key: `${i}`, onConflict: 'reject', withinMs: 3_600_000 + i } }
    : job
}
