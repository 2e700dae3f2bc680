/** `enqueueMany` inside a caller's own transaction. */
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { MAX_BATCH_BYTES } from '../../src/core/batch.ts'
import { type BulkEnqueueFields, defineJob, type Millrace, type MillraceError, StoreError } from '../../src/index.ts'
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

/** Its insert within a transaction fails at the `calls`th call. */
async function failingAt(calls: number, path: string, error: Error): Promise<Millrace> {
  let count = 0
  const store = wrappedStore(await createStore(`sqlite:${path}`), (inner) => ({
    insertWithin(tx, jobs) {
      if (++count === calls) throw error
      return inner.insertWithin(tx, jobs)
    },
  }))
  return openMill({ store })
}

const BUSY = new StoreError('transient', 'STORE_BUSY', 'deadlock', { hint: 'Look for locks.', fields: { store: 's' } })

test.each([1, 2])(
  'claims nothing of a transaction in which batch %i failed: it is begun again, with the ids',
  async (at) => {
    const path = tempStorePath()
    const mill = await failingAt(at, path, BUSY)
    const db = openTransaction(path)
    const inputs = Array.from({ length: 2500 }, (_, i) => i)

    const error = await mill.enqueueMany(plain, inputs, { tx: db }).catch((each: unknown) => each as MillraceError)

    if (!(error instanceof StoreError)) throw new Error('it is not the error of the store')
    expect(error).toMatchObject({ kind: 'transient', code: 'STORE_BUSY', message: 'deadlock', cause: BUSY })
    expect(error.hint).toMatch(/^Roll your transaction back and begin it again.*error\.fields\.ids.*Look for locks\.$/)
    // What its docstring promises.
    const fields = error.fields as unknown as BulkEnqueueFields
    expect(fields).toMatchObject({ store: 's', total: 2500, done: [], refused: [] })
    expect(fields.unknown).toEqual(fields.ids.slice(0, at * 1000).map((id, index) => ({ index, id })))
    expect(fields.remaining).toEqual(inputs.slice(at * 1000))

    db.exec('ROLLBACK')
    db.exec('BEGIN IMMEDIATE')
    await mill.enqueueMany(plain, inputs, { tx: db, ids: fields.ids })
    db.exec('COMMIT')
    expect(await mill.count({}, 10_000)).toMatchObject({ count: 2500 })
  },
)

test('one job is told the same', async () => {
  const path = tempStorePath()
  const mill = await failingAt(1, path, BUSY)
  const db = openTransaction(path)

  await expect(mill.enqueue(plain, 1, { tx: db })).rejects.toMatchObject({
    kind: 'transient',
    code: 'STORE_BUSY',
    fields: { store: 's' },
    hint: expect.stringMatching(/^Roll your transaction back and begin it again.*Look for locks\.$/),
    cause: BUSY,
  })
})

test.each([
  ['a refusal of the database at the first batch', 1, new StoreError('schema', 'STORE_READ_ONLY', 'no right')],
  ['a fault that is not of the store', 2, new Error('a bug')],
])('%s is passed on as it is', async (_, at, error) => {
  const path = tempStorePath()
  const mill = await failingAt(at, path, error)
  const db = openTransaction(path)

  await expect(mill.enqueueMany(plain, Array(1500).fill(1), { tx: db })).rejects.toBe(error)
})

test('says what stands in the transaction when rows were refused: the others do', async () => {
  const path = tempStorePath()
  const store = wrappedStore(await createStore(`sqlite:${path}`), (inner) => ({
    insertWithin: (tx, jobs) =>
      inner.insertWithin(
        tx,
        jobs.map((job, i) => (i === 1 ? { ...job, priority: 101 } : job)),
      ),
  }))
  const mill = await openMill({ store })
  const db = openTransaction(path)

  const adding = mill.enqueueMany(plain, [0, 1, 2], { tx: db })

  await expect(adding).rejects.toMatchObject({
    code: 'BULK_PARTIAL',
    fields: { done: [{ index: 0 }, { index: 2 }], refused: [{ index: 1 }], unknown: [], remaining: [1] },
    hint: expect.stringContaining('stands in your transaction'),
  })
  expect(db.prepare('SELECT count(*) AS n FROM millrace_job').get()).toMatchObject({ n: 2 })
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
