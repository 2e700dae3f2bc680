/** Handlers that block their worker's event loop: the supervisor keeps the leases for a while, and then ends it. */
import { expect, test } from 'vitest'
import { describeOnEvery } from '../support/every-store.ts'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { until, workNode } from '../support/node-run.ts'

const LEASE_MS = 1_500

await describeOnEvery(({ freshUrl }) => {
  test('a handler that blocks the loop for three lease times keeps its lease, and so do those beside it', async () => {
    const app = await nodeApp(`worker: { lease: '${LEASE_MS}ms' }`, await freshUrl())
    const node = workNode(app, '--processes 2 --concurrency 2')
    await node.ready(2)
    const ids = await Promise.all([
      app.mill.enqueue(JOBS.slow, { n: 'beside', ms: 3 * LEASE_MS }),
      app.mill.enqueue(JOBS.slow, { n: 'elsewhere', ms: 3 * LEASE_MS }),
      app.mill.enqueue(JOBS.slow, { n: 'there', ms: 3 * LEASE_MS }),
    ])
    await until(() => app.ran().length).toBe(3)

    const blocking = await app.mill.enqueue(JOBS.block, { n: 'blocking', ms: 3.2 * LEASE_MS })

    for (const { id } of [...ids, blocking])
      await until(async () => app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1 })
    for (const n of ['beside', 'elsewhere', 'there', 'blocking']) expect(app.begins(n)).toBe(1)
    const blocked = app.ran().find(({ n }) => n === 'blocking')?.pid
    expect(node.events('process.stalled').map(({ pid }) => pid)).toContain(blocked)
    await node.event('process.heard', ({ pid, silentMs = 0 }) => pid === blocked && silentMs > 2 * LEASE_MS)
    expect(node.events('lease.lost')).toEqual([])
    expect(node.events('process.ended')).toEqual([])
  }, 60_000)
})

test('past the stall limit the worker is killed within a second, and its job is taken back as a crash', async () => {
  const app = await nodeApp(`worker: { lease: '3s' }`)
  const node = workNode(app, '--processes 2 --concurrency 2 --stall-limit 2s')
  await node.ready(2)

  const blocking = await app.mill.enqueue(JOBS.block, { n: 'blocking', ms: 600_000 })

  const killed = await node.event('process.ended')
  const begun = app.ran()[0]
  expect(killed).toMatchObject({
    pid: begun?.pid,
    how: expect.stringMatching(/^was killed: its event loop was blocked for 2\d{3} ms/),
  })
  expect(Date.parse(killed.at) - (begun?.at ?? 0)).toBeLessThan(3_000)
  expect(await node.event('job.reclaimed')).toMatchObject({ jobId: blocking.id, outcome: 'pending', crashes: 1 })
  await until(() => app.begins('blocking')).toBe(2)
  expect(await app.mill.get(blocking.id)).toMatchObject({ attempts: 0 })
}, 60_000)

test('a job that is cancelled while it blocks the loop has its worker killed soon after the grace, and it is cancelled, no crash', async () => {
  const app = await nodeApp(`worker: { grace: '1s' }`)
  const node = workNode(app, '--processes 1 --concurrency 1')
  await node.ready(1)
  const { id } = await app.mill.enqueue(JOBS.block, { n: 'blocking', ms: 600_000 })
  await until(() => app.ran().length).toBe(1)

  await app.mill.cancel([id])

  const cancelledAt = performance.now()
  const { how } = await node.event('process.ended')
  const tookMs = performance.now() - cancelledAt
  expect(how).toBe('was killed: a job of it was cancelled, and its event loop is blocked')
  // It is silent after two and a half seconds, heard of it within one more, and the grace is one; half a second to the next look.
  expect(tookMs).toBeLessThan(6_000)
  await until(async () => app.mill.get(id)).toMatchObject({ state: 'cancelled', crashes: 0 })
}, 60_000)
