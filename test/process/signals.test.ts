/** Signals to `millrace work --processes`, as a person, a service manager or a container engine sends them. */
import { describe, expect, test } from 'vitest'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { childrenOf, isAlive, until, workNode } from '../support/node-run.ts'

describe('SIGTERM', () => {
  test('lets what runs finish, takes nothing more, and ends with 0', async () => {
    const app = await nodeApp()
    const node = workNode(app, '--processes 2 --concurrency 2')
    await node.ready(2)
    const running = await app.mill.enqueueMany(
      JOBS.slow,
      [1, 2, 3, 4].map((n) => ({ n, ms: 1_000 })),
    )
    await until(() => app.ran().length).toBe(4)
    const late = await app.mill.enqueue(JOBS.quick, { n: 'late' })

    node.signal('SIGTERM')

    expect(await node.ended).toEqual({ code: 0, signal: null })
    for (const { id } of running) expect(await app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1 })
    expect(await app.mill.get(late.id)).toMatchObject({ state: 'pending', attempts: 0 })
    expect(node.stderr).toMatch(/SIGTERM: stopping when the jobs that run are done[\s\S]*Stopped\./)
    expect(node.events('process.ended').map(({ how }) => how)).toEqual(Array(2).fill('stopped in good order'))
    expect(await app.mill.workers()).toEqual([])
  }, 60_000)

  test('gives back uncounted what does not finish in the time that it has', async () => {
    const app = await nodeApp("worker: { stopWithin: '200ms' }")
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 600_000 })
    const node = workNode(app, '--processes 2')
    await until(() => app.ran().length).toBe(1)

    node.signal('SIGTERM')

    expect(await node.ended).toEqual({ code: 0, signal: null })
    expect(await app.mill.get(id)).toMatchObject({ state: 'pending', attempts: 0 })
  }, 60_000)

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)(
    '%s twice aborts what runs, gives it back uncounted, and ends with %i',
    async (name, code) => {
      const app = await nodeApp("worker: { stopWithin: '10m' }")
      const heeds = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 600_000 })
      const ignores = await app.mill.enqueue(JOBS.deaf, { n: 2 })
      const node = workNode(app, '--processes 2')
      await until(() => app.ran().length).toBe(2)

      node.signal(name)
      await node.said(`${name}: stopping`)
      node.signal(name)

      expect(await node.ended).toEqual({ code, signal: null })
      expect(node.stderr).toContain(`${name}: aborting the jobs that run, which go back uncounted; once more kills`)
      for (const { id } of [heeds, ignores]) {
        expect(await app.mill.get(id)).toMatchObject({ state: 'pending', attempts: 0 })
      }
    },
    60_000,
  )

  test('three times kills what blocks its loop; the job is back at once, not accused', async () => {
    const app = await nodeApp()
    const { id } = await app.mill.enqueue(JOBS.block, { n: 1, ms: 600_000 })
    const node = workNode(app, '--processes 1')
    await until(() => app.ran().length).toBe(1)
    const pid = app.ran()[0]?.pid ?? 0

    node.signal('SIGTERM')
    await node.said('SIGTERM: stopping')
    node.signal('SIGTERM')
    node.signal('SIGTERM')

    expect(await node.ended).toEqual({ code: 143, signal: null })
    expect(isAlive(pid)).toBe(false)
    expect(await app.mill.get(id)).toMatchObject({ state: 'pending', attempts: 0, crashes: 0 })
  }, 60_000)

  test('of a worker that keeps its loop blocked: its lease is kept while the node waits for it', async () => {
    const app = await nodeApp("worker: { lease: '1500ms', stopWithin: '20s' }")
    const { id } = await app.mill.enqueue(JOBS.block, { n: 1, ms: 5_000 })
    const node = workNode(app, '--processes 1')
    await until(() => app.ran().length).toBe(1)

    node.signal('SIGTERM')
    await node.said('SIGTERM: stopping')

    let losses = 0
    while (app.ran().length < 2) losses += (await app.mill.get(id))?.losses ?? 0
    expect(await node.ended).toEqual({ code: 0, signal: null })
    expect(losses).toBe(0)
    expect(await app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1 })
  }, 60_000)
})

