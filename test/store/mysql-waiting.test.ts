/** Hints are waited for on the server (src/store/mysql/waiting.ts), and polled for when that does not work. */
import mysql, { type Connection, type RowDataPacket } from 'mysql2/promise'
import { expect, onTestFinished, test, vi } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { NewJob } from '../../src/store/contract/index.ts'
import { Connection as OwnConnection } from '../../src/store/mysql/connection.ts'
import { mysqlSettings } from '../../src/store/mysql/options.ts'
import { Waiting } from '../../src/store/mysql/waiting.ts'
import { describeOn, freshStoreUrl, migratedStore } from '../support/servers.ts'

const WAITS =
  "SELECT id FROM information_schema.processlist WHERE db = database() AND info LIKE '%millrace_signal%' AND info LIKE '%SLEEP(%' AND id <> connection_id()"
const TELL = 'UPDATE millrace_signal SET count = count + 1'

await describeOn('mysql', (server) => {
  test('a statement under way sees a hint that comes later', async () => {
    const { url, client } = await made()
    const waiting = waitingOn(url)
    const news = waiting.wait({ count: 0, head: null }, true)
    await expect.poll(() => waits(client)).toHaveLength(1)
    await client.query(TELL)

    const look = expect.toSatisfy((number: number) => number > 1)
    expect(await news).toEqual({ count: 1, head: null, isNoticed: false, look })
  })

  test('it sees a job before its commit, and nothing new where nothing is', async () => {
    const { url, store, client } = await made()
    const waiting = waitingOn(url)
    const job = someJob()
    await client.beginTransaction()
    await store.jobs.insertWithin(client, [job])

    expect(await waiting.wait({ count: 0, head: null }, true)).toMatchObject({ count: 0, head: job.id })
    expect(await waiting.wait({ count: 0, head: job.id }, true)).toBeNull()
    await client.rollback()
  })

  test('whoever closes leaves no statement behind', async () => {
    const { url, client } = await made()
    const waiting = waitingOn(url)
    const news = waiting.wait({ count: 0, head: null }, true)
    const isOver = expect(news).rejects.toThrow()
    await expect.poll(() => waits(client)).toHaveLength(1)
    await waiting.close()

    await isOver
    // Sooner than it would end by itself.
    await expect.poll(() => waits(client), { timeout: 500 }).toEqual([])
  })

  test('a listener whose waiting is ended by others hears all the same', async () => {
    const { url, store, client } = await made()
    let heard = 0
    onTestFinished(store.wake.subscribe(() => heard++))
    await expect.poll(() => waits(client), { timeout: 5_000 }).toHaveLength(1)
    const other = await migratedStore(url)
    for (let i = 0; i < 3; i++) {
      for (const id of await waits(client)) await client.query(`KILL ${Number(id)}`)
      const before = heard
      await other.jobs.insert([someJob()])
      await expect.poll(() => heard, { timeout: 5_000 }).toBeGreaterThan(before)
    }
  })

  test('a job of an open transaction is told of again, since its commit tells of none', async () => {
    const { store, client } = await made()
    let heard = 0
    onTestFinished(store.wake.subscribe(() => heard++))
    await expect.poll(() => waits(client), { timeout: 5_000 }).toHaveLength(1)
    await client.beginTransaction()
    await store.jobs.insertWithin(client, [someJob()])

    await expect.poll(() => heard, { timeout: 5_000 }).toBeGreaterThanOrEqual(3)
    await client.rollback()
  })

  test('a connection that the server ended while nobody waited is made anew by the next wait', async () => {
    const { url, client } = await made()
    const waiting = waitingOn(url)
    const opened = vi.spyOn(OwnConnection, 'open')
    onTestFinished(() => opened.mockRestore())
    await client.query(TELL)
    await waiting.wait({ count: 0, head: null }, true)
    const first: OwnConnection | undefined = await opened.mock.results[0]?.value
    await client.query(`KILL ${Number(first?.threadId)}`)
    await expect.poll(() => first?.isBroken, { timeout: 5_000 }).toBe(true)

    expect(await waiting.wait({ count: 0, head: null }, true)).toMatchObject({ count: 1 })
    expect(waiting.mayWait).toBe(true)
  })

  test('a notice that is left lying is no sign of a server that looks only once', async () => {
    const { url, store, client } = await made()
    const waiting = waitingOn(url)
    const known = { count: 0, head: null }
    await client.beginTransaction()
    await store.jobs.insertWithin(client, [{ ...someJob(), delayMs: 3_600_000 }], true)
    await client.commit()
    for (let round = 0; round < 3; round++) {
      expect(await waiting.wait(known, false)).toBeNull()
      expect(await waiting.wait(known, true)).toMatchObject({ isNoticed: true, look: 1 })
    }

    expect(waiting.mayWait).toBe(true)
  })

  async function made() {
    const url = await freshStoreUrl(server)
    const store = await migratedStore(url)
    const client = await mysql.createConnection(url)
    onTestFinished(() => client.end())
    return { url, store, client }
  }
})

function waitingOn(url: string): Waiting {
  const waiting = new Waiting(mysqlSettings(url))
  onTestFinished(() => waiting.close())
  return waiting
}

async function waits(client: Connection): Promise<readonly unknown[]> {
  const [rows] = await client.query<RowDataPacket[]>(WAITS)
  return rows.map(({ id }) => id)
}

function someJob(): NewJob {
  return { id: newId(), name: 'job', version: 1, queue: 'q', priority: 50, payload: Buffer.from('{}') }
}
