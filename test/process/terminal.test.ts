/** `millrace work`, with processes and without, on a real terminal: Ctrl-C, and a terminal that is closed. */
import { describe, expect, test } from 'vitest'
import { lacks } from '../support/needs.ts'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { until } from '../support/node-run.ts'
import { nodeOnTerminal } from '../support/node-terminal.ts'
import { hasTerminal } from '../support/terminal.ts'

describe.skipIf(lacks('script', hasTerminal))('on a terminal (needs: script)', () => {
  test('SIGHUP from somebody replaces the workers; from a terminal that is closed it stops the node, its jobs finished', async () => {
    const app = await nodeApp()
    const node = nodeOnTerminal(app, 'millrace work --processes 1 --pid-file node.pid')
    await until(() => node.text).toMatch(/worker 1 \(pid \d+\) works/)

    process.kill(node.pid(), 'SIGHUP')
    await until(() => node.text).toContain('SIGHUP: replacing the workers one after the other.')
    await until(() => node.text).toContain('Every worker is replaced.')
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 1_500 })
    await until(() => app.ran().length).toBe(1)
    node.closeTerminal()

    await until(() => node.exitCode()).toBe('0')
    expect(await app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1, losses: 0 })
    expect(app.ran()).toHaveLength(2)
    expect(await app.mill.workers()).toEqual([])
  }, 60_000)

  test('SIGHUP from somebody ends a worker without a supervisor with 75, its job finished, so that it is started again', async () => {
    const app = await nodeApp()
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 1_500 })
    const alone = nodeOnTerminal(app, 'millrace work --pid-file node.pid')
    await until(() => app.ran().length).toBe(1)

    process.kill(alone.pid(), 'SIGHUP')

    await until(() => alone.exitCode()).toBe('75')
    expect(await app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1, losses: 0 })
    expect(alone.text).toContain('SIGHUP: stopping when the job that runs is done, to be started again; once more')
  }, 60_000)

  test('a terminal that is closed stops a worker without a supervisor, its job finished', async () => {
    const app = await nodeApp()
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 1_500 })
    const alone = nodeOnTerminal(app, 'millrace work --pid-file node.pid')
    await until(() => app.ran().length).toBe(1)

    alone.closeTerminal()

    await until(() => alone.exitCode()).toBe('0')
    expect(await app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1, losses: 0 })
    expect(await app.mill.workers()).toEqual([])
  }, 60_000)

  test('Ctrl-C stops when the jobs that run are done, a second one at once; what it says is short', async () => {
    const app = await nodeApp()
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 600_000 })
    const node = nodeOnTerminal(app, 'millrace work --processes 2 --pid-file node.pid')
    await until(() => app.ran().length).toBe(1)

    node.type('\u0003')
    await until(() => node.text).toContain('SIGINT: stopping when the jobs that run are done; once more stops at once.')
    node.type('\u0003')

    await until(() => node.exitCode()).toBe('130')
    expect(await app.mill.get(id)).toMatchObject({ state: 'pending', attempts: 0 })
    expect(node.text).toMatch(/Stopped\.\r\n$/)
  }, 60_000)
})
