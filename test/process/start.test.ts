/** How a node starts, or why it does not; and what stands around it: pid file, health port, closed pipes. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { Millrace } from '../../src/index.ts'
import { cliHere } from '../support/cli-here.ts'
import { JOBS, nodeApp } from '../support/node-app.ts'
import { until, workNode } from '../support/node-run.ts'

describe('a node that cannot start', () => {
  test('for a handler file that cannot be loaded ends with 3 and says which and why', async () => {
    const app = await nodeApp()
    writeFileSync(join(app.folder, 'jobs/broken.handler.mjs'), 'export const x = {{')
    const node = workNode(app, '--processes 2')

    expect(await node.ended).toEqual({ code: 3, signal: null })
    expect(node.stderr).toMatch(/✕ \S+broken\.handler\.mjs cannot be loaded: .+ {2}CONFIG_INVALID\n/)
  }, 60_000)

  test('for a configuration that says something unknown, or flags that do, ends the same', async () => {
    const app = await nodeApp('whatever: 1')
    const node = workNode(app, '--processes 1')
    expect(await node.ended).toEqual({ code: 3, signal: null })
    expect(node.stderr).toContain('OPTION_UNKNOWN')
    const wrong = await nodeApp("worker: { lease: 'long' }")
    expect(await workNode(wrong, '--processes 1').ended).toEqual({ code: 2, signal: null })
    const given = ['--config', join(wrong.folder, 'millrace.config.mjs'), '--store', wrong.storeUrl]
    for (const flags of [
      '--processes 0',
      '--max-memory much',
      '--max-age soon',
      '--processes 2 --drain',
      '--stall-limit x',
      '--max-memory 0mb',
      '--max-age 0s',
      '--stall-limit 0ms',
      '--processes 2 --timeout 0s',
      '--processes 2 --pid-file=',
      '--processes 2 --health-port=',
      '--health-port 80 --health-host=',
    ]) {
      const { code, stderr } = await cliHere(wrong.folder, ['work', ...flags.split(' '), ...given])
      expect(code, flags).toBe(2)
      expect(stderr, flags).toContain(flags.match(/--[\w-]+/g)?.at(-1))
    }
  }, 90_000)

  test.each(['--processes 2', ''])(
    '`work %s` on a store of a newer release ends with 3',
    async (flags) => {
      const app = await nodeApp()
      const db = new DatabaseSync(join(app.folder, 'millrace.db'))
      db.exec('INSERT INTO millrace_schema (version, applied_at, oldest) VALUES (999, 0, 999)')
      db.close()

      const node = workNode(app, flags)

      expect(await node.ended).toEqual({ code: 3, signal: null })
      expect(node.stderr).toMatch(/✕ .+ {2}STORE_NEWER\n {2}Update millrace/)
    },
    60_000,
  )

  test('for a store that is away tries again with growing rests and tells why, and works when it is there', async () => {
    const app = await nodeApp()
    const away = join(app.folder, 'away')
    const storeUrl = `sqlite:${away}/millrace.db`
    const node = workNode({ folder: app.folder, storeUrl }, '--processes 1')

    const second = await node.event('process.failing', ({ starts }) => starts === 2)
    const [first] = node.events('process.failing')
    expect(first?.cause).toContain(away)
    expect(first?.nextMs).toBeLessThanOrEqual(100)
    expect(second.nextMs).toBeGreaterThanOrEqual(100)

    mkdirSync(away)

    await node.ready(1)
    const there = await Millrace.open({ store: storeUrl })
    const { id } = await there.enqueue(JOBS.quick, { n: 1 })
    await until(async () => (await there.get(id))?.state).toBe('completed')
    await there.close()
  }, 60_000)
})

test('to people a node says on which store it works, and one line for each start that failed', async () => {
  const app = await nodeApp()
  const storeUrl = `sqlite:${join(app.folder, 'away')}/millrace.db`
  const node = workNode({ folder: app.folder, storeUrl }, '--processes 1 --log pretty')
  await until(() => node.stdout).toContain('2 times in a row')

  expect(node.stderr).toMatch(/^Node \S+: 1 worker process on sqlite \S+millrace\.db\. Ctrl-C stops it\.\n/)
  for (const line of node.stdout.split('\n').slice(0, 2)) expect(line).toMatch(/: .+away.+\. Next try in \d+ms$/)
  node.signal('SIGTERM')
  expect(await node.ended).toEqual({ code: 0, signal: null })
}, 60_000)

test('a second node on one store shares its work, and the end of one leaves the other alone', async () => {
  const app = await nodeApp()
  const [a, b] = [workNode(app, '--processes 1 --concurrency 1'), workNode(app, '--processes 1 --concurrency 1')]
  await a.ready(1)
  await b.ready(1)
  await app.mill.enqueueMany(
    JOBS.slow,
    Array.from({ length: 40 }, (_, n) => ({ n, ms: 50 })),
  )
  await until(() => new Set(app.ran().map(({ pid }) => pid)).size).toBe(2)

  a.signal('SIGTERM')

  expect(await a.ended).toEqual({ code: 0, signal: null })
  await until(async () => (await app.mill.count({ state: 'completed' })).count).toBe(40)
  for (let n = 0; n < 40; n++) expect(app.begins(n)).toBe(1)
  expect(await app.mill.workers()).toMatchObject([{ pid: b.workers()[0]?.pid }])
}, 60_000)

test('--pid-file is there while it works; a second node with it is refused before it runs anything', async () => {
  const app = await nodeApp()
  const file = join(app.folder, 'millrace.pid')
  const node = workNode(app, `--processes 1 --pid-file ${file}`)
  await until(() => existsSync(file) && readFileSync(file, 'utf8')).toBe(`${node.pid}\n`)
  const second = workNode(app, `--processes 1 --pid-file ${file}`)
  expect(await second.ended).toEqual({ code: 3, signal: null })
  expect(second.stderr).toContain(`${file} belongs to process ${node.pid}, a millrace that is running`)
  expect(second.stdout).toBe('')

  node.signal('SIGTERM')

  await node.ended
  expect(existsSync(file)).toBe(false)
}, 60_000)

test.each(['--processes 2', ''])(
  '`work %s --health-port` answers whether it is well',
  async (flags) => {
    const app = await nodeApp()
    const port = 20_000 + (process.pid % 20_000)
    const node = workNode(app, `${flags} --health-port ${port}`)
    const ask = async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined)
      return [answer?.status, await answer?.text()] as const
    }

    await until(() => ask('/readyz')).toEqual([200, 'ok\n'])
    expect(await ask('/livez')).toEqual([200, 'ok\n'])
    const [, report] = await ask('/healthz')
    expect(JSON.parse(report ?? '')).toMatchObject({ isLive: true, isReady: true, checks: expect.any(Array) })
    expect((await ask('/else'))[0]).toBe(404)
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 2_000 })
    await until(() => app.ran().length).toBe(1)
    node.signal('SIGTERM')
    await until(async () => (await ask('/readyz'))[0]).toBe(503)
    expect((await ask('/livez'))[0]).toBe(200)
    expect(await node.ended).toEqual({ code: 0, signal: null })
    expect(await app.mill.get(id)).toMatchObject({ state: 'completed' })
  },
  60_000,
)

test.each(['--processes 1', '--processes 1 --watch', ''])(
  '`work %s` with a health port that something else listens on ends with 3 before anything has begun',
  async (flags) => {
    const app = await nodeApp()
    const { id } = await app.mill.enqueue(JOBS.quick, { n: 1 })
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const address = taken.address()
    const port = typeof address === 'object' ? address?.port : 0
    const file = join(app.folder, 'millrace.pid')
    const node = workNode(app, `${flags} --pid-file ${file} --health-port ${port}`)
    const end = await node.ended
    await new Promise((resolve) => taken.close(resolve))

    expect(end).toEqual({ code: 3, signal: null })
    expect(node.stderr).toMatch(
      /^✕ health cannot be served on 127\.0\.0\.1:\d+: something listens there already .+\n.+\n$/,
    )
    expect(node.stdout).toBe('')
    expect(await app.mill.get(id)).toMatchObject({ state: 'pending', attempts: 0 })
    expect(existsSync(file)).toBe(false)
  },
  60_000,
)

test('a reader of its log that goes away stops nothing, replaces nobody, and is said once by each process', async () => {
  const app = await nodeApp()
  const node = workNode(app, '--processes 1')
  await node.ready(1)
  const [worker] = node.workers()
  node.closeStdout()

  const { id } = await app.mill.enqueue(JOBS.quick, { n: 1 })
  await until(async () => (await app.mill.get(id))?.state).toBe('completed')
  await node.said(`stdout is lost: its reader has gone. Worker process ${worker?.pid} works on without it.\n`)
  // What a handler writes by itself is lost like the log.
  const writes = await app.mill.enqueue(JOBS.write, { n: 2 })
  await until(async () => (await app.mill.get(writes.id))?.state).toBe('completed')
  const apart = await app.mill.enqueue(JOBS.apart, { n: 'apart' })
  await until(async () => (await app.mill.get(apart.id))?.history.map(({ outcome }) => outcome)).toEqual(['completed'])
  const crash = await app.mill.enqueue(JOBS.exit, { n: 3 })
  await until(async () => (await app.mill.get(crash.id))?.state).toBe('failed')
  await node.said('stdout is lost: its reader has gone. The node works on without it.\n')
  const after = await app.mill.enqueue(JOBS.quick, { n: 4 })
  await until(async () => (await app.mill.get(after.id))?.state).toBe('completed')

  expect(app.ran().find(({ n }) => n === '3')?.pid).toBe(worker?.pid)
  node.signal('SIGTERM')
  expect(await node.ended).toEqual({ code: 0, signal: null })
  expect(node.stderr).not.toMatch(/SIGHUP|EPIPE|caught/)
  expect(node.stderr.match(/The node works on/g)).toHaveLength(1)
}, 60_000)

test('so is one of all that it says', async () => {
  const app = await nodeApp()
  const node = workNode(app, '--processes 1 --log pretty')
  await until(() => node.stdout).toContain('works, ')
  node.closeStdout()
  node.closeStderr()

  const crash = await app.mill.enqueue(JOBS.exit, { n: 1 })
  node.signal('SIGUSR1')
  await until(async () => (await app.mill.get(crash.id))?.state).toBe('failed')
  const after = await app.mill.enqueue(JOBS.quick, { n: 2 })
  await until(async () => (await app.mill.get(after.id))?.state).toBe('completed')

  node.signal('SIGTERM')
  expect(await node.ended).toEqual({ code: 0, signal: null })
}, 60_000)
