/** Another program holds the database's lock for longer than we wait. */
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { defineJob, Millrace, StoreError } from '../../src/index.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import { openMill } from '../support/mill.ts'
import { tempStorePath } from '../support/temp-store.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })

describe('a database that another program has locked', () => {
  test('refuses writes with STORE_BUSY after the deadline, is read meanwhile, and takes the same call later', async () => {
    const path = tempStorePath()
    const mill = await openMill({ store: `sqlite:${path}?busy=100ms` })
    const first = await mill.enqueue(plain, 'acknowledged')
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')

    const results = await Promise.allSettled([mill.enqueue(plain, 1), mill.enqueue(plain, 2), mill.cancel(first.id)])

    for (const result of results) {
      const { reason } = result as PromiseRejectedResult
      expect(reason).toBeInstanceOf(StoreError)
      expect(reason).toMatchObject({ code: 'STORE_BUSY', kind: 'transient', fields: { path } })
      expect(reason.message).toContain(path)
      expect(reason.hint).not.toBe('')
    }
    expect(await mill.get(first.id)).toMatchObject({ input: 'acknowledged' })
    expect(await mill.count()).toMatchObject({ count: 1 })

    other.exec('COMMIT')
    other.close()
    await mill.enqueue(plain, 1)
    expect(await mill.count()).toMatchObject({ count: 2 })
  })

  test('cannot be opened while it is held exclusively, and says so', async () => {
    const path = tempStorePath()
    await (await Millrace.open({ store: `sqlite:${path}` })).close()
    const other = new DatabaseSync(path)
    other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE theirs (a); COMMIT')

    await expect(Millrace.open({ store: `sqlite:${path}?busy=50ms` })).rejects.toMatchObject({ code: 'STORE_BUSY' })
    other.close()
    await (await Millrace.open({ store: `sqlite:${path}` })).close()
  })

  test('is waited for by a worker, which then goes on by itself, every job run once', async () => {
    const path = tempStorePath()
    const mill = await openMill({ store: `sqlite:${path}?busy=50ms` })
    const other = new DatabaseSync(path)
    const runs: unknown[] = []
    const failures: unknown[] = []
    const locks = defineJob({
      name: 'locks',
      run: (n: number) => {
        runs.push(n)
        if (n === 3) other.exec('BEGIN IMMEDIATE')
      },
    })
    await mill.enqueueMany(locks, [1, 2, 3, 4, 5, 6])
    mill.on('store.failed', ({ error }) => failures.push(error))
    mill.work([locks], { concurrency: 1, poll: '10ms' })

    await expect.poll(() => failures.length, { timeout: 20_000 }).toBeGreaterThan(0)
    expect(failures[0]).toMatchObject({ code: 'STORE_BUSY' })
    other.exec('ROLLBACK')
    other.close()

    await expect.poll(() => mill.count({ state: 'completed' }), { timeout: 20_000 }).toMatchObject({ count: 6 })
    expect(runs.toSorted()).toEqual([1, 2, 3, 4, 5, 6])
  }, 60_000)

  test('in the middle of cancelling many: BULK_PARTIAL names what is done and what is not, and it is true', async () => {
    const path = tempStorePath()
    const other = new DatabaseSync(path)
    let calls = 0
    const store = wrappedStore(await createStore(`sqlite:${path}?busy=50ms`), (inner) => ({
      cancel: (ids) => {
        if (++calls === 3) other.exec('BEGIN IMMEDIATE')
        return inner.cancel(ids)
      },
    }))
    const mill = await openMill({ store })
    const ids = (
      await mill.enqueueMany(
        plain,
        Array.from({ length: 1700 }, (_, i) => i),
      )
    ).map(({ id }) => id)

    const error = await mill.cancel(ids).catch((each: unknown) => each)

    expect(error).toMatchObject({
      code: 'BULK_PARTIAL',
      cause: { code: 'STORE_BUSY' },
      fields: {
        total: 1700,
        done: ids.slice(0, 1000).map((id) => ({ id, outcome: 'cancelled' })),
        remaining: ids.slice(1000),
      },
    })
    other.exec('ROLLBACK')
    other.close()
    expect(await mill.count({ state: 'cancelled' })).toMatchObject({ count: 1000 })
    expect(await mill.count({ state: 'pending' })).toMatchObject({ count: 700 })
    expect(await mill.cancel(ids.slice(1000))).toHaveLength(700)
  })
})
