/**
 * A caller's transaction that meets another one: a wait for a lock that is in vain leaves of the failed call nothing in it, a
 * deadlock ends it, and nothing of it is ever committed by itself. The error says to begin again, which makes each job once.
 */
import { randomBytes } from 'node:crypto'
import type { Connection } from 'mysql2/promise'
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { defineJob, MillraceError } from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { mysqlClient } from '../support/mysql-client.ts'
import { untilSomebodyWaits } from '../support/mysql-waits.ts'
import { describeOn, freshStoreUrl } from '../support/servers.ts'

const large = defineJob({ name: 'large', run: (input: unknown) => input })
/** Too large for the row of a job, so that it is written after that; 40 of them are two batches. */
const inputs = (count: number) => Array.from({ length: count }, () => randomBytes(22_000).toString('base64'))
/** As long as the transaction of this is open, whoever writes the payload of that job waits for it. */
const HOLD = "INSERT INTO millrace_bytes (job_id, field, data) VALUES (?, 1, '')"

await describeOn('mysql', (server) => {
  test('a wait in vain: what the call had written before it is undone, and the transaction stands', async () => {
    const { mill, tx, other } = await ground()
    const id = newId()
    await other.beginTransaction()
    await other.execute(HOLD, [id])
    await tx.query('SET SESSION innodb_lock_wait_timeout = 1')
    await tx.beginTransaction()
    await tx.query('INSERT INTO effect (id) VALUES (1)')

    const adding = mill.enqueue(large, inputs(1)[0], { tx, id })

    await expect(adding).rejects.toMatchObject({ code: 'STORE_BUSY', hint: expect.stringMatching(/^Roll your trans/) })
    await other.rollback()
    await tx.commit()
    expect(await mill.count()).toMatchObject({ count: 0 })
    expect(await effects(other)).toBe(1)
  })

  test('a deadlock at the second batch: nothing of the first is there, and begun again each job is there once', async () => {
    const { mill, tx, other } = await ground()
    const all = inputs(40)
    const ids = all.map(() => newId())
    const [last = ''] = ids.slice(-1)
    // It has changed more than the other, so that the server ends the other.
    await other.beginTransaction()
    await other.query('INSERT INTO effect (id) VALUES ?', [Array.from({ length: 5_000 }, (_, i) => [1_000 + i])])
    await other.execute(HOLD, [last])
    await tx.beginTransaction()
    await tx.query('INSERT INTO effect (id) VALUES (1)')

    const adding = mill.enqueueMany(large, all, { tx, ids }).catch((error: unknown) => error)
    await untilSomebodyWaits(other)
    await other.query('SELECT id FROM effect WHERE id = 1 FOR UPDATE')
    const error = await adding
    // What stands behind the deadlock would have been committed by itself.
    const left = await mill.count()
    await other.rollback()

    if (!(error instanceof MillraceError)) throw error
    expect(error).toMatchObject({ code: 'STORE_BUSY', fields: { total: 40, done: [], ids } })
    expect(error.message).toContain('Deadlock')
    expect(error.hint).toMatch(/^Roll your transaction back and begin it again/)
    expect(left).toMatchObject({ count: 0 })
    await tx.rollback()
    expect(await effects(other)).toBe(0)
    await tx.beginTransaction()
    await mill.enqueueMany(large, all, { tx, ids })
    await tx.commit()
    expect(await mill.count()).toMatchObject({ count: 40 })
  })

  async function ground() {
    const url = await freshStoreUrl(server)
    const mill = await openMill({ store: url, codec: { compress: false } })
    const tx = await mysqlClient(url)
    const other = await mysqlClient(url)
    await other.query('CREATE TABLE effect (id INT PRIMARY KEY) ENGINE=InnoDB')
    onTestFinished(() => other.rollback())
    return { mill, tx, other }
  }
})

async function effects(client: Connection): Promise<number> {
  const [rows] = await client.query('SELECT id FROM effect')
  return (rows as unknown[]).length
}
