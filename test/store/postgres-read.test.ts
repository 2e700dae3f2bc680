/** A statement by itself may be a conflict where the server's default is SERIALIZABLE: nothing of it is left, and it runs again. */
import { expect, onTestFinished, test } from 'vitest'
import { PostgresDatabase } from '../../src/store/postgres/database.ts'
import { postgresSettings } from '../../src/store/postgres/options.ts'
import { Wake } from '../../src/store/postgres/wake.ts'
import { describeOn, freshStoreUrl } from '../support/servers.ts'

/** More than this is the caller's to know. */
const MOST = 8

await describeOn('postgres', (server) => {
  test.each([
    ['40001', 1, 2],
    ['40P01', MOST - 1, MOST],
    ['40001', MOST, MOST],
    ['42601', 1, 1],
  ])('a read that fails %s, %i times in a row, is sent %i times', async (code, failures, sent) => {
    const settings = postgresSettings(await freshStoreUrl(server))
    const db = new PostgresDatabase(settings, undefined, new Wake(settings))
    db.pool.open()
    onTestFinished(() => db.pool.close())
    let tries = 0
    const read = db.read(async (session) => {
      tries++
      if (tries <= failures) throw Object.assign(new Error('in the way'), { code })
      return (await session.query('SELECT 1')).rows
    })

    if (failures < sent) expect(await read).toEqual([[1]])
    else await expect(read).rejects.toThrow('in the way')
    expect(tries).toBe(sent)
  })
})
