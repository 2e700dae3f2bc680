/**
 * A caller's transaction at REPEATABLE READ reads as of its first reading. What Millrace decides in it goes by what is there now:
 * what others have committed since, what the transaction itself has written, and what others are about to commit.
 */
import { describe, expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { Lease, NewJob, Settlement, Store } from '../../src/store/contract/index.ts'
import { MysqlDatabase } from '../../src/store/mysql/database.ts'
import { insertInside } from '../../src/store/mysql/insert.ts'
import { mysqlSettings } from '../../src/store/mysql/options.ts'
import { withinTransaction } from '../../src/store/mysql/transaction.ts'
import type { Transaction } from '../../src/store/sql/session.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { untilSomebodyWaits } from '../support/mysql-waits.ts'
import { borrowedStoreUrl, describeOn, migratedStore } from '../support/servers.ts'

await describeOn('mysql', (server) => {
  describe('what was committed since the snapshot', () => {
    test.each(['existing', 'reject', 'replace'] as const)('is a unique key that is held (%s)', async (onConflict) => {
      const { jobs, tx } = await begun()
      const holder = uniqueJob()
      await jobs.insert([holder])

      const [result] = await jobs.insertWithin(tx, [uniqueJob(onConflict)])
      await tx.commit()

      const state = await stateOf(jobs, holder.id)
      if (onConflict === 'replace') {
        expect(result).toMatchObject({ status: 'replaced', replacedId: holder.id })
        expect(state).toBe('cancelled')
      } else {
        expect(result).toEqual({
          status: onConflict === 'reject' ? 'rejected' : 'existing',
          id: holder.id,
          state: 'pending',
        })
        expect(state).toBe('pending')
      }
    })

    test('is a unique key that is free', async () => {
      const holder = uniqueJob()
      const { jobs, tx } = await begun(holder)
      await settle(jobs, (await claim(jobs))[0])

      expect(await jobs.insertWithin(tx, [uniqueJob()])).toMatchObject([{ status: 'created' }])
      await tx.commit()
    })

    test.each([
      ['completed', 'pending'],
      ['forgotten', 'pending'],
      ['failed', 'cancelled'],
    ] as const)('is the end of a parent (%s)', async (end, state) => {
      const parent = someJob()
      const { jobs, tx } = await begun(parent)
      await settle(jobs, (await claim(jobs))[0], end)
      const child = childOf(parent)

      expect(await jobs.insertWithin(tx, [child])).toMatchObject([{ status: 'created', state }])
      await tx.commit()

      expect(await stateOf(jobs, child.id)).toBe(state)
    })

    test('is a parent, whose end then lets its child go', async () => {
      const { jobs, tx } = await begun()
      const parent = someJob()
      await jobs.insert([parent])
      const child = childOf(parent)

      expect(await jobs.insertWithin(tx, [child])).toMatchObject([{ state: 'blocked' }])
      await tx.commit()
      await settle(jobs, (await claim(jobs))[0])

      expect(await stateOf(jobs, child.id)).toBe('pending')
    })

    test.each(['waits', 'completed', 'forgotten'] as const)('is an id that is taken (%s)', async (how) => {
      const { jobs, tx } = await begun()
      const job = someJob()
      await jobs.insert([job])
      if (how !== 'waits') await settle(jobs, (await claim(jobs))[0], how)

      expect(await jobs.insertWithin(tx, [job])).toMatchObject([{ status: 'existing', id: job.id }])
      await tx.commit()
      expect((await claim(jobs)).length).toBe(how === 'waits' ? 1 : 0)
    })

    test('is a child, which the completion of its parent lets go', async () => {
      const { jobs, tx } = await begun(someJob())
      const [lease] = await claim(jobs)
      const child = childOf(lease)
      await jobs.insert([child])

      expect(await jobs.settleWithin(tx, 'w', completion(lease))).toBe('settled')
      await tx.commit()

      expect(await stateOf(jobs, child.id)).toBe('pending')
    })
  })

  test('what the transaction itself wrote is there for what follows in it', async () => {
    const { jobs, tx } = await begun(uniqueJob())
    const [lease] = await claim(jobs)
    const parent = someJob()
    const children = [childOf(parent), childOf(lease)]
    await jobs.insertWithin(tx, [parent])
    const born = await jobs.insertWithin(tx, children)
    await jobs.settleWithin(tx, 'w', completion(lease))

    const late = childOf(lease)
    const again = await jobs.insertWithin(tx, [parent, late, uniqueJob()])
    const taken = await jobs.insertWithin(tx, [uniqueJob()])
    await tx.commit()

    expect(born).toMatchObject([{ state: 'blocked' }, { state: 'blocked' }])
    expect(again).toMatchObject([{ status: 'existing' }, { state: 'pending' }, { status: 'created' }])
    expect(taken).toMatchObject([{ status: 'existing', id: again[2]?.id }])
    expect(await Promise.all(children.map(({ id }) => stateOf(jobs, id)))).toEqual(['blocked', 'pending'])
  })

  test.each([
    ['commit', 'pending'],
    ['rollback', 'blocked'],
  ] as const)('the end of a parent that is under way elsewhere is waited for (%s)', async (how, state) => {
    const { jobs, tx, url } = await begun(someJob())
    const [lease] = await claim(jobs)
    const other = await mysqlClient(url)
    await other.beginTransaction()
    await jobs.settleWithin(other, 'w', completion(lease))

    const child = jobs.insertWithin(tx, [childOf(lease)])
    await untilSomebodyWaits(other)
    await other[how]()

    expect(await child).toMatchObject([{ status: 'created', state }])
    await tx.commit()
  })

  test.each([
    ['commit', 1],
    ['rollback', 0],
  ] as const)('a key that somebody is about to take from a running job is waited for (%s)', async (how, left) => {
    const { jobs, tx, url } = await begun(uniqueJob())
    const [lease] = await claim(jobs)
    const other = await mysqlClient(url)
    await other.beginTransaction()
    expect(await jobs.insertWithin(other, [uniqueJob('replace')])).toMatchObject([{ status: 'replaced' }])

    const settled = jobs.settleWithin(tx, 'w', completion(lease))
    await untilSomebodyWaits(other)
    await other[how]()

    expect(await settled).toBe('settled')
    await tx.commit()
    const [keys] = await other.query('SELECT 1 FROM millrace_unique')
    expect(keys).toHaveLength(left)
  })

  test('the end of a parent waits for the caller, and lets the child go', async () => {
    const { jobs, tx } = await begun(someJob())
    const [lease] = await claim(jobs)
    const child = childOf(lease)
    await jobs.insertWithin(tx, [child])

    const end = settle(jobs, lease)
    await tx.commit()
    await end

    expect(await stateOf(jobs, child.id)).toBe('pending')
  })

  test.each(['completed', 'forgotten'] as const)(
    'an id that comes and ends (%s) before its insert is no second job',
    async (end) => {
      const { jobs, tx, url } = await begun()
      const job = someJob()
      const db = new MysqlDatabase(mysqlSettings(url), undefined, () => undefined)
      db.open()
      onTestFinished(() => db.close())
      let hasCome = false
      const insert = (inner: Transaction) => {
        const query: Transaction['query'] = async (statement, params) => {
          if (!hasCome && typeof statement !== 'string' && statement.write === 'insert') {
            hasCome = true
            await jobs.insert([job])
            await settle(jobs, (await claim(jobs))[0], end)
          }
          return inner.query(statement, params)
        }
        return insertInside({ ...inner, query }, [job])
      }

      const [result] = await withinTransaction(db, tx, insert)
      await tx.commit()

      expect(result).toMatchObject({ status: 'existing', id: job.id })
      expect(await claim(jobs)).toEqual([])
    },
  )

  /** A store with these jobs, and a transaction whose snapshot is as of then. */
  async function begun(...before: readonly NewJob[]) {
    const url = await borrowedStoreUrl(server)
    const { jobs } = await migratedStore(url)
    await jobs.insert(before)
    const tx = await mysqlClient(url)
    await tx.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
    await tx.beginTransaction()
    await tx.query('SELECT count(*) FROM millrace_job')
    return { url, jobs, tx }
  }
})

type Jobs = Store['jobs']

async function claim(jobs: Jobs): Promise<readonly Lease[]> {
  const asked = { workerId: 'w', queues: [{ queue: 'q', max: 9 }], names: ['n'], limit: 9, leaseMs: 60_000 }
  return (await jobs.exchange({ workerId: 'w', settle: [], claim: asked })).claimed
}

async function settle(
  jobs: Jobs,
  lease: Lease | undefined,
  end: 'completed' | 'forgotten' | 'failed' = 'completed',
): Promise<void> {
  const done = completion(lease)
  const ends: Readonly<Record<typeof end, Settlement>> = {
    completed: done,
    forgotten: { ...done, forget: true },
    failed: { ...done, to: 'failed', reason: 'exhausted', error: Buffer.from('x') },
  }
  expect((await jobs.exchange({ workerId: 'w', settle: [ends[end]] })).settled).toEqual(['settled'])
}

async function stateOf(jobs: Jobs, id: string) {
  return (await jobs.get(id))?.state
}

function completion(lease: Lease | undefined) {
  if (lease === undefined) throw new Error('nothing was claimed')
  return { id: lease.id, epoch: lease.epoch, runMs: 1, to: 'completed', result: null } as const
}

function someJob(parts: Partial<NewJob> = {}): NewJob {
  return { id: newId(), name: 'n', version: 1, queue: 'q', priority: 50, payload: Buffer.from('{}'), ...parts }
}

function uniqueJob(onConflict: 'existing' | 'reject' | 'replace' = 'existing'): NewJob {
  return someJob({ unique: { scope: 'n', key: 'k', onConflict } })
}

function childOf(parent: { readonly id: string } | undefined): NewJob {
  return someJob({ dependsOn: [{ parentId: parent?.id ?? '', policy: 'cancel' }] })
}
