/** `millrace worker …`: workers that are looked at and steered from elsewhere, through the store. */
import { describe, expect, test } from 'vitest'
import type { WorkerHealth } from '../../src/core/health.ts'
import { handle } from '../../src/index.ts'
import { cliHere } from '../support/cli-here.ts'
import { JOBS, type NodeApp, nodeApp } from '../support/node-app.ts'
import { until, workNode } from '../support/node-run.ts'

/** In this process: it only talks to the store. */
const run = (app: NodeApp, line: string) => cliHere(app.folder, [...line.split(' ').slice(1), '--store', app.storeUrl])

describe('millrace worker', () => {
  test('list and show tell of every worker how it is; an unknown id is an error that says so', async () => {
    const app = await nodeApp()
    const node = workNode(app, '--processes 2 --concurrency 3')
    await node.ready(2)
    await until(async () => (await app.mill.workers()).length).toBe(2)
    const [first, second] = node.workers()

    const listed = JSON.parse((await run(app, 'millrace worker list --json')).stdout)
    expect(listed).toHaveLength(2)
    expect(listed.map(({ pid }: { pid: number }) => pid).toSorted()).toEqual([first?.pid, second?.pid].toSorted())
    expect(listed[0]).toMatchObject({ status: 'running', running: 0, concurrency: 3, health: { jobsDone: 0 } })
    expect(listed[0].node).toBe(listed[1].node)
    expect((await run(app, 'millrace worker list')).stdout).toContain(first?.workerId)

    const shown = await run(app, `millrace worker show ${first?.workerId}`)
    expect(shown.stdout).toMatch(
      new RegExp(`^worker +${first?.workerId}\\nnode +${listed[0].node}\\nstatus +running\\n`),
    )
    expect(shown.stdout).toMatch(/memory +\S+ \S+ resident/)
    expect(JSON.parse((await run(app, `millrace worker show ${listed[0].node} --json`)).stdout)).toHaveLength(2)
    for (const line of ['show nobody', 'pause nobody', 'stop nobody --json']) {
      const { code, stderr, stdout } = await run(app, `millrace worker ${line}`)
      expect([code, stdout]).toEqual([5, ''])
      expect(stderr).toContain('WORKER_NOT_FOUND')
    }
    expect((await run(app, 'millrace worker pause')).code).toBe(2)
  }, 90_000)

  test('show tells what a worker that has jobs needs: processor, heap, the delay of its event loop, and when its store answered', async () => {
    const app = await nodeApp("worker: { lease: '3s' }")
    await app.mill.enqueueMany(
      JOBS.burn,
      Array.from({ length: 400 }, (_, n) => ({ n, ms: 150 })),
    )
    workNode(app, '--processes 1 --concurrency 1')
    await until(async () => (await app.mill.workers()).length).toBe(1)
    const [{ id = '' } = {}] = await app.mill.workers()
    const health = async (): Promise<WorkerHealth> =>
      JSON.parse((await run(app, `millrace worker show ${id} --json`)).stdout).health

    // From its second report on, each is of a second of such jobs, one after the other.
    await until(async () => {
      const { cpu, loopDelayP50Ms, loopDelayP99Ms } = await health()
      return cpu > 0.2 && loopDelayP50Ms > 20 && loopDelayP99Ms >= loopDelayP50Ms
    }).toBe(true)

    const { cpu, loopDelayP99Ms, heapBytes, rssBytes, storeAnsweredMs, jobsDone } = await health()
    // Node's own threads may use more than one core.
    expect(cpu).toBeLessThan(4)
    expect(loopDelayP99Ms).toBeLessThan(10_000)
    expect([heapBytes > 2 ** 20, heapBytes < rssBytes, jobsDone > 0]).toEqual([true, true, true])
    expect(storeAnsweredMs).toBeLessThan(10_000)
    const { stdout } = await run(app, `millrace worker show ${id}`)
    expect(stdout).toMatch(
      /\ncpu +[1-9]\d* % of a core\nmemory +\S+ \S+ resident(, \S+ \S+ its share)?, [1-9]\S* MiB heap\n/,
    )
    expect(stdout).toMatch(/\nevent loop +late by [1-9]\S* ms \(p50\), [1-9]\S* ms \(p99\)\n/)
    expect(stdout).toMatch(/\nstore answered +\d\S* before it was last seen\n/)
  }, 90_000)

  test('pause and resume one worker, whoever takes its seat meanwhile, and with --all every node', async () => {
    const app = await nodeApp()
    const node = workNode(app, '--processes 2')
    await node.ready(2)
    await until(async () => (await app.mill.workers()).length).toBe(2)
    const [first] = node.workers()

    const one = await run(app, `millrace worker pause ${first?.workerId} --json`)
    expect(JSON.parse(one.stdout)).toEqual([{ id: first?.workerId, result: 'done' }])
    const states = async () => (await app.mill.workers()).map(({ status }) => status).toSorted()
    expect(await states()).toEqual(['paused', 'running'])
    node.signal('SIGHUP')
    await node.said('Every worker is replaced.')
    await until(states).toEqual(['paused', 'running'])
    const paused = (await app.mill.workers()).find(({ status }) => status === 'paused')
    expect(paused?.pid).toBe(node.workers()[0]?.pid)
    expect((await run(app, 'millrace worker pause --all')).stdout).toMatch(/^\S+\tpaused\n$/)
    const { id } = await app.mill.enqueue(JOBS.quick, { n: 1 })
    expect(await states()).toEqual(['paused', 'paused'])
    expect(await app.mill.get(id)).toMatchObject({ state: 'pending' })

    expect((await run(app, 'millrace worker resume --all')).code).toBe(0)

    await until(async () => (await app.mill.get(id))?.state).toBe('completed')
  }, 90_000)

  test('restart and stop one worker, then the whole node', async () => {
    const app = await nodeApp()
    const node = workNode(app, '--processes 2')
    await node.ready(2)
    await until(async () => (await app.mill.workers()).length).toBe(2)
    const [first, second] = node.workers()

    expect((await run(app, `millrace worker restart ${first?.workerId}`)).stdout).toBe(
      `${first?.workerId}\trestarted\n`,
    )
    await node.ready(2)
    expect(node.workers()[0]?.pid).not.toBe(first?.pid)
    expect(node.workers()[1]?.pid).toBe(second?.pid)
    expect(node.events('process.replacing')[0]?.why).toMatch(/^\S+@\S+ asked for it$/)

    expect((await run(app, `millrace worker stop ${second?.workerId}`)).stdout).toBe(`${second?.workerId}\tstopped\n`)
    await node.ready(1)
    expect((await run(app, 'millrace worker stop --all')).code).toBe(6)
    expect((await run(app, 'millrace queue:restart')).code).toBe(6)
    expect((await run(app, 'millrace queue:restart --yes')).code).toBe(0)
    await until(async () => (await app.mill.workers()).length).toBe(2)
    await node.ready(2)
    expect((await run(app, 'millrace worker stop --all --yes')).code).toBe(0)
    expect(await node.ended).toEqual({ code: 0, signal: null })
    expect((await run(app, 'millrace worker stop --all --yes')).code).toBe(5)
  }, 90_000)

  test('a job that runs long: stop says that it drains, and --timeout is how long it waits', async () => {
    const app = await nodeApp()
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 8_000 })
    const node = workNode(app, '--processes 1')
    await node.ready(1)
    await until(() => app.ran().length).toBe(1)
    await until(async () => (await app.mill.workers()).length).toBe(1)
    const { workerId } = node.workers()[0] ?? {}

    const { code, stdout } = await run(app, `millrace worker stop ${workerId} --timeout 3s`)

    expect(stdout).toBe(`${workerId}\tdraining\n`)
    expect(code).toBe(4)
    expect(await node.ended).toEqual({ code: 0, signal: null })
    expect(await app.mill.get(id)).toMatchObject({ state: 'completed' })
  }, 90_000)
})

