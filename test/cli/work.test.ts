/** The flags of `millrace work`, and where its settings come from. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defineJob, Millrace } from '../../src/index.ts'
import { appFolder, runIn } from '../support/app-folder.ts'

/** Notes when it began and ended; runs for `ms`, unless its signal aborts. */
const HANDLER = `import { defineJob } from 'millrace'
import { appendFileSync } from 'node:fs'
export default defineJob({ name: 'notes', retry: false, run: async ({ n, ms }, job) => {
  appendFileSync('ran', \`+\${n}\\n\`)
  await new Promise((done, fail) => { setTimeout(done, ms ?? 0); job.signal.addEventListener('abort', () => fail(job.signal.reason)) })
  appendFileSync('ran', \`-\${n}\\n\`)
} })`
const notes = defineJob<{ n: number; ms?: number }>({ name: 'notes' })

interface App {
  readonly folder: string
  run(line: string, env?: Readonly<Record<string, string>>): ReturnType<typeof runIn>
  /** `+n` for each begin and `-n` for each end, in order. */
  ran(): readonly string[]
  store<T>(use: (mill: Millrace) => Promise<T>): Promise<T>
}

function app(config = ''): App {
  const folder = appFolder()
  mkdirSync(join(folder, 'jobs'))
  writeFileSync(join(folder, 'jobs/notes.handler.mjs'), HANDLER)
  writeFileSync(join(folder, 'millrace.config.mjs'), `export default { handlers: './jobs/*.mjs', ${config} }`)
  writeFileSync(join(folder, 'ran'), '')
  return {
    folder,
    run: (line, env = {}) => runIn(folder, line, env),
    ran: () => readFileSync(join(folder, 'ran'), 'utf8').split('\n').filter(Boolean),
    store: async (use) => {
      const mill = await Millrace.open({ store: `sqlite:${join(folder, 'millrace.db')}` })
      return use(mill).finally(() => mill.close())
    },
  }
}

describe('millrace work', () => {
  test('--once runs one job, or none, and --max-jobs so many', async () => {
    const { run, ran, store } = app()
    await store((mill) =>
      mill.enqueueMany(
        notes,
        [1, 2, 3, 4, 5, 6].map((n) => ({ n })),
      ),
    )

    expect(await run('millrace work --once --quiet')).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect(ran()).toEqual(['+1', '-1'])
    expect((await run('millrace work --max-jobs 2 --concurrency 1')).code).toBe(0)
    expect(ran().filter((line) => line.startsWith('-'))).toEqual(['-1', '-2', '-3'])
    expect((await run('millrace work --drain')).code).toBe(0)
    expect(ran().filter((line) => line.startsWith('-'))).toHaveLength(6)
    expect((await run('millrace work --once')).code).toBe(0)
    expect(await store((mill) => mill.count({ state: 'completed' }))).toMatchObject({ count: 6 })
  }, 60_000)

  test('--concurrency is how many run at a time, and wins over the configuration', async () => {
    const { run, ran, store } = app('concurrency: 5')
    await store((mill) =>
      mill.enqueueMany(
        notes,
        [1, 2, 3, 4].map((n) => ({ n, ms: 30 })),
      ),
    )

    await run('millrace work --drain --concurrency 1')

    expect(ran()).toEqual(['+1', '-1', '+2', '-2', '+3', '-3', '+4', '-4'])
  }, 60_000)

  test('--queues and arguments name the queues, with weights; other queues are left', async () => {
    const { run, ran, store } = app()
    await store(async (mill) => {
      for (const [i, queue] of ['a', 'b', 'c'].entries()) await mill.enqueue(notes, { n: i }, { queue })
    })

    await run('millrace work b --drain')
    expect(ran()).toEqual(['+1', '-1'])
    await run('millrace work --queues a:10,c:5 --drain --concurrency 1')
    expect(ran().toSorted()).toEqual(['+0', '+1', '+2', '-0', '-1', '-2'])
    expect((await run('millrace work --queues a:many --drain')).code).toBe(2)
    expect((await run('millrace work --queues "a b" --drain')).code).toBe(2)
  }, 60_000)

  test('--timeout is the longest an attempt may run here', async () => {
    const { run, ran, store } = app()
    const { id } = await store((mill) => mill.enqueue(notes, { n: 1, ms: 600_000 }))

    expect((await run('millrace work --drain --timeout 50ms')).code).toBe(0)
    expect(ran()).toEqual(['+1'])
    expect(await store((mill) => mill.get(id))).toMatchObject({ state: 'failed', error: { name: 'TimeoutError' } })
  }, 60_000)

  test('--grace is how long a handler may ignore its signal, and wins over the configuration', async () => {
    const { run, folder, store } = app("worker: { grace: '10m' }")
    writeFileSync(
      join(folder, 'jobs/deaf.handler.mjs'),
      "import { defineJob } from 'millrace'\nexport default defineJob({ name: 'deaf', retry: false, run: () => new Promise(() => setInterval(() => {}, 1000)) })",
    )
    const { id } = await store((mill) => mill.enqueue(defineJob({ name: 'deaf' })))

    expect((await run('millrace work --drain --timeout 50ms --grace 50ms')).code).toBe(0)
    expect(await store((mill) => mill.get(id))).toMatchObject({ state: 'failed', error: { name: 'TimeoutError' } })
    expect((await run('millrace work --grace 0s')).code).toBe(2)
  }, 60_000)

  test('--log json is one JSON object a line, and never a payload', async () => {
    const { run, store } = app()
    await store((mill) => mill.enqueue(notes, { n: 1, secret: 'SECRET\u202e' } as { n: number }))

    const { stdout } = await run('millrace work --drain --log json')

    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['worker.started', 'job.settled', 'worker.stopped']),
    )
    expect(stdout).not.toContain('SECRET')
  }, 60_000)
})

