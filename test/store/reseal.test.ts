/** What re-sealing leaves in the SQLite file: nothing that was sealed with the key before. */
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { connectionOf, createSqliteStore } from '../../src/store/sqlite/store.ts'
import { invariantFaults } from '../support/invariants.ts'
import { tempStorePath } from '../support/temp-store.ts'

test('a payload that becomes small leaves its old bytes nowhere', async () => {
  const path = tempStorePath()
  const store = createSqliteStore({ path, durability: 'normal' })
  onTestFinished(() => store.close())
  await store.open()
  await store.migrate()
  const id = newId()
  const payload = Buffer.alloc(5_000, 'old')
  await store.jobs.insert([{ id, name: 'job', version: 1, queue: 'q', priority: 5, payload }])

  await store.jobs.reseal(null, 10, ({ fields }) => fields.map((field) => ({ ...field, bytes: Buffer.from('new') })))

  expect(Buffer.from((await store.jobs.get(id))?.payload ?? []).toString()).toBe('new')
  expect(connectionOf(store).db.prepare('SELECT count(*) AS count FROM millrace_bytes').get()).toEqual({ count: 0 })
  expect(await invariantFaults(`sqlite:${path}`)).toEqual([])
})
