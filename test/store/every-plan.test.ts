/**
 * Every statement that any operation of the SQLite store prepares, not only those that its files name: what it reads of a
 * growing table it finds by an index, and never sorts. At 20,000 rows, 1,000,000 with MILLRACE_LONG.
 */
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { NewJob, Settlement, Store } from '../../src/store/contract/index.ts'
import { connectionOf, createSqliteStore } from '../../src/store/sqlite/store.ts'
import { tempStorePath } from '../support/temp-store.ts'

const ROWS = process.env.MILLRACE_LONG ? 1_000_000 : 20_000
const BATCH = 1_000
const LEASE_MS = 3_600_000

/** What a plan may scan: lists handed in as JSON, settings and nodes (few), what a recursion or a subquery made. */
const SMALL =
  /^SCAN (json_each|t EXISTS VIRTUAL TABLE|found|value|q|p|millrace_queue|millrace_schema|millrace_node|sqlite_master|\(subquery|CONSTANT ROW|\d+-ROW VALUES)/

test(`no operation scans or sorts a growing table of ${ROWS} rows`, async () => {
  const store = await grownStore()
  const statements = await statementsOf(store)
  const { db } = connectionOf(store)

  const faults = statements.flatMap((sql) => faultsOf(db, sql).map((detail) => `${detail}  in  ${sql}`))

  expect(faults).toEqual([])
  // SQLite prepares a statement anew for each value of such a limit.
  expect(statements.filter((sql) => /LIMIT \?\d*(?! \+ 0)(?:\D|$)/.test(sql))).toEqual([])
  expect(statements.length).toBeGreaterThan(60)
}, 900_000)

function faultsOf(db: DatabaseSync, sql: string): readonly string[] {
  if (!/^(SELECT|INSERT|UPDATE|DELETE|WITH)/i.test(sql)) return []
  return db
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .all()
    .map((row) => String(row.detail))
    .filter((detail) => {
      // Along an index, and not to its end.
      const isBounded = detail.includes('INDEX') && /\b(?:LIMIT|min\(|max\()/i.test(sql)
      const scans = detail.startsWith('SCAN') && !SMALL.test(detail) && !isBounded
      return scans || detail.includes('TEMP B-TREE')
    })
}

/** The text of every statement that the store prepares while each of its operations is called. */
async function statementsOf(store: Store): Promise<readonly string[]> {
  const texts = new Set<string>()
  const prepare = DatabaseSync.prototype.prepare
  onTestFinished(() => {
    DatabaseSync.prototype.prepare = prepare
  })
  DatabaseSync.prototype.prepare = function (sql, ...rest) {
    texts.add(sql)
    return prepare.call(this, sql, ...rest)
  }
  // Statements are prepared once a connection: this one has prepared none yet.
  const path = connectionOf(store).path
  const fresh = createSqliteStore({ path, durability: 'normal' })
  await fresh.open()
  const missed = uncalled(fresh)
  await callEverything(missed.store)
  expect(missed.names()).toEqual([])
  await fresh.close()
  DatabaseSync.prototype.prepare = prepare
  return [...texts]
}

/** The store, and the names of its operations that were not called through it so far. */
function uncalled(store: Store): { readonly store: Store; readonly names: () => readonly string[] } {
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
  const { jobs, queues, state, cluster } = store
  const watched = {
    jobs: watch(jobs, 'jobs'),
    queues: watch(queues, 'queues'),
    state: watch(state, 'state'),
    cluster: watch(cluster, 'cluster'),
  }
  return { store: Object.assign(Object.create(store), watched), names: () => [...left] }
}

async function callEverything({ jobs, queues, state, cluster }: Store): Promise<void> {
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
  const db = new DatabaseSync(':memory:')
  await expect(async () => jobs.insertWithin(db, [])).rejects.toThrow('no open transaction')
  const completion = { id: keyed, epoch: 1, runMs: 1, to: 'completed', result: null } as const
  await expect(async () => jobs.settleWithin(db, 'w', completion)).rejects.toThrow('no open transaction')
  db.close()
  const ends: readonly (readonly [to: object, count: number])[] = [
    [{ to: 'completed', result: null }, 1],
    [{ to: 'completed', result: large }, 1],
    [{ to: 'retrying', delayMs: 0, error: large }, 2],
    [{ to: 'failed', reason: 'exhausted', error: null }, 2],
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
      await jobs.extend('w', leases, LEASE_MS)
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
  await jobs.unblock(['k1'], 1)
  await jobs.nextDue()
  await jobs.cancel([parent, keyed])
  await jobs.retry([parent, keyed])
  await jobs.update([parent], { priority: 1, queue: 'mine', runAt: 1 })
  await jobs.get(parent)
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
  })
  await cluster.nodes(1_000)
  await cluster.remove('n')
}

/** A store of many rows: half of them finished, with statistics. */
async function grownStore(): Promise<Store> {
  const store = createSqliteStore({ path: tempStorePath(), durability: 'normal' })
  onTestFinished(() => store.close())
  await store.open()
  await store.migrate()
  for (let i = 0; i < ROWS; i += BATCH) {
    await store.jobs.insert(Array.from({ length: BATCH }, (_, k) => grownJob(i + k)))
    const claim = { workerId: 'w', queues: 'all' as const, names: ['job'], limit: BATCH / 2, leaseMs: LEASE_MS }
    const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
    const settle = claimed.map(({ id, epoch }, k): Settlement => {
      const lease = { id, epoch, runMs: 1 }
      return k % 9 === 0
        ? { ...lease, to: 'failed', reason: 'exhausted', error: Buffer.from('no') }
        : { ...lease, to: 'completed', result: null }
    })
    await store.jobs.exchange({ workerId: 'w', settle })
  }
  connectionOf(store).db.exec('ANALYZE')
  return store
}

function someJob(queue: string): NewJob {
  return { id: newId(), name: 'job', version: 1, queue, priority: 5, payload: Buffer.from('{}') }
}

function grownJob(i: number): NewJob {
  const job = { ...someJob(`q${i % 3}`), priority: i % 16 }
  if (i % 20 === 1) return { ...job, delayMs: 60_000 + i }
  if (i % 20 === 2) return { ...job, expiresInMs: 3_600_000 }
  return i % 20 === 3 ? { ...job, unique: { scope: 's', key: `${i}`, onConflict: 'reject', withinMs: i } } : job
}
