/** Workers that have used up what they may are replaced, and only those. */
import { expect, test } from 'vitest'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { until, workNode } from '../support/node-run.ts'

test('--max-memory 50mb replaces a worker whose jobs leak, in good order, and names them', async () => {
  const app = await nodeApp()
  const node = workNode(app, '--processes 1 --concurrency 1 --max-memory 50mb')
  await node.ready(1)
  const { pid: first = 0 } = node.workers()[0] ?? {}

  await app.mill.enqueueMany(
    JOBS.leak,
    // Slowly: its share of the pages of others that end meanwhile counts, too, and names take a few samples, one a second.
    Array.from({ length: 9 }, (_, n) => ({ n, mb: 8, ms: 1_300 })),
  )

  expect(await node.event('process.replacing')).toMatchObject({
    pid: first,
    // 50 MB are 47.7 MiB.
    why: expect.stringMatching(
      /^its memory grew by (4[7-9]|[5-9]\d)(\.\d+)? MiB; its heap with the jobs leak \d\d(\.\d+)? MiB$/,
    ),
  })
  expect(await node.event('process.ended')).toMatchObject({ pid: first, how: 'stopped in good order' })
  await node.ready(1)
  await until(async () => (await app.mill.count({ state: 'completed' })).count).toBe(9)
  expect(app.ran()).toHaveLength(18)
}, 60_000)

test('--max-memory 50mb kills a worker that grew by twice as much at once, and the job that did it is taken back as a crash', async () => {
  const app = await nodeApp()
  const { id } = await app.mill.enqueue(JOBS.leak, { n: 1, mb: 300, ms: 600_000 })
  const node = workNode(app, '--processes 1 --max-memory 50mb')

  expect((await node.event('process.ended')).how).toMatch(/^was killed: its memory grew by \d{3}/)
  await until(async () => (await app.mill.get(id))?.crashes ?? 0).toBeGreaterThan(0)
}, 60_000)

test('--max-memory 50mb kills a worker, too, that grows by twice as much while it drains', async () => {
  const app = await nodeApp("worker: { stopWithin: '10m' }")
  const { id } = await app.mill.enqueue(JOBS.swell, { n: 1, mb: 300, ms: 1_500 })
  const node = workNode(app, '--processes 1 --max-memory 50mb')
  await until(() => app.ran().length).toBe(1)

  node.signal('SIGTERM')

  expect((await node.event('process.ended')).how).toMatch(/^was killed: its memory grew by \d{3}/)
  expect(await node.ended).toEqual({ code: 0, signal: null })
  expect(await app.mill.get(id)).toMatchObject({ state: 'pending', crashes: 1 })
}, 60_000)

test('--max-memory 50mb never replaces a worker whose jobs leave only garbage', async () => {
  const app = await nodeApp()
  const node = workNode(app, '--processes 1 --concurrency 10 --max-memory 50mb')
  await node.ready(1)

  await app.mill.enqueueMany(
    JOBS.garbage,
    Array.from({ length: 60 }, (_, n) => ({ n, mb: 20, ms: 100 })),
  )

  await until(async () => (await app.mill.count({ state: 'completed' })).count).toBe(60)
  // Looked at once more, with nothing running.
  const looked = node.events().length
  expect(looked).toBeGreaterThan(60)
  expect(node.events('process.replacing')).toEqual([])
  expect(node.killed()).toEqual([])
}, 60_000)

test('--max-memory 50mb never replaces a worker whose jobs run in threads and hold nothing, and one whose jobs leak there', async () => {
  const app = await nodeApp()
  const node = workNode(app, '--processes 1 --concurrency 4 --max-memory 50mb')
  await node.ready(1)
  const { pid: first } = node.workers()[0] ?? {}

  await app.mill.enqueueMany(
    JOBS.threaded,
    Array.from({ length: 60 }, (_, n) => ({ n, mb: 2, ms: 300 })),
  )
  await until(async () => (await app.mill.count({ state: 'completed' })).count).toBe(60)
  expect(node.events('process.replacing')).toEqual([])
  expect(node.killed()).toEqual([])

  // All of it is more than the limit and less than twice as much, for which it would be killed.
  await app.mill.enqueueMany(
    JOBS.threaded,
    Array.from({ length: 16 }, (_, n) => ({ n, mb: 5, ms: 300, keeps: true })),
  )
  expect(await node.event('process.replacing')).toMatchObject({
    pid: first,
    why: expect.stringMatching(/^its memory grew by \d+(\.\d+)? MiB; its heap with the jobs threaded \d+(\.\d+)? MiB$/),
  })
  await until(async () => (await app.mill.count({ state: 'completed' })).count).toBe(76)
}, 90_000)

test('--max-jobs and --max-age replace a worker after so many jobs and at that age, and no job is lost', async () => {
  const app = await nodeApp()
  await app.mill.enqueueMany(
    JOBS.slow,
    Array.from({ length: 12 }, (_, n) => ({ n, ms: 100 })),
  )
  const node = workNode(app, '--processes 1 --concurrency 1 --max-jobs 3 --max-age 5s')

  await node.event('process.replacing', ({ why = '' }) => /^it has done \d+ jobs$/.test(why))
  await until(async () => (await app.mill.count({ state: 'completed' })).count).toBe(12)
  expect(app.ran()).toHaveLength(24)
  const byAge = await node.event('process.replacing', ({ why = '' }) => /^it is \d+ s old$/.test(why))
  await node.event('process.ended', ({ pid }) => pid === byAge.pid)
  await node.ready(1)
}, 60_000)

test('the configuration may say after how many jobs; a node that should drain is refused', async () => {
  const app = await nodeApp('worker: { maxJobs: 2 }')
  await app.mill.enqueueMany(
    JOBS.slow,
    Array.from({ length: 3 }, (_, n) => ({ n, ms: 50 })),
  )
  const node = workNode(app, '--processes 1 --concurrency 1')
  expect((await node.event('process.replacing')).why).toMatch(/^it has done [23] jobs$/)
  await until(async () => (await app.mill.count({ state: 'completed' })).count).toBe(3)
  node.signal('SIGTERM')
  await node.ended

  const drains = workNode(await nodeApp('worker: { drain: true }'), '--processes 1')
  expect(await drains.ended).toEqual({ code: 3, signal: null })
  expect(drains.stderr).toContain('`worker.drain` of the configuration')
}, 60_000)