test('--dry-run shows the workers that a verb would meet, by worker, node and --all, and asks nobody', async () => {
  const app = await nodeApp()
  expect((await run(app, 'millrace worker stop --all --dry-run')).code).toBe(5)
  const node = workNode(app, '--processes 2')
  await node.ready(2)
  await until(async () => (await app.mill.workers()).length).toBe(2)
  const [first, second] = node.workers().map(({ workerId }) => workerId)
  const [row] = await app.mill.workers()

  for (const verb of ['pause', 'resume', 'stop', 'restart']) {
    const one = await run(app, `millrace worker ${verb} ${first} --dry-run`)
    expect(one).toMatchObject({ code: 0, stderr: 'Nothing was changed: this was a dry run.\n' })
    expect(one.stdout).toMatch(new RegExp(`^${first}\\t.*\\trunning\\t.*\\n$`))
    for (const whole of [`worker ${verb} ${row?.node}`, `worker ${verb} --all`, 'queue:restart']) {
      const { code, stdout } = await run(app, `millrace ${whole} --dry-run --json`)
      const { dryRun, data } = JSON.parse(stdout)
      expect([code, dryRun], whole).toEqual([0, true])
      expect(data.map(({ id }: { id: string }) => id).toSorted(), whole).toEqual([first, second].toSorted())
    }
  }
  expect((await run(app, 'millrace worker stop nobody --dry-run')).code).toBe(5)

  const now = await app.mill.workers()
  expect(now.map(({ id, status }) => [id, status]).toSorted()).toEqual(
    [first, second].toSorted().map((id) => [id, 'running']),
  )
  // Nobody was told anything: a message would be taken by now.
  expect((await run(app, 'millrace worker pause --all')).code).toBe(0)
  expect(node.events('process.replacing')).toEqual([])
}, 90_000)

