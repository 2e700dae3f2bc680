/** `notify` on MySQL and MariaDB: a notice in the caller's transaction (src/store/mysql/notices.ts). */
import type { RowDataPacket } from 'mysql2/promise'
import { expect, onTestFinished, test, vi } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { defineJob } from '../../src/index.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import type { NewJob, Store } from '../../src/store/contract/index.ts'
import { Connection as OwnConnection } from '../../src/store/mysql/connection.ts'
import { mysqlSettings } from '../../src/store/mysql/options.ts'
import { Waiting } from '../../src/store/mysql/waiting.ts'
import { openMill } from '../support/mill.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { generator, seedOf } from '../support/random.ts'
import { describeOn, freshStoreUrl, migratedStore } from '../support/servers.ts'
import { workerAtRest } from './worker-at-rest.ts'

/** First in line whatever comes, so that no other job that comes is. */
const FIRST = { priority: 100 }
const TRANSACTIONS = 40

await describeOn('mysql', (server) => {
  test('is seen at the commit and not before, whatever its number, and never after a rollback', async () => {
    const { url, store, client: earlier } = await made()
    const later = await mysqlClient(url)
    const first = await inserted(store, FIRST)
    const count = await hintsOf(later)
    const waiting = new Waiting(mysqlSettings(url))
    onTestFinished(() => waiting.close())
    const news = () => waiting.wait({ count, head: first.id }, true)
    for (const tx of [earlier, later]) {
      await tx.beginTransaction()
      await store.jobs.insertWithin(tx, [someJob()], true)
    }

    expect(await news()).toBeNull()
    await later.commit()
    expect(await news()).toMatchObject({ isNoticed: true })
    await later.query('DELETE FROM millrace_notice ORDER BY seq DESC LIMIT 1')
    expect(await news()).toBeNull()
    await earlier.rollback()
    expect(await news()).toBeNull()
  })

  test('is heard by all who listen, taken away, and counted as a hint for those who look at hints alone', async () => {
    const { url, store, client } = await made()
    const stores = [store, await migratedStore(url), await migratedStore(url)]
    await inserted(store, FIRST)
    const heard = stores.map(() => 0)
    for (const [i, each] of stores.entries()) onTestFinished(each.wake.subscribe(() => void heard.fill(1, i, i + 1)))
    for (let round = 0; round < 3; round++) {
      const hints = await hintsOf(client)
      await client.beginTransaction()
      await store.jobs.insertWithin(client, [someJob()], true)
      heard.fill(0)
      await client.commit()

      await expect.poll(() => heard, { timeout: 10_000 }).toEqual([1, 1, 1])
      await expect.poll(() => noticesOf(client), { timeout: 10_000 }).toBe(0)
      expect(await hintsOf(client)).toBeGreaterThan(hints)
    }
  })

  test('is passed on without holding the hints of others, should the program stand still meanwhile', async () => {
    const { url, store, client } = await made()
    const other = await mysqlClient(url)
    await inserted(store, FIRST)
    const hints = await hintsOf(other)
    let goOn = () => {}
    const isLetGo = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const commit = OwnConnection.prototype.commit
    const commits = vi.fn()
    const stilled = vi.spyOn(OwnConnection.prototype, 'commit').mockImplementation(async function (
      this: OwnConnection,
    ) {
      commits()
      await isLetGo
      return commit.call(this)
    })
    onTestFinished(() => stilled.mockRestore())
    onTestFinished(goOn)
    await client.beginTransaction()
    await store.jobs.insertWithin(client, [someJob()], true)
    await client.commit()
    onTestFinished(store.wake.subscribe(() => undefined))
    await expect.poll(() => commits.mock.calls.length, { timeout: 10_000 }).toBe(1)

    await other.query('SET SESSION innodb_lock_wait_timeout = 1')
    await other.query('UPDATE millrace_signal SET count = count + 1 WHERE id = 1')
    goOn()
    await expect.poll(() => noticesOf(other), { timeout: 10_000 }).toBe(0)
    await expect.poll(() => countOf(other), { timeout: 10_000 }).toBe(hints + 2)
  })

  test('of many transactions at once each starts its job by its commit, with no poll, and a rolled back one none', async () => {
    const url = await freshStoreUrl(server)
    const mill = await openMill({ store: url })
    await mill.enqueue(defineJob({ name: 'unknown here', run: () => undefined }), undefined, FIRST)
    const ran = new Set<string>()
    const kinds = ['one', 'other'].map((name) => defineJob({ name, run: (_: undefined, job) => void ran.add(job.id) }))
    for (const kind of kinds) await workerAtRest(url, [kind], 'heard')
    const random = generator(seedOf(3))
    const committed = new Set<string>()
    const clients = await Promise.all(Array.from({ length: 6 }, () => mysqlClient(url)))

    let begun = 0
    await Promise.all(
      clients.map(async (tx) => {
        await tx.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
        while (begun < TRANSACTIONS) {
          const kind = kinds[begun++ % 2] ?? kinds[0]
          if (kind === undefined) return
          await tx.beginTransaction()
          const ids: string[] = []
          for (let jobs = 1 + Math.floor(random() * 3); jobs > 0; jobs--)
            ids.push((await mill.enqueue(kind, undefined, { tx, notify: true })).id)
          const isKept = random() < 0.7
          await tx[isKept ? 'commit' : 'rollback']()
          if (isKept) for (const id of ids) committed.add(id)
        }
      }),
    )

    expect(committed.size).toBeGreaterThan(10)
    await expect.poll(() => [...committed].filter((id) => !ran.has(id)), { timeout: 15_000 }).toEqual([])
    expect([...ran].filter((id) => !committed.has(id))).toEqual([])
  }, 60_000)

  test('is left to others by a viewer, who hears hints as before', async () => {
    const url = server.freshUrl()
    await server.create(url)
    onTestFinished(() => server.drop(url))
    const roles = await server.rolesOf(url)
    await (await opened(roles.migrator)).migrate()
    const worker = await opened(roles.worker)
    await inserted(worker, FIRST)
    const viewer = await opened(roles.viewer)
    let heard = 0
    onTestFinished(viewer.wake.subscribe(() => heard++))
    const tx = await mysqlClient(roles.worker)
    await tx.beginTransaction()
    await worker.jobs.insertWithin(tx, [someJob()], true)
    await tx.commit()

    for (let round = 0; round < 3; round++) {
      const before = heard
      await inserted(worker)
      await expect.poll(() => heard, { timeout: 10_000 }).toBeGreaterThan(before)
    }
    expect(await noticesOf(tx)).toBe(1)
    onTestFinished(worker.wake.subscribe(() => undefined))
    await expect.poll(() => noticesOf(tx), { timeout: 10_000 }).toBe(0)
  })

  async function made() {
    const url = await freshStoreUrl(server)
    return { url, store: await migratedStore(url), client: await mysqlClient(url) }
  }
})