describe('SIGUSR1 and SIGUSR2', () => {
  test('tell how the workers are, and pause and resume them all', async () => {
    const app = await nodeApp()
    const node = workNode(app, '--processes 2')
    await node.ready(2)

    node.signal('SIGUSR1')
    const told = await node.event('node.status')
    expect(told).toMatchObject({ node: expect.any(String), isPaused: false, isStopping: false, jobsDone: 0 })
    const [first, second] = node.workers()
    const well = { state: 'working', isStalled: false, running: 0, jobsDone: 0, late: [] }
    expect(told.workers).toMatchObject([
      { ...first, ...well },
      { ...second, ...well },
    ])
    node.signal('SIGUSR2')
    await node.said('Paused: claims nothing until the next SIGUSR2.')
    await until(async () => (await app.mill.workers()).map(({ status }) => status)).toEqual(['paused', 'paused'])
    const { id } = await app.mill.enqueue(JOBS.quick, { n: 1 })
    node.signal('SIGUSR1')
    await node.event('node.status', ({ isPaused }) => isPaused === true)
    expect(await app.mill.get(id)).toMatchObject({ state: 'pending' })
    node.signal('SIGUSR2')
    await node.said('Resumed.')

    await until(async () => (await app.mill.get(id))?.state).toBe('completed')
  }, 60_000)

  test.each(['', '--quiet'])(
    'tell people in their words: `--log pretty %s`',
    async (quiet) => {
      const app = await nodeApp()
      const node = workNode(app, `--processes 2 --log pretty ${quiet}`)
      await until(async () => (await app.mill.workers()).length).toBe(2)

      node.signal('SIGUSR1')

      await node.said(
        /Node \S+: 2 worker processes\n {2}worker 1 \(pid \d+\) · working · up \d+\S* · 0 running · 0 done/,
      )
      expect(node.stdout).not.toContain('node.status')
    },
    60_000,
  )

  test('of one that is quiet is one line of JSON all the same, of a node and of a worker without one', async () => {
    const app = await nodeApp()
    const [node, alone] = [workNode(app, '--processes 1 --quiet'), workNode(app, '--quiet')]
    await until(async () => (await app.mill.workers()).length).toBe(2)

    node.signal('SIGUSR1')
    alone.signal('SIGUSR1')

    expect(await node.event('node.status')).toMatchObject({ workers: [{ seat: 1, state: 'working' }] })
    expect(await alone.event('worker.status')).toMatchObject({ status: 'running', running: 0, jobsDone: 0, late: [] })
    for (const each of [node, alone]) {
      expect(each.stdout.split('\n')).toHaveLength(2)
      expect(each.stderr).toBe('')
    }
  }, 60_000)

  test('to a supervisor and a worker whose code is not loaded yet harms nothing and opens no inspector', async () => {
    const app = await nodeApp()
    const node = workNode(app, '--processes 1')
    await until(() => childrenOf(node.pid, 'worker-main').length).toBe(1)
    const [early = 0] = childrenOf(node.pid, 'worker-main')

    node.signal('SIGUSR1')
    process.kill(early, 'SIGUSR1')

    // In its first milliseconds Node itself has no handler yet: then the system ends the process, and there is another.
    await node.ready(1)
    const [worker] = node.workers()
    for (const name of ['SIGUSR1', 'SIGUSR2', 'SIGHUP', 'SIGINT'] as const) process.kill(worker?.pid ?? 0, name)
    const { id } = await app.mill.enqueue(JOBS.quick, { n: 1 })
    await until(async () => (await app.mill.get(id))?.state).toBe('completed')
    expect(app.ran()[0]?.pid).toBe(worker?.pid)
    // The worker that had no handler yet may have gone, and its successor not be there.
    expect((await node.event('node.status')).workers?.length).toBeLessThan(2)
    expect(node.stderr).not.toContain('ebugger')
  }, 60_000)
})
