/** The connection on which is looked beside transactions of callers: what may happen to it, and what it may wait for. */
import type { Connection } from 'mysql2/promise'
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { Lease, NewJob, Store } from '../../src/store/contract/index.ts'
import { MysqlDatabase } from '../../src/store/mysql/database.ts'
import { mysqlSettings } from '../../src/store/mysql/options.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { borrowedStoreUrl, describeOn, migratedStore, withDeadline } from '../support/servers.ts'
import { startProxyTo } from '../support/tcp-proxy.ts'

await describeOn('mysql', (server) => {
  test('a server that falls silent while it is set up costs one call, not those after it', async () => {
    const url = await borrowedStoreUrl(server)
    await migratedStore(url)
    const { proxy, url: through } = await startProxyTo(url)
    proxy.silenceAt('READ UNCOMMITTED')
    const store = await createStore(withDeadline(through, 1_000))
    await store.open()
    onTestFinished(() => store.close())
    const tx = await begun(url)

    await expect(store.jobs.insertWithin(tx, [someJob()])).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' })

    expect(await store.jobs.insertWithin(tx, [someJob()])).toMatchObject([{ status: 'created' }])
    await tx.rollback()
  })

  test('a look at what is committed that fails leaves the next one to see what is not', async () => {
    const url = await borrowedStoreUrl(server)
    const { jobs } = await migratedStore(url)
    const db = new MysqlDatabase(mysqlSettings(url), undefined, () => undefined)
    db.open()
    onTestFinished(() => db.close())
    const tx = await begun(url)
    const job = someJob()
    await jobs.insertWithin(tx, [job])
    const asked = () => db.looks.seen('SELECT id FROM millrace_job WHERE id = $1', [job.id])
    expect(await asked()).toHaveLength(1)

    await expect(db.looks.committed('SELECT nothing FROM millrace_job', [])).rejects.toThrow()

    expect(await asked()).toHaveLength(1)
    expect(await db.looks.committed('SELECT id FROM millrace_job WHERE id = $1', [job.id])).toEqual([])
    await tx.rollback()
  })

  test('a change of a table that waits for the transaction does not hold it up, and all is found', async () => {
    const url = await borrowedStoreUrl(server)
    const { jobs } = await migratedStore(withDeadline(url, 10_000))
    const [done, forgotten, running, failed] = [someJob(), someJob(), someJob(), someJob()]
    await jobs.insert([done, forgotten, running])
    const leases = await claim(jobs)
    const leaseOf = ({ id }: NewJob) => leases.find((lease) => lease.id === id)
    const [holder, parent, child] = [uniqueJob(), someJob(), childOf(running)]
    const tx = await begun(url)
    await tx.query('SELECT count(*) FROM millrace_job')
    await jobs.insertWithin(tx, [someJob({ fresh: true })])
    const settle = [completion(leaseOf(done)), { ...completion(leaseOf(forgotten)), forget: true }]
    expect((await jobs.exchange({ workerId: 'w', settle })).settled).toEqual(['settled', 'settled'])
    await jobs.insert([holder, parent, child, failed])
    await jobs.cancel([failed.id])

    const other = await mysqlClient(url)
    const altered = other.query('ALTER TABLE millrace_job FORCE')
    await expect.poll(() => tableWaits(tx), { timeout: 20_000 }).toBe(1)
    const own = someJob()
    const inserted = await jobs.insertWithin(tx, [own, done, forgotten, uniqueJob()])
    const children = [childOf(done), childOf(forgotten), childOf(parent), childOf(own), childOf(failed)]
    const born = await jobs.insertWithin(tx, children)
    const logs = [{ seq: 1, level: 'info', message: Buffer.from('a line') }] as const
    const lease = leaseOf(running)
    const news = { id: running.id, epoch: lease?.epoch ?? 0, logs }
    const settled = await jobs.settleWithin(tx, 'w', completion(lease), news)
    expect(await tableWaits(tx)).toBe(1)
    await tx.commit()
    await altered

    expect(inserted).toMatchObject([
      { status: 'created', id: own.id },
      ...[done, forgotten, holder].map(({ id }) => ({ status: 'existing', id })),
    ])
    expect(born.map((result) => 'state' in result && result.state)).toEqual([
      'pending',
      'pending',
      'blocked',
      'blocked',
      'cancelled',
    ])
    expect(settled).toBe('settled')
    expect((await jobs.get(child.id))?.state).toBe('pending')
  })
})

type Jobs = Store['jobs']

async function begun(url: string): Promise<Connection> {
  const tx = await mysqlClient(url)
  await tx.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
  await tx.beginTransaction()
  return tx
}

async function tableWaits(client: Connection): Promise<number> {
  const [rows] = await client.query(
    'SELECT 1 FROM information_schema.processlist WHERE db = database() ' +
      "AND state = 'Waiting for table metadata lock' AND info LIKE 'ALTER%'",
  )
  return Array.isArray(rows) ? rows.length : 0
}

async function claim(jobs: Jobs): Promise<readonly Lease[]> {
  const asked = { workerId: 'w', queues: [{ queue: 'q', max: 9 }], names: ['n'], limit: 9, leaseMs: 60_000 }
  return (await jobs.exchange({ workerId: 'w', settle: [], claim: asked })).claimed
}

function completion(lease: Lease | undefined) {
  if (lease === undefined) throw new Error('nothing was claimed')
  return { id: lease.id, epoch: lease.epoch, runMs: 1, to: 'completed', result: null } as const
}

function someJob(parts: Partial<NewJob> = {}): NewJob {
  return { id: newId(), name: 'n', version: 1, queue: 'q', priority: 50, payload: Buffer.from('{}'), ...parts }
}

function uniqueJob(): NewJob {
  return someJob({ unique: { scope: 'n', key: 'k', onConflict: 'existing' } })
}

function childOf(parent: { readonly id: string }): NewJob {
  return someJob({ dependsOn: [{ parentId: parent.id, policy: 'cancel' }] })
}
