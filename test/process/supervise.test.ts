/** `Millrace.supervise`: the same node in a program of a user's own, here in this process. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { defineJob, Millrace } from '../../src/index.ts'
import type { SuperviseOptions } from '../../src/runtime/supervise.ts'
import { startChild } from '../support/child.ts'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { until } from '../support/node-run.ts'

const [TYPED, OTHER] = [defineJob<{ n: number }>({ name: 'typed' }), defineJob({ name: 'other' })]

async function supervise(options: SuperviseOptions) {
  const node = await Millrace.supervise(options)
  onTestFinished(() => node.stop({ now: true }))
  return node
}

describe('Millrace.supervise', () => {
  test('runs handlers of an .mjs entry by URL and of a TypeScript entry by path, and installs no signal handler', async () => {
    const app = await nodeApp()
    const ts = join(app.folder, 'typed.ts')
    writeFileSync(
      ts,
      "import { defineJob } from 'millrace'\nexport const typed = defineJob<{ n: number }>({ name: 'typed', run: async ({ n }) => n satisfies number })",
    )
    const mjs = join(app.folder, 'other.mjs')
    writeFileSync(
      mjs,
      "import { defineJob } from 'millrace'\nexport const other = defineJob({ name: 'other', run: () => process.pid })",
    )
    const before = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'].map((name) => process.listenerCount(name))

    const node = await supervise({ processes: 2, entry: [pathToFileURL(mjs), ts], store: app.storeUrl })

    const ids = [await app.mill.enqueue(TYPED, { n: 1 }), await app.mill.enqueue(OTHER)]
    for (const { id } of ids) await until(async () => (await app.mill.get(id))?.state).toBe('completed')
    expect(await app.mill.get(ids[1]?.id ?? '')).toMatchObject({ result: expect.any(Number) })
    expect(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'].map((name) => process.listenerCount(name))).toEqual(
      before,
    )
    await until(() => node.workers.map(({ state }) => state)).toEqual(['working', 'working'])
    await until(async () => (await app.mill.workers()).length).toBe(2)
    const rows = await app.mill.workers()
    expect(rows.map(({ node: of }) => of)).toEqual([node.id, node.id])
    expect(rows.map(({ id }) => id).toSorted()).toEqual(node.workers.map(({ workerId }) => workerId).toSorted())
    await node.stop()
    await node.done
    expect(node.workers).toEqual([])
  }, 60_000)

  test('goes on with the same workers when nobody reads what its handlers print', async () => {
    const app = await nodeApp()
    const file = new URL('./supervising.ts', import.meta.url).pathname
    const program = startChild(file, [app.folder, app.storeUrl, join(app.folder, 'jobs/all.handler.mjs')])
    await program.line('supervising')
    program.deafen()

    const write = await app.mill.enqueue(JOBS.write, { n: 1 })
    await program.said('stdout is lost: its reader has gone. Worker process')
    const after = await app.mill.enqueue(JOBS.write, { n: 2 })
    for (const { id } of [write, after]) await until(async () => (await app.mill.get(id))?.state).toBe('completed')

    const [first, ...others] = new Set(app.ran().map(({ pid }) => pid))
    expect([first, others]).toEqual([expect.any(Number), []])
  }, 60_000)

  test('takes a configuration: its handlers, its concurrency, and what is given here wins', async () => {
    const app = await nodeApp('concurrency: 3')
    const config = pathToFileURL(join(app.folder, 'millrace.config.mjs')).href
    const node = await supervise({ processes: 1, config, store: app.storeUrl, worker: { stopWithin: '1s' } })
    await until(async () => (await app.mill.workers()).map(({ concurrency }) => concurrency)).toEqual([3])
    await node.stop()
    await supervise({ processes: 1, config, store: app.storeUrl, worker: { concurrency: 2 } })
    await until(async () => (await app.mill.workers()).map(({ concurrency }) => concurrency)).toEqual([2])
  }, 60_000)

  test('takes from it after how many jobs a worker is replaced, and no `drain`', async () => {
    const app = await nodeApp()
    const config = join(app.folder, 'other.config.mjs')
    const other =
      "import { defineJob } from 'millrace'\nexport const other = defineJob({ name: 'other', run: () => undefined })"
    writeFileSync(join(app.folder, 'other.mjs'), other)
    writeFileSync(config, "export default { handlers: './other.mjs', worker: { maxJobs: 1 } }")
    const node = await supervise({ processes: 1, config, store: app.storeUrl })
    const why = new Promise((resolve) => node.on('process.replacing', (event) => resolve(event.why)))
    await app.mill.enqueue(OTHER)
    expect(await why).toMatch(/^it has done 1 jobs$/)

    writeFileSync(join(app.folder, 'drain.config.mjs'), 'export default { worker: { drain: true } }')
    const drains = { config: join(app.folder, 'drain.config.mjs'), store: app.storeUrl }
    await expect(Millrace.supervise(drains)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  }, 60_000)

  test('is rejected for what can never work, and `done` for entries that only the workers can judge', async () => {
    await expect(Millrace.supervise({})).rejects.toMatchObject({ code: 'HANDLER_MISSING' })
    const entry = new URL('file:///nowhere/handlers.js')
    const wrong: readonly (readonly [Record<string, unknown>, string])[] = [
      [{ entry, threads: 1 }, 'OPTION_UNKNOWN'],
      [{ entry, processes: 0 }, 'CONFIG_INVALID'],
      [{ entry, processes: 1.5 }, 'CONFIG_INVALID'],
      [{ entry, maxJobs: 0 }, 'CONFIG_INVALID'],
      [{ entry, maxMemory: 'much' }, 'SIZE_INVALID'],
      [{ entry, stallLimit: 0 }, 'CONFIG_INVALID'],
      [{ entry, maxAge: 'old' }, 'DURATION_INVALID'],
      [{ config: '/nowhere/millrace.config.ts' }, 'CONFIG_INVALID'],
    ]
    for (const [options, code] of wrong)
      await expect(Millrace.supervise(options), JSON.stringify(options)).rejects.toMatchObject({ code })
    const app = await nodeApp()
    const missing = await supervise({ entry, store: app.storeUrl, processes: 2 })
    await expect(missing.done).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('/nowhere/handlers.js'),
    })
    const nothing = join(app.folder, 'nothing.mjs')
    writeFileSync(nothing, 'export const x = 1')
    const empty = await supervise({ entry: nothing, store: app.storeUrl, processes: 1 })
    await expect(empty.done).rejects.toMatchObject({ code: 'HANDLER_MISSING' })
  }, 60_000)
})
