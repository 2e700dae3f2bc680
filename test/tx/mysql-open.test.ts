/**
 * A caller's transaction at REPEATABLE READ, the server's default, that has enqueued or completed and stays open: what it locks
 * is what its jobs name, and nothing between. Whoever is held up all the same fails by the deadline of its call.
 */
import type { Connection } from 'mysql2/promise'
import { expect, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { Lease, NewEdge, NewJob, Settlement, Store } from '../../src/store/contract/index.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { borrowedStoreUrl, describeOn, migratedStore, withDeadline } from '../support/servers.ts'

const DEADLINE_MS = 5_000
const HOUR_MS = 3_600_000

interface Ground {
  readonly jobs: Store['jobs']
  /** Running jobs of the worker `w`: plain ones, one with a unique key, one with a child. */
  readonly running: readonly Lease[]
  readonly unique: Lease
  readonly parent: Lease
  /** Jobs that wait. */
  readonly pending: readonly string[]
  readonly ended: string
  readonly forgotten: string
}

const WAYS: Readonly<Record<string, (g: Ground, tx: Connection) => unknown>> = {
  'a plain job': ({ jobs }, tx) => jobs.insertWithin(tx, [someJob()]),
  'fifty jobs': ({ jobs }, tx) =>
    jobs.insertWithin(
      tx,
      Array.from({ length: 50 }, () => someJob()),
    ),
  'a job of its own id': ({ jobs }, tx) => jobs.insertWithin(tx, [someJob({ id: 'order-2', fresh: false })]),
  'a job of a new id of its own': ({ jobs }, tx) => jobs.insertWithin(tx, [someJob({ fresh: false })]),
  'a delayed job': ({ jobs }, tx) => jobs.insertWithin(tx, [someJob({ delayMs: HOUR_MS })]),
  'a unique job': ({ jobs }, tx) => jobs.insertWithin(tx, [uniqueJob('mine')]),
  'a unique job twice': async ({ jobs }, tx) => {
    await jobs.insertWithin(tx, [uniqueJob('mine')])
    await jobs.insertWithin(tx, [uniqueJob('mine')])
  },
  'a job whose key is held': ({ jobs }, tx) => jobs.insertWithin(tx, [uniqueJob('held')]),
  'a child of a waiting job': ({ jobs, pending }, tx) => jobs.insertWithin(tx, [childOf(pending[0])]),
  'a child of an ended job': ({ jobs, ended }, tx) => jobs.insertWithin(tx, [childOf(ended)]),
  'a child of a forgotten job': ({ jobs, forgotten }, tx) => jobs.insertWithin(tx, [childOf(forgotten)]),
  'a child of nobody': ({ jobs }, tx) => jobs.insertWithin(tx, [childOf(newId())]),
  'a job and its child': async ({ jobs }, tx) => {
    const parent = someJob()
    await jobs.insertWithin(tx, [parent])
    await jobs.insertWithin(tx, [childOf(parent.id)])
  },
  'an id that has ended': ({ jobs, ended }, tx) => jobs.insertWithin(tx, [someJob({ id: ended, fresh: false })]),
  'a completion': ({ jobs, running }, tx) => jobs.settleWithin(tx, 'w', completed(running[7])),
  'a completion with news': ({ jobs, running }, tx) =>
    jobs.settleWithin(tx, 'w', completed(running[7]), { ...nth(running[7]), progress: 1, logs: [line()] }),
  'the completion of a unique job': ({ jobs, unique }, tx) => jobs.settleWithin(tx, 'w', completed(unique)),
  'the completion of a parent': ({ jobs, parent }, tx) => jobs.settleWithin(tx, 'w', completed(parent)),
  'a completion that is lost': ({ jobs }, tx) => jobs.settleWithin(tx, 'w', completed({ id: newId(), epoch: 1 })),
}

const LEVELS: readonly (readonly [string, string])[] = [
  ...Object.keys(WAYS).map((way) => [way, 'REPEATABLE READ'] as const),
  ...['a plain job', 'a job of its own id', 'a unique job', 'a job and its child'].map(
    (way) => [way, 'SERIALIZABLE'] as const,
  ),
]

await describeOn('mysql', (server) => {
  test.each(LEVELS)('%s in an open transaction at %s holds up nobody', async (way, level) => {
    const url = await borrowedStoreUrl(server)
    const g = await prepared(await migratedStore(withDeadline(url, DEADLINE_MS)))
    const tx = await mysqlClient(url)
    // allow sql: one of two constants
    await tx.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${level}`)
    await tx.beginTransaction()
    await WAYS[way]?.(g, tx)

    await everybodyElse(g)

    await tx.rollback()
  })
})

/** What others do meanwhile. Jobs of before run at ids below the caller's, those that come now above. */
async function everybodyElse({ jobs, running, pending }: Ground): Promise<void> {
  const created = [someJob(), someJob({ id: 'order-1', fresh: false }), someJob({ id: 'order-3', fresh: false })]
  // Of so many keys one lies next to any other: they are in the order of their hashes.
  const unique = Array.from({ length: 12 }, (_, i) => uniqueJob(`other ${i}`))
  const bound = [...unique, childOf(pending[1])]
  const waiting = [someJob({ delayMs: HOUR_MS }), someJob({ queue: 'z', priority: 0 }), someJob({ fresh: false })]
  for (const job of [...created, ...bound, ...waiting]) {
    expect(await jobs.insert([job])).toMatchObject([{ status: 'created' }])
  }
  expect(await jobs.insert([uniqueJob('held again'), childOf(newId())])).toMatchObject([{}, { status: 'refused' }])
  const leases = running.slice(0, 6)
  expect(await jobs.extend('w', leases, HOUR_MS)).toEqual(leases.map(() => 'held'))
  expect(await jobs.report('w', [{ ...nth(running[0]), progress: 0.5, logs: [line()] }])).toEqual(['written'])
  const [first, second, third, fourth, fifth] = leases.map(nth)
  await settled(jobs, completed(first))
  await settled(jobs, { ...completed(second), forget: true })
  await settled(jobs, { ...nth(third), runMs: 1, to: 'failed', reason: 'exhausted', error: Buffer.from('x') })
  await settled(jobs, { ...nth(fourth), runMs: 1, to: 'retrying', delayMs: HOUR_MS, error: Buffer.from('x') })
  await settled(jobs, { ...nth(fifth), runMs: 1, to: 'scheduled', delayMs: HOUR_MS })
  const fresh = await claimed(jobs, 'q', 4)
  expect(fresh).toHaveLength(4)
  for (const lease of fresh) await settled(jobs, completed(lease))
  expect(await jobs.cancel([nth(pending[2]), nth(running[5]).id])).toEqual(['cancelled', 'cancelling'])
  expect(await jobs.retry([nth(third).id])).toEqual(['retried'])
  expect(await jobs.update([nth(pending[3])], { priority: 7 })).toEqual(['updated'])
  expect(await jobs.remove([nth(pending[4])])).toEqual(['removed'])
}

async function prepared({ jobs }: Store): Promise<Ground> {
  const put = async (...list: readonly NewJob[]) => {
    await jobs.insert(list)
    return list.map(({ id }) => id)
  }
  const run = async (queue: string, ...list: readonly NewJob[]) => {
    await jobs.insert(list.map((job) => ({ ...job, queue })))
    return claimed(jobs, queue, 50)
  }
  const [ended] = await run('e', someJob())
  await settled(jobs, completed(ended))
  const [forgotten] = await run('f', someJob())
  await settled(jobs, { ...completed(forgotten), forget: true })
  const [unique] = await run('u', uniqueJob('running'))
  const [parent] = await run('p', someJob())
  await put(childOf(parent?.id), uniqueJob('held'))
  const pending = await put(...Array.from({ length: 8 }, () => someJob({ queue: 'w' })))
  const running = await run('r', ...Array.from({ length: 8 }, () => someJob()))
  return {
    ...{ jobs, running, pending, unique: nth(unique), parent: nth(parent) },
    ...{ ended: nth(ended).id, forgotten: nth(forgotten).id },
  }
}

async function claimed(jobs: Store['jobs'], queue: string, limit: number): Promise<readonly Lease[]> {
  const claim = { workerId: 'w', queues: [{ queue, max: limit }], names: ['n'], limit, leaseMs: HOUR_MS }
  const result = await jobs.exchange({ workerId: 'w', settle: [], claim })
  return result.claimed.map(({ id, epoch }) => ({ id, epoch }))
}

async function settled(jobs: Store['jobs'], settlement: Settlement): Promise<void> {
  expect((await jobs.exchange({ workerId: 'w', settle: [settlement] })).settled).toEqual(['settled'])
}

function completed(lease: Lease | undefined) {
  return { ...nth(lease), runMs: 1, to: 'completed', result: null } as const
}

function line() {
  return { seq: 1, level: 'info', message: Buffer.from('a line') } as const
}

function someJob(parts: Partial<NewJob> = {}): NewJob {
  const payload = Buffer.from('{}')
  return { id: newId(), fresh: true, name: 'n', version: 1, queue: 'q', priority: 50, payload, ...parts }
}

function uniqueJob(key: string): NewJob {
  return someJob({ unique: { scope: 'n', key, onConflict: 'existing' } })
}

function childOf(parentId: string | undefined): NewJob {
  const edge: NewEdge = { parentId: nth(parentId), policy: 'cancel' }
  return someJob({ dependsOn: [edge] })
}

function nth<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('there are fewer')
  return value
}
