/** On PostgreSQL a hint after a rest rides in the insert that it is about; what is in its way costs the hint's place, not the job. */
import pg from 'pg'
import { expect, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import type { NewJob } from '../../src/store/contract/index.ts'
import { postgresStore } from '../support/postgres-store.ts'
import { describeOn } from '../support/servers.ts'

/** What a statement is told by a ride, and by nothing else. */
const RIDES = "current_setting('lock_timeout') = '50ms'"

function someJob(): NewJob {
  return { id: newId(), name: 'job', version: 1, queue: 'q', priority: 5, payload: Buffer.from('{}'), fresh: true }
}

await describeOn('postgres', (server) => {
  /** A store whose table runs `body` for each new job, and the next hint that a listener hears. */
  async function storeWithTrigger(body: string) {
    const { store, client, schema, schemaName } = await postgresStore(server)
    await client.query(
      `CREATE TABLE ${schema}.rode (id text); CREATE FUNCTION ${schema}.seen() RETURNS trigger LANGUAGE plpgsql AS ` +
        `$$ BEGIN ${body.replaceAll('rode', `${schema}.rode`)} RETURN NEW; END $$; CREATE TRIGGER seen BEFORE INSERT ON ` +
        `${schema}.job FOR EACH ROW EXECUTE FUNCTION ${schema}.seen()`,
    )
    const heard = new Promise((resolve) => client.once('notification', resolve))
    await client.query(`LISTEN ${pg.escapeIdentifier(`millrace:${schemaName}`)}`)
    const rode = async () => (await client.query(`SELECT id FROM ${schema}.rode`)).rows.map((row) => String(row.id))
    return { store, heard, rode }
  }

  test('the first after a rest rides, those right behind it do not', async () => {
    const { store, heard, rode } = await storeWithTrigger(`IF ${RIDES} THEN INSERT INTO rode VALUES (NEW.id); END IF;`)
    const [first, second] = [someJob(), someJob()]

    await Promise.all([store.jobs.insert([first]), store.jobs.insert([second])])

    await heard
    expect(await rode()).toEqual([first.id])
  })

  test('a ride that a lock is in the way of is given up, the job is inserted and told of all the same', async () => {
    const { store, heard } = await storeWithTrigger(
      `IF ${RIDES} THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '55P03'; END IF;`,
    )
    const job = someJob()

    expect(await store.jobs.insert([job])).toEqual([{ status: 'created', id: job.id, state: 'pending' }])

    await heard
    expect((await store.jobs.get(job.id))?.state).toBe('pending')
  })
})
