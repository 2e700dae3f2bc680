/** Workers whose supervisor has gone end, whatever their jobs do. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { childrenOf, isAlive, until, workNode } from '../support/node-run.ts'

test('SIGKILL of the supervisor ends its workers, idle, waiting for ever or blocked for a while, and gives their jobs back', async () => {
  const app = await nodeApp('concurrency: 1')
  const ids = await Promise.all([
    app.mill.enqueue(JOBS.deaf, { n: 'deaf' }),
    app.mill.enqueue(JOBS.slow, { n: 'slow', ms: 600_000 }),
    app.mill.enqueue(JOBS.block, { n: 'block', ms: 2_000 }),
  ])
  const node = workNode(app, '--processes 4')
  await node.ready(4)
  await until(() => app.ran().length).toBe(3)
  const pids = node.workers().map(({ pid }) => pid)

  node.signal('SIGKILL')

  await until(() => pids.filter(isAlive)).toEqual([])
  await until(async () => (await app.mill.count({ state: 'processing' })).count).toBe(0)
  for (const { id } of ids) expect(await app.mill.get(id)).toMatchObject({ crashes: 0, losses: 0 })
  expect(await app.mill.workers()).toEqual([])
}, 60_000)

test('SIGKILL of the supervisor ends a worker, too, whose event loop is blocked for minutes', async () => {
  const app = await nodeApp("concurrency: 1, worker: { lease: '3s' }")
  const { id } = await app.mill.enqueue(JOBS.block, { n: 'block', ms: 600_000 })
  const node = workNode(app, '--processes 1')
  await until(() => app.ran().length).toBe(1)
  const [{ pid = 0 } = {}] = app.ran()

  node.signal('SIGKILL')

  const killedAt = performance.now()
  await until(() => isAlive(pid)).toBe(false)
  // It has eight seconds to give back what it holds, which it cannot: others take it when the lease ends.
  expect(performance.now() - killedAt).toBeLessThan(12_000)
  workNode(app, '--processes 1')
  await until(() => app.begins('block')).toBe(2)
  expect(await app.mill.get(id)).toMatchObject({ attempts: 0, losses: 1 })
}, 60_000)

test.each(['refuses its configuration', 'is killed'])(
  'the worker process that is started ahead ends with a command that %s before it has a plan, and has done nothing',
  async (how) => {
    const app = await nodeApp(
      "concurrency: await import('node:fs/promises').then(({ readFile }) => readFile(new URL('go', import.meta.url)))" +
        ".then(() => { throw new Error('it will not do') })",
    )
    // Read to its end once somebody has written to it.
    execFileSync('mkfifo', [join(app.folder, 'go')])
    const { id } = await app.mill.enqueue(JOBS.quick, { n: 1 })
    const node = workNode(app, '--processes 2')
    await until(() => childrenOf(node.pid, 'worker-main').length).toBe(1)
    const [pid = 0] = childrenOf(node.pid, 'worker-main')

    if (how === 'is killed') node.signal('SIGKILL')
    else writeFileSync(join(app.folder, 'go'), '')

    expect(await node.ended).toEqual(
      how === 'is killed' ? { code: null, signal: 'SIGKILL' } : { code: 3, signal: null },
    )
    await until(() => isAlive(pid)).toBe(false)
    expect(node.stdout).toBe('')
    expect(await app.mill.get(id)).toMatchObject({ state: 'pending' })
  },
  60_000,
)
