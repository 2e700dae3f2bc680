/** Q1 and Q3 of the requirements on the SQLite file itself: whatever text is handed in, only what was asked for changes. */
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/id.ts'
import { HOSTILE } from '../../src/store/conformance/hostile-texts.ts'
import type { NewJob, Store } from '../../src/store/contract/index.ts'
import { connectionOf, createSqliteStore } from '../../src/store/sqlite/store.ts'
import { tempStorePath } from '../support/temp-store.ts'

const LEASE_MS = 30_000

test(`Q1: ${HOSTILE.length} hostile texts in every question and every call about nobody change no table`, async () => {
  const store = await storeWithJobs()
  const before = checksums(store)

  for (const text of HOSTILE) await askAbout(store, text)

  expect(checksums(store)).toEqual(before)
})

test(`Q1: ${HOSTILE.length} hostile texts in every field that is written reach that field and no other`, async () => {
  const store = await storeWithJobs()
  const { rows: before } = await store.jobs.list({ filter: {}, limit: 200 })
  const schema = checksums(store).sqlite_master
  const target = newId()
  await store.jobs.insert([someJob(target)])
  const { payload, ...untouched } = (await store.jobs.get(target)) ?? { payload: null }

  for (const text of HOSTILE) {
    expect(await store.jobs.update([target], { queue: text })).toEqual(['updated'])
    const row = await store.jobs.get(target)
    expect(row).toMatchObject({ ...untouched, queue: text })
    expect(row?.payload).toEqual(payload)
  }

  for (const row of before) expect(await store.jobs.get(row.id)).toEqual(row)
  expect(checksums(store).sqlite_master).toBe(schema)
})

test('Q3: no statement of a store searches by a pattern', () => {
  const folder = resolve(import.meta.dirname, '../../src/store')
  const files = globSync('{sql,sqlite}/**/*.ts', { cwd: folder })

  const found = files.filter((file) => /\b(?:LIKE|GLOB|REGEXP|MATCH)\b/.test(readFileSync(join(folder, file), 'utf8')))

  expect(files.length).toBeGreaterThan(10)
  expect(found).toEqual([])
})

/** Every operation that takes a text, about jobs that no text names. */
async function askAbout(store: Store, text: string): Promise<void> {
  const { jobs, queues, state, cluster } = store
  const lease = { id: text, epoch: 1 }
  expect(await jobs.get(text)).toBeNull()
  for (const filter of [{ names: [text] }, { queues: [text] }, { tag: text }]) {
    expect((await jobs.list({ filter, limit: 10 })).rows).toEqual([])
    expect(await jobs.count(filter, 10)).toEqual({ count: 0, capped: false })
  }
  await expect(async () => jobs.list({ filter: {}, limit: 1, cursor: text })).rejects.toMatchObject({
    code: 'CURSOR_INVALID',
  })
  expect(await jobs.logs(text, 0, 10)).toEqual([])
  expect(await jobs.edges(text)).toEqual([])
  expect(await jobs.finished([text])).toEqual([])
  expect(await jobs.cancel([text])).toEqual(['missing'])
  expect(await jobs.retry([text])).toEqual(['missing'])
  expect(await jobs.update([text], { priority: 1, queue: text })).toEqual(['missing'])
  expect(await jobs.remove([text])).toEqual(['missing'])
  expect(await jobs.extend(text, [lease], LEASE_MS)).toEqual(['lost'])
  expect(await jobs.extendWaiting(text, [lease], LEASE_MS)).toEqual(['lost'])
  expect(await jobs.start(text, lease)).toBe('lost')
  expect(await jobs.report(text, [{ ...lease, progress: 1 }])).toEqual(['lost'])
  expect(await jobs.saveCheckpoint(text, lease, Buffer.from(text))).toBe('lost')
  expect(await jobs.checkpoint(text)).toBeNull()
  expect(await jobs.recover(text, [lease], 10)).toEqual([])
  expect(await jobs.unblock([text], 10)).toBe(0)
  const claim = { workerId: text, queues: [{ queue: text, max: 9 }], names: [text, 'job'], limit: 9, leaseMs: LEASE_MS }
  const settle = [{ ...lease, runMs: 1, to: 'completed', result: null }] as const
  expect(await jobs.exchange({ workerId: text, settle, claim })).toMatchObject({ settled: ['lost'], claimed: [] })
  expect(await queues.stats(text)).toBeNull()
  await queues.resume(text)
  expect(await queues.clear(text, ['pending', 'scheduled'], 10)).toBe(0)
  expect(await state.get(text)).toBeNull()
  expect(await state.put(text, text, 7)).toBeNull()
  expect(await state.list(`no${text}`, 10)).toEqual([])
  await cluster.remove(text)
  expect(await cluster.take(text)).toEqual([])
}

/** A digest of each table's rows, and of the schema. */
function checksums(store: Store): Readonly<Record<string, string>> {
  const { db } = connectionOf(store)
  const tables = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all()
  const names = ['sqlite_master', ...tables.map((row) => String(row.name))]
  return Object.fromEntries(
    names.map((name) => {
      const rows = db.prepare(`SELECT * FROM "${name}" ORDER BY 1, 2`).all()
      return [name, createHash('sha256').update(JSON.stringify(rows)).digest('hex')]
    }),
  )
}

/** A store with something in every table. */
async function storeWithJobs(): Promise<Store> {
  const store = createSqliteStore({ path: tempStorePath(), durability: 'normal' })
  onTestFinished(() => store.close())
  await store.open()
  await store.migrate()
  const ids = Array.from({ length: 20 }, () => newId())
  await store.jobs.insert(ids.map(someJob))
  const claim = { workerId: 'w', queues: [{ queue: 'q', max: 6 }], names: ['job'], limit: 6, leaseMs: LEASE_MS }
  const { claimed } = await store.jobs.exchange({ workerId: 'w', settle: [], claim })
  const logs = [{ seq: 1, level: 'info' as const, message: Buffer.from('line') }]
  await store.jobs.report(
    'w',
    claimed.map(({ id, epoch }) => ({ id, epoch, progress: 0.5, logs })),
  )
  const settle = claimed.slice(0, 4).map(({ id, epoch }, i) => {
    const error = Buffer.from('no')
    return i % 2 === 0
      ? ({ id, epoch, runMs: 1, to: 'completed', result: Buffer.alloc(5_000) } as const)
      : ({ id, epoch, runMs: 1, to: 'retrying', delayMs: 1_000, error } as const)
  })
  await store.jobs.exchange({ workerId: 'w', settle })
  await store.queues.pause('paused', 'me', 'why')
  await store.state.put('key', 'value', null)
  const node = { id: 'n', host: 'h', pid: 1, version: '1', names: ['job'], queues: null, concurrency: 1, running: 0 }
  await store.cluster.post({ to: 'n', verb: 'pause', by: 'me', ttlMs: 600_000 })
  await store.cluster.beat({ ...node, node: 'a', status: 'paused', health: null })
  return store
}

function someJob(id: string, i = 0): NewJob {
  const job = {
    id,
    name: 'job',
    version: 1,
    queue: 'q',
    priority: 5,
    payload: Buffer.from(`payload ${i}`),
    tags: ['t'],
  }
  return i % 3 === 0 ? job : { ...job, unique: { scope: 'job', key: `key ${i}`, onConflict: 'reject' } }
}
