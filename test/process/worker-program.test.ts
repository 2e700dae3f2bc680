/** The program of a worker process, and what it makes of what its supervisor says. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { PROTOCOL } from '../../src/worker/process/messages.ts'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { until } from '../support/node-run.ts'
import { planOf, workerRun } from '../support/worker-run.ts'

test.each(['a message', 'SIGTERM'])(
  'a stop (%s) that comes while it prepares ends it before it claims anything',
  async (how) => {
    const app = await nodeApp()
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 10_000 })
    // Loaded while it prepares.
    if (how === 'SIGTERM') writeFileSync(join(app.folder, 'jobs/stops.mjs'), "process.kill(process.pid, 'SIGTERM')")
    const worker = workerRun()

    worker.start(planOf(app))
    if (how === 'a message') worker.tell({ kind: 'stop', now: false })

    expect(await worker.ended).toEqual({ code: 0, signal: null })
    expect(worker.said.map(({ kind }) => kind)).toEqual(['drained'])
    expect(await app.mill.get(id)).toMatchObject({ state: 'pending', attempts: 0 })
  },
  60_000,
)

test('a supervisor of another protocol, whose package was changed under it, is told so before anything else is read', async () => {
  const worker = workerRun()

  worker.start({ whatever: 'another release says here' }, PROTOCOL + 1)

  expect(await worker.ended).toEqual({ code: 3, signal: null })
  expect(worker.said).toEqual([
    {
      kind: 'failed',
      code: 'PACKAGE_CHANGED',
      message: expect.stringMatching(
        /^the installed package was changed to \S+ under a node that runs an incompatible/,
      ),
      isFinal: true,
      hint: 'Restart the node.',
    },
  ])
}, 60_000)

test('one whose store takes nothing says when it ends that it may hold leases, not that it is drained', async () => {
  const app = await nodeApp()
  writeFileSync(
    join(app.folder, 'jobs/waits.mjs'),
    `import { defineJob } from 'millrace'
    const run = (_, { signal }) => new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason)))
    export default defineJob({ name: 'waits', run })`,
  )
  const { id } = await app.mill.enqueue(defineJob({ name: 'waits' }))
  const worker = workerRun()
  worker.start(planOf({ ...app, storeUrl: `${app.storeUrl}&busy=50ms` }))
  await until(async () => (await app.mill.get(id))?.state).toBe('processing')
  // The worker may be writing just then.
  const other = new DatabaseSync(join(app.folder, 'millrace.db'), { timeout: 5_000 })
  onTestFinished(() => other.close())
  other.exec('BEGIN IMMEDIATE')

  worker.tell({ kind: 'stop', now: true })

  expect(await worker.ended).toEqual({ code: 3, signal: null })
  expect(worker.said.at(-1)).toMatchObject({
    kind: 'failed',
    code: 'STORE_UNREACHABLE',
    message: 'it stopped before the store had taken what it held',
    isFinal: false,
  })
  expect(worker.said.map(({ kind }) => kind)).not.toContain('drained')
  other.exec('COMMIT')
  expect(await app.mill.get(id)).toMatchObject({ state: 'processing' })
}, 60_000)
