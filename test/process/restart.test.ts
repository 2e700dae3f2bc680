/** Workers that are replaced while the node works on. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { type NodeRun, until, workNode } from '../support/node-run.ts'

const pidsOf = (node: NodeRun) => node.workers().map(({ pid }) => pid)

describe('SIGHUP', () => {
  test('replaces the workers one after the other, each successor at work before its predecessor drains, and no job is lost', async () => {
    const app = await nodeApp()
    const node = workNode(app, '--processes 2 --concurrency 2')
    await node.ready(2)
    const before = pidsOf(node)
    await app.mill.enqueueMany(
      JOBS.slow,
      Array.from({ length: 100 }, (_, n) => ({ n, ms: 100 })),
    )
    await until(() => app.ran().length).toBeGreaterThan(2)

    node.signal('SIGHUP')

    await node.said('Every worker is replaced.')
    expect(pidsOf(node)).toHaveLength(2)
    expect(pidsOf(node).filter((pid) => before.includes(pid))).toEqual([])
    // In the order in which it was told: at each moment two workers claim, and never more than three live.
    let working = 0
    for (const { event } of node.events()) {
      if (event === 'process.ready') expect(++working).toBeLessThanOrEqual(3)
      if (event === 'process.ended') expect(--working).toBeGreaterThanOrEqual(2)
    }
    await until(async () => (await app.mill.count({ state: 'completed' })).count).toBe(100)
    for (let n = 0; n < 100; n++) expect(app.begins(n)).toBe(1)
    // The longest time in which nothing began, while there was something: a job and a half.
    const begun = app.ran().flatMap(({ sign, at }) => (sign === '+' ? [at] : []))
    const gaps = begun.slice(1).map((at, i) => at - (begun[i] ?? at))
    expect(Math.max(...gaps)).toBeLessThan(1_000)
  }, 90_000)

  test('leaves the workers as they are when the new code cannot be loaded, tells why, and a later one succeeds', async () => {
    const app = await nodeApp()
    const node = workNode(app, '--processes 2 --watch')
    await node.ready(2)
    const before = pidsOf(node)
    const broken = join(app.folder, 'jobs/broken.handler.mjs')

    writeFileSync(broken, 'export const x = {{')

    await node.said('jobs/broken.handler.mjs has changed: replacing the workers.')
    expect(await node.event('process.failing')).toMatchObject({ seat: 1, nextMs: null })
    expect(node.events('process.failing')[0]?.cause).toContain('broken.handler.mjs')
    expect(pidsOf(node)).toEqual(before)
    const { id } = await app.mill.enqueue(JOBS.quick, { n: 1 })
    await until(async () => (await app.mill.get(id))?.state).toBe('completed')

    writeFileSync(
      broken,
      "import { defineJob } from 'millrace'\nexport default defineJob({ name: 'new', run: () => 1 })",
    )

    await until(() => pidsOf(node).filter((pid) => before.includes(pid)).length).toBe(0)
    await node.ready(2)
    const added = await app.mill.enqueue(defineJob({ name: 'new' }))
    await until(async () => (await app.mill.get(added.id))?.state).toBe('completed')
  }, 90_000)
})

test('SIGTERM to one worker lets it finish its job, and another takes its seat', async () => {
  const app = await nodeApp()
  const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 1_000 })
  const node = workNode(app, '--processes 1')
  await until(() => app.ran().length).toBe(1)
  const { pid = NaN } = await node.event('process.ready')

  process.kill(pid, 'SIGTERM')

  expect(await node.event('process.ended')).toMatchObject({ pid, how: 'stopped in good order' })
  expect(await app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1 })
  await node.ready(1)
  expect(node.workers()[0]?.pid).not.toBe(pid)
  expect(node.events('process.failing')).toEqual([])
}, 60_000)

test('an error that no handler caught replaces its worker and is held against no job', async () => {
  const app = await nodeApp()
  const beside = await app.mill.enqueue(JOBS.slow, { n: 'beside', ms: 1_000 })
  const node = workNode(app, '--processes 1')
  await until(() => app.ran().length).toBe(1)
  const stray = await app.mill.enqueue(JOBS.stray, { n: 'stray' })

  const replaced = await node.event('process.replacing')
  expect(replaced.why).toBe('a rejection that no handler caught (Error: nobody caught this)')
  await until(() => node.events('process.ended').map(({ how }) => how)).toEqual(['stopped in good order'])
  for (const { id } of [beside, stray]) {
    expect(await app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1, crashes: 0 })
  }
}, 60_000)