describe('the store', () => {
  test('is --store, else MILLRACE_STORE, else the configuration, else ./millrace.db; its relative paths count from their place', async () => {
    const { run, folder } = app("store: 'sqlite:./from-config.db'")
    const env = { MILLRACE_STORE: 'sqlite:./from-env.db' }
    mkdirSync(join(folder, 'deeper'))
    const where = async (line: string, given: Readonly<Record<string, string>> = {}) =>
      JSON.parse((await run(`${line} millrace migrate --json`, given)).stdout).store.replace(`sqlite ${folder}/`, '')

    expect(await where('')).toBe('from-config.db')
    expect(await where('', env)).toBe('from-env.db')
    expect(JSON.parse((await run('millrace migrate --json --store sqlite:./flag.db', env)).stdout).store).toContain(
      'flag.db',
    )
    // The configuration is found upward, and its store stays where it is.
    expect(await where('cd deeper &&')).toBe('from-config.db')
    expect(await where('cd deeper &&', env)).toBe('deeper/from-env.db')
    writeFileSync(join(folder, 'other.config.mjs'), "export default { store: 'sqlite:./other.db' }")
    expect(JSON.parse((await run('millrace migrate --json --config other.config.mjs')).stdout).store).toContain(
      'other.db',
    )
  }, 60_000)

  test('L4: a configuration is not looked for beyond the first package.json', async () => {
    const { run, folder } = app("store: 'sqlite:./outer.db'")
    mkdirSync(join(folder, 'inner'))
    writeFileSync(join(folder, 'inner/package.json'), '{}')

    const { stdout } = await run('cd inner && millrace migrate --json')

    expect(JSON.parse(stdout).store).toBe(`sqlite ${folder}/inner/millrace.db`)
  }, 60_000)
})

test.each(['SIGTERM', 'SIGINT'] as const)(
  'millrace work ends with 0 after %s, its job finished',
  async (signal) => {
    const folder = appFolder()
    mkdirSync(join(folder, 'jobs'))
    writeFileSync(join(folder, 'millrace.config.ts'), "export default { handlers: './jobs/*.handler.mjs' }")
    const handler = `import { defineJob } from 'millrace'
import { writeFileSync } from 'node:fs'
const later = () => new Promise((done) => { setTimeout(done, 300) })
export default defineJob({ name: 'slow', run: async () => { writeFileSync('started', ''); await later() } })`
    writeFileSync(join(folder, 'jobs/slow.handler.mjs'), handler)
    const { stdout } = await runIn(folder, 'millrace job add slow')
    const child = spawn(process.execPath, ['node_modules/.bin/millrace', 'work'], { cwd: folder, stdio: 'ignore' })
    const ended = new Promise<number | null>((done) => child.on('close', (code) => done(code)))
    await expect.poll(() => existsSync(join(folder, 'started')), { timeout: 20_000, interval: 10 }).toBe(true)

    child.kill(signal)

    expect(await ended).toBe(0)
    const { stdout: shown } = await runIn(folder, `millrace job show ${stdout.trim()} --json`)
    expect(JSON.parse(shown)).toMatchObject({ state: 'completed', attempts: 1 })
  },
  60_000,
)
