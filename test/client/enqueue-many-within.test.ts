/** `enqueueMany` inside a caller's own transaction. */
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { MAX_BATCH_BYTES } from '../../src/core/batch.ts'
import { defineJob } from '../../src/index.ts'
import { createStore } from '../../src/runtime/store-url.ts'
import { openMill } from '../support/mill.ts'
import { tempStorePath } from '../support/temp-store.ts'
import { wrappedStore } from '../support/wrapped-store.ts'

const plain = defineJob({ name: 'plain', run: (input: unknown) => input })

function openTransaction(path: string): DatabaseSync {
  const db = new DatabaseSync(path)
  onTestFinished(() => db.close())
  db.exec('BEGIN IMMEDIATE')
  return db
}

test.each([
  ['by rows', Array.from({ length: 2500 }, (_, i) => i), [1000, 1000, 500]],
  ['by bytes', Array.from({ length: 50 }, () => 'x'.repeat(30_000)), [34, 16]],
])('goes in batches bounded %s, all of them there when the call returns', async (_, inputs, expected) => {
  const path = tempStorePath()
  const calls: { readonly rows: number; readonly bytes: number }[] = []
  const store = wrappedStore(await createStore(`sqlite:${path}`), (inner) => ({
    insertWithin(tx, jobs) {
      calls.push({ rows: jobs.length, bytes: jobs.reduce((sum, job) => sum + job.payload.byteLength, 0) })
      return inner.insertWithin(tx, jobs)
    },
  }))
  const mill = await openMill({ store, codec: { compress: false } })
  const db = openTransaction(path)

  const adding = mill.enqueueMany(plain, inputs, { tx: db })
  const before = db.prepare('SELECT count(*) AS n FROM millrace_job').get()
  db.exec('COMMIT')
  const jobs = await adding

  expect(before).toMatchObject({ n: inputs.length })
  expect(calls.map(({ rows }) => rows)).toEqual(expected)
  expect(calls.every(({ bytes }) => bytes <= MAX_BATCH_BYTES)).toBe(true)
  expect(new Set(jobs.map((job) => job.id)).size).toBe(inputs.length)
})

test('says what stands in the transaction when a later batch fails', async () => {
  const path = tempStorePath()
  let calls = 0
  const store = wrappedStore(await createStore(`sqlite:${path}`), (inner) => ({
    insertWithin(tx, jobs) {
      if (++calls === 2) throw new Error('no more room')
      return inner.insertWithin(tx, jobs)
    },
  }))
  const mill = await openMill({ store })
  const db = openTransaction(path)

  const adding = mill.enqueueMany(plain, Array(1500).fill(1), { tx: db })

  await expect(adding).rejects.toMatchObject({ code: 'BULK_PARTIAL', fields: { total: 1500, done: { length: 1000 } } })
})

test('is refused when its schema is asynchronous, since the transaction may be over by then', async () => {
  const path = tempStorePath()
  const mill = await openMill({ store: `sqlite:${path}` })
  const slow = defineJob({ name: 'slow', input: z.string().refine(async () => true) })
  const db = openTransaction(path)

  await expect(mill.enqueueMany(slow, ['a', 'b'], { tx: db })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('asynchronous'),
  })
})

test('is refused by a store that has no transactions, as `enqueue` is', async () => {
  const mill = await openMill({ store: 'memory:' })

  await expect(mill.enqueueMany(plain, [1], { tx: {} })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('cannot take part in a transaction'),
  })
})
