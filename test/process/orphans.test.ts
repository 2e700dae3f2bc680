/** Workers whose supervisor has gone end, whatever their jobs do. */
import { expect, test } from 'vitest'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { isAlive, until, workNode } from '../support/node-run.ts'

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
