/** A session that stays ready for the next transaction (src/store/mysql/connection.ts): what is run outside of one commits itself. */
import type { RowDataPacket } from 'mysql2/promise'
import { expect, onTestFinished, test, vi } from 'vitest'
import { newJob } from '../../src/store/conformance/fixture.ts'
import type { Store } from '../../src/store/contract/index.ts'
import { Connection } from '../../src/store/mysql/connection.ts'
import { mysqlSettings } from '../../src/store/mysql/options.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { borrowedStoreUrl, describeOn, migratedStore } from '../support/servers.ts'

const TABLES = ['job', 'ready', 'queue', 'signal', 'archive', 'message']
const BEGIN = 'SET autocommit = 0'
const LEAVE = 'SET autocommit = 1'

await describeOn('mysql', (server) => {
  test('is set up once for transactions that follow each other, and once more after something else', async () => {
    const { store } = await ground()
    await change(store)
    const said = vi.spyOn(Connection.prototype, 'run')
    const commits = vi.spyOn(Connection.prototype, 'commit')
    onTestFinished(() => said.mockRestore())
    onTestFinished(() => commits.mockRestore())
    const begins = () => said.mock.calls.filter(([text]) => text === BEGIN).length
    for (let i = 0; i < 5; i++) await change(store)
    expect([begins(), commits.mock.calls.length]).toEqual([0, 5])

    await store.ping()
    await change(store)
    expect(begins()).toBe(1)
    await store.ping()
    await store.ping()
    for (let i = 0; i < 5; i++) await change(store)
    expect(begins()).toBe(2)
  })

  test('holds no table, neither after a transaction nor after a reading behind one', async () => {
    const { url, store } = await ground()
    const other = await mysqlClient(url)
    await other.query('SET SESSION lock_wait_timeout = 1')
    const locked = async () => {
      await other.query(`LOCK TABLES ${TABLES.map((name) => `millrace_${name} WRITE`).join()}`)
      await other.query('UNLOCK TABLES')
    }
    await store.jobs.insert([newJob()])
    await locked()
    await change(store)
    await locked()
    await store.jobs.get('no such job')
    await locked()
    await change(store)
  })

  test.for([BEGIN, LEAVE])('where the server refuses %s, another one takes its place', async (refused) => {
    const { store } = await ground()
    await change(store)
    if (refused === BEGIN) await store.ping()
    const { Connection: Raw } = (await import('mysql2')).default
    const query = Raw.prototype.query
    let refusals = 0
    const refusing = vi.spyOn(Raw.prototype, 'query').mockImplementation(function (this: unknown, ...args: unknown[]) {
      const [text, onEnd] = args
      if (text !== refused || ++refusals > 1) return Reflect.apply(query, this, args)
      if (typeof onEnd === 'function') onEnd(Object.assign(new Error('interrupted'), { errno: 1317 }))
      return undefined as never
    })
    onTestFinished(() => refusing.mockRestore())
    const destroyed = vi.spyOn(Connection.prototype, 'destroy')
    onTestFinished(() => destroyed.mockRestore())

    await (refused === BEGIN ? change(store) : store.ping()).catch(() => undefined)
    expect(destroyed).toHaveBeenCalled()
    expect(refusals).toBe(1)
    expect(await store.jobs.insert([newJob({ id: 'a' })])).toMatchObject([{ status: 'created' }])
    expect(await store.jobs.cancel(['a'])).toMatchObject(['cancelled'])
  })

  test('nothing of a transaction comes behind its end', async () => {
    const { url, store } = await ground()
    const other = await mysqlClient(url)
    const connection = await Connection.open(mysqlSettings(url), 10_000)
    onTestFinished(() => connection.close())
    const rowsOf = async () => (await other.query<RowDataPacket[]>('SELECT * FROM millrace_signal'))[0]
    const before = await rowsOf()
    const raise = () => connection.execute('UPDATE millrace_signal SET count = count + 1 WHERE id = 1', [])
    for (const end of ['rollback', 'commit'] as const) {
      await connection.begin()
      const first = connection.execute('SELECT 1', [])
      const second = first.then(raise)
      await Promise.all([connection[end](), expect(second).rejects.toThrow('over')])
    }
    expect(await rowsOf()).toEqual(before)
    await raise()
    expect(await rowsOf()).not.toEqual(before)
    await store.ping()
  })

  async function ground() {
    const url = await borrowedStoreUrl(server)
    const store = await migratedStore(`${url}?pool=1`)
    return { url, store }
  }
})

/** A transaction that nobody is told of. */
async function change(store: Store): Promise<void> {
  await store.queues.pause('q', 'me', '')
}
