/** The program of a worker process, and what it makes of what its supervisor says. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newWorkerId } from '../../src/base/id.ts'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { planOf, workerRun } from '../support/worker-run.ts'

test.each(['a message', 'SIGTERM'])(
  'a stop (%s) that comes while it prepares ends it before it claims anything',
  async (how) => {
    const app = await nodeApp()
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 10_000 })
    // Loaded while it prepares.
    if (how === 'SIGTERM') writeFileSync(join(app.folder, 'jobs/stops.mjs'), "process.kill(process.pid, 'SIGTERM')")
    const worker = workerRun()

    worker.tell({ kind: 'start', node: newWorkerId(), workerId: worker.id, isPaused: false, plan: planOf(app) })
    if (how === 'a message') worker.tell({ kind: 'stop', now: false })

    expect(await worker.ended).toEqual({ code: 0, signal: null })
    expect(worker.said.map(({ kind }) => kind)).toEqual(['drained'])
    expect(await app.mill.get(id)).toMatchObject({ state: 'pending', attempts: 0 })
    expect(app.ran()).toEqual([])
  },
  60_000,
)