/** How many hints there were, and none is on its way. */
async function hintsOf(client: Awaited<ReturnType<typeof mysqlClient>>): Promise<number> {
  let known = -1
  const isSettled = async () => {
    const before = known
    known = await countOf(client)
    return known > 0 && known === before
  }
  await expect.poll(isSettled, { interval: 300, timeout: 10_000 }).toBe(true)
  return known
}

async function countOf(client: Awaited<ReturnType<typeof mysqlClient>>): Promise<number> {
  const [rows] = await client.query<RowDataPacket[]>('SELECT count FROM millrace_signal')
  return Number(rows[0]?.count)
}

async function noticesOf(client: Awaited<ReturnType<typeof mysqlClient>>): Promise<number> {
  const [rows] = await client.query<RowDataPacket[]>('SELECT count(*) AS n FROM millrace_notice')
  return Number(rows[0]?.n)
}

async function opened(url: string): Promise<Store> {
  const store = await createStore(url)
  await store.open()
  onTestFinished(() => store.close())
  return store
}

async function inserted(store: Store, given: Partial<NewJob> = {}): Promise<NewJob> {
  const job = { ...someJob(), ...given }
  await store.jobs.insert([job])
  return job
}

function someJob(): NewJob {
  return { id: newId(), name: 'job', version: 1, queue: 'q', priority: 50, payload: Buffer.from('{}') }
}
