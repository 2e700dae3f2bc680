/** A deadlock ends a transaction of these servers at once: what was sent behind the statement that met it must not commit itself. */
import { expect, it, onTestFinished } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { createMysqlStore } from '../../src/store/mysql/store.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { untilSomebodyWaits } from '../support/mysql-waits.ts'
import { describeOn } from '../support/servers.ts'

const LOCK = 'SELECT 1 FROM millrace_job WHERE id = ? FOR UPDATE'

await describeOn('mysql', (server) => {
  it('a settlement that meets a deadlock is made again, and no job of it is gone', async () => {
    const url = server.freshUrl()
    await server.create(url)
    const store = createMysqlStore({ url })
    await store.open()
    onTestFinished(async () => {
      await store.close()
      await server.drop(url)
    })
    await store.migrate()
    const jobs = Array.from({ length: 2 }, () => ({
      ...{ id: newId(), name: 'n', version: 1, queue: 'q', priority: 5 },
      payload: Buffer.from('{}'),
    }))
    await store.jobs.insert(jobs)
    const claim = { workerId: 'w', queues: [{ queue: 'q', max: 5 }], names: ['n'], limit: 5, leaseMs: 60_000 }
    const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
    const [first, second] = claimed.map(({ id }) => id).toSorted()
    const [other, watch] = [await mysqlClient(url), await mysqlClient(url)]
    await other.beginTransaction()
    // The server undoes the transaction that has written less: never this one.
    const rows = Array.from({ length: 200 }, (_, i) => `('heavy ${i}', '', 1)`)
    await other.query(`INSERT INTO millrace_state (state_key, value, version) VALUES ${rows.join(', ')}`)
    await other.execute(LOCK, [second ?? ''])

    const settle = claimed.map(({ id, epoch }) => ({ id, epoch, runMs: 1, to: 'completed', result: null }) as const)
    const exchange = store.jobs.exchange({ workerId: 'w', settle })
    await untilSomebodyWaits(watch)
    await other.execute(LOCK, [first ?? ''])
    await other.rollback()

    expect((await exchange).settled).toEqual(['settled', 'settled'])
    const ended = await store.jobs.finished(jobs.map(({ id }) => id))
    expect(ended.map(({ state }) => state)).toEqual(['completed', 'completed'])
  })
})