describe('a worker without a supervisor', () => {
  test('pauses and resumes, and a restart ends it with 75 once its job is done', async () => {
    const app = await nodeApp()
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 3_000 })
    const alone = workNode(app, '')
    await until(() => app.ran().length).toBe(1)
    await until(async () => (await app.mill.workers()).length).toBe(1)
    const [row] = await app.mill.workers()
    expect(row?.node).toBeNull()

    expect((await run(app, 'millrace worker pause --all')).code).toBe(0)
    expect((await run(app, `millrace worker resume ${row?.id.slice(-8)}`)).code).toBe(0)
    expect((await run(app, `millrace worker restart ${row?.id}`)).code).toBe(0)

    expect(await alone.ended).toEqual({ code: 75, signal: null })
    expect(await app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1 })
  }, 90_000)

  test('told by SIGHUP ends with 75 once its job is done too; a second one aborts the job, which goes back uncounted', async () => {
    const app = await nodeApp()
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 1_000 })
    const alone = workNode(app, '--concurrency 1')
    await until(() => app.ran().length).toBe(1)

    alone.signal('SIGHUP')

    expect(await alone.ended).toEqual({ code: 75, signal: null })
    expect(alone.stderr).toContain('SIGHUP: stopping when the job that runs is done, to be started again; once more')
    expect(await app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1 })
    const long = await app.mill.enqueue(JOBS.slow, { n: 2, ms: 600_000 })
    const again = workNode(app, '--concurrency 1')
    await until(() => app.begins(2)).toBe(1)
    again.signal('SIGHUP')
    await again.said('SIGHUP: stopping')
    again.signal('SIGHUP')
    expect(await again.ended).toEqual({ code: 75, signal: null })
    expect(await app.mill.get(long.id)).toMatchObject({ state: 'pending', attempts: 0 })
  }, 60_000)

  test('paused from elsewhere says so to SIGUSR1, and the first SIGUSR2 lets it go on', async () => {
    const app = await nodeApp()
    const alone = workNode(app, '')
    await until(async () => (await app.mill.workers()).length).toBe(1)
    expect((await run(app, 'millrace worker pause --all')).code).toBe(0)

    alone.signal('SIGUSR1')
    expect(await alone.event('worker.status')).toMatchObject({ status: 'paused', running: 0, jobsDone: 0 })
    alone.signal('SIGUSR2')
    await alone.said('Resumed.')
    const { id } = await app.mill.enqueue(JOBS.quick, { n: 1 })
    await until(async () => (await app.mill.get(id))?.state).toBe('completed')
    alone.signal('SIGUSR2')
    await alone.said('Paused')
    alone.signal('SIGTERM')

    expect(await alone.ended).toEqual({ code: 0, signal: null })
    expect(alone.stderr).toMatch(/^Resumed\.\nPaused: /m)
  }, 60_000)

  test('in an app, `mill.work()` is steered the same, and the app goes on', async () => {
    const app = await nodeApp()
    const worker = app.mill.work([handle(JOBS.quick, () => undefined)])
    await until(async () => (await app.mill.workers()).length).toBe(1)

    expect(await app.mill.askWorker(worker.id, 'pause', { by: 'a test' })).toBe('done')
    expect(await app.mill.workers()).toMatchObject([{ status: 'paused' }])
    expect(await app.mill.askWorker(worker.id, 'resume')).toBe('done')
    expect(await app.mill.askWorker(worker.id, 'restart')).toBe('done')
    await worker.done
    expect(worker.askedTo).toBe('restart')
    expect(await app.mill.askWorker(worker.id, 'stop')).toBe('missing')
  }, 60_000)
})
