/** The command line as it is typed: whole processes in an app's folder, their output and their exit codes. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defineJob } from '../../src/index.ts'
import { appFolder, runIn } from '../support/app-folder.ts'
import { cliHere } from '../support/cli-here.ts'
import { openMill } from '../support/mill.ts'
import { tempDir } from '../support/temp-store.ts'

async function app(): Promise<(line: string) => ReturnType<typeof runIn>> {
  const folder = appFolder()
  const init = await runIn(folder, 'millrace init --yes')
  expect(init.code, init.stderr).toBe(0)
  return (line) => runIn(folder, line)
}

/** Runs lines in this process, in a folder without a configuration: for commands that need no handlers. */
function here(): (line: string) => ReturnType<typeof runIn> {
  const folder = tempDir()
  const words = (line: string) => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')
  return (line) => cliHere(folder, words(line).slice(1))
}

async function idOf(run: (line: string) => ReturnType<typeof runIn>, line: string): Promise<string> {
  const { code, stdout, stderr } = await run(line)
  expect(code, stderr).toBe(0)
  return stdout.trim()
}

describe('millrace init', () => {
  test('is followed by a job that runs', async () => {
    const run = await app()
    const id = await idOf(run, `millrace job add hello --data '{"name":"world"}'`)

    const work = await run('millrace work --drain --log json')
    const wait = await run(`millrace job wait ${id} --timeout 1s`)

    expect(work.code, work.stderr).toBe(0)
    expect(
      work.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    ).toContainEqual(expect.objectContaining({ event: 'job.settled', jobId: id, outcome: 'completed' }))
    expect(wait).toMatchObject({ code: 0, stdout: '{"text":"hello, world"}\n' })
  })

  test('says what to install where the package is not', async () => {
    const bin = resolve('bin/millrace.js')

    expect((await runIn(tempDir(), `node ${bin} init --yes`)).stderr).toContain('npm install millrace\n')
    expect((await runIn(appFolder(), `node ${bin} init --yes`)).stderr).not.toContain('npm install')
  })

  test('changes nothing that is there', async () => {
    const folder = appFolder()
    writeFileSync(join(folder, 'millrace.config.ts'), 'export default {}\n')

    await runIn(folder, 'millrace init --yes')
    const again = await runIn(folder, 'millrace init --yes')

    expect(readFileSync(join(folder, 'millrace.config.ts'), 'utf8')).toBe('export default {}\n')
    expect(again.stderr).toContain('Everything is here already')
  })
})

describe('millrace queue:test', () => {
  test('prints the road of one probe', async () => {
    const run = await app()

    const { code, stdout } = await run('millrace queue:test')

    expect(code).toBe(0)
    expect(stdout).toMatch(
      /✓ Connected .*\n✓ Enqueued .*\n✓ Picked up .*\n✓ Completed .*"pong":true.*\nAll good in \d+ ms\.\n/,
    )
  })

  test('ends with 4 when nobody picks the probe up, and leaves none behind', async () => {
    const run = await app()

    const { code, stderr } = await run('millrace queue:test --no-worker --timeout 100ms')
    const left = await run('millrace job list --json --state pending')

    expect(code).toBe(4)
    expect(stderr).toContain('millrace work')
    expect(JSON.parse(left.stdout)).toEqual({ data: [] })
  })

  test('gives a probe up that does not end, and runs nothing else that waits in its queue', async () => {
    const folder = appFolder()
    mkdirSync(join(folder, 'jobs'))
    writeFileSync(
      join(folder, 'jobs/a.handler.mjs'),
      `import { defineJob } from 'millrace'
      const stuck = () => new Promise((done) => setTimeout(done, 3_600_000))
      export const deaf = defineJob({ name: 'deaf', run: stuck })
      export const other = defineJob({ name: 'other', run: stuck })`,
    )
    writeFileSync(join(folder, 'millrace.config.ts'), "export default { handlers: './jobs/*.mjs' }")
    const other = (await runIn(folder, 'millrace job add other')).stdout.trim()

    const { code, stderr } = await runIn(folder, 'millrace test deaf --timeout 2s')
    const left = await runIn(folder, `millrace job show ${other} --json`)

    expect(stderr).toMatch(/within 2s; it is cancelled/)
    expect(code).toBe(4)
    expect(JSON.parse(left.stdout)).toMatchObject({ state: 'pending', attempts: 0 })
  }, 60_000)

  test('makes many test jobs and tells what became of them', async () => {
    const run = await app()

    const { code, stdout } = await run('millrace test --count 50 --fail-rate 0.1 --payload-size 2kb --json')

    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      count: 50,
      completed: 45,
      failed: 5,
      failures: { 'TestFailure: failed on purpose (--fail-rate)': 5 },
    })
  })

  test('runs a handler inline', async () => {
    const run = await app()

    expect(await run(`millrace test hello --inline --json --data '{"name":"you"}'`)).toMatchObject({
      code: 0,
      stdout: '{"ok":true,"result":{"text":"hello, you"}}\n',
    })
  })
})

describe('millrace job', () => {
  test('lists, shows and changes jobs, and says for each id what became of it', async () => {
    const run = here()
    const id = await idOf(run, 'millrace job add later --delay 1h --priority high --tag a,b')

    expect((await run('millrace job list')).stdout).toMatch(
      new RegExp(`^${id}\tlater\tdefault\tscheduled\t\t0\t\\S+Z\t\n$`),
    )
    expect(JSON.parse((await run(`millrace job show ${id} --json`)).stdout)).toMatchObject({
      tags: ['a', 'b'],
      priority: 10,
      why: [{ code: 'not-before' }, { code: 'no-worker' }],
    })
    expect(await run(`millrace job move bulk ${id}`)).toMatchObject({ code: 0, stdout: `${id}\tupdated\n` })
    expect(await run(`millrace job priority urgent ${id}`)).toMatchObject({ code: 0 })
    expect(await run(`millrace job:cancel ${id}`)).toMatchObject({ code: 0, stdout: `${id}\tcancelled\n` })
    expect(await run(`millrace job cancel ${id}`)).toMatchObject({ code: 1, stdout: `${id}\tfinal\n` })
    expect(await run(`millrace queue:retry ${id}`)).toMatchObject({ code: 0, stdout: `${id}\tretried\n` })
    expect(await run(`millrace job delete ${id}`)).toMatchObject({ code: 6, stdout: '' })
    expect(await run(`millrace job delete ${id} --yes`)).toMatchObject({ code: 0, stdout: `${id}\tremoved\n` })
    expect(await run(`millrace job delete ${id} --yes`)).toMatchObject({ code: 5, stdout: `${id}\tmissing\n` })
    expect(await run(`millrace job show ${id}`)).toMatchObject({ code: 5 })
  })

  test('needs --yes for several when nobody can be asked', async () => {
    const run = here()
    const [a, b] = [await idOf(run, 'millrace job add one'), await idOf(run, 'millrace job add two')]

    const refused = await run(`millrace job cancel ${a} ${b}`)
    const done = await run(`millrace job cancel ${a} ${b} --yes`)

    expect(refused).toMatchObject({ code: 6, stdout: '' })
    expect(refused.stderr).toContain('CONFIRMATION_NEEDED')
    expect(done).toMatchObject({ code: 0, stdout: `${a}\tcancelled\n${b}\tcancelled\n` })
  })

  test('wait ends by how the job ended', async () => {
    const run = here()
    const id = await idOf(run, 'millrace job add nobody')

    expect(await run(`millrace job wait ${id} --timeout 50ms`)).toMatchObject({ code: 4 })
    await run(`millrace job cancel ${id}`)
    expect(await run(`millrace job wait ${id}`)).toMatchObject({ code: 1 })
  })

  test('shows hostile text without its control characters', async () => {
    const run = await app()
    const id = await idOf(run, `millrace job add hello --data '{"name":"\\u001b[31mred\\u202e"}'`)
    await run('millrace work --drain --quiet')

    const { stdout } = await run(`millrace job show ${id}`)

    expect(stdout).toContain('greeting \\u001b[31mred\\u202e')
    expect(stdout).not.toContain('\u001b')
    expect(stdout).not.toContain('\u202e')
  })
})

describe('millrace queue', () => {
  test('says of a long queue that it holds 10,000 or more', async () => {
    const folder = appFolder()
    const mill = await openMill({ store: `sqlite:${join(folder, 'millrace.db')}?durability=normal` })
    await mill.enqueueMany(defineJob({ name: 'many', queue: 'long' }), new Array(10_001).fill(undefined))

    expect((await runIn(folder, 'millrace queue list')).stdout).toMatch(/^long\t10,000\+\t/)
    expect((await runIn(folder, 'millrace queue stats long')).stdout).toContain('long\tpending\t10,000+\n')
  })

  test('pauses, resumes, tells and clears', async () => {
    const run = here()
    await idOf(run, 'millrace job add one --queue media')
    await idOf(run, 'millrace job add two --queue media')

    expect(await run('millrace queue pause media --reason "bad deploy"')).toMatchObject({ code: 0 })
    expect((await run('millrace queue list')).stdout).toMatch(/^media\t2\t\S+Z\t0\t0\t0\t0\tby .*: bad deploy\n$/)
    expect(await run('millrace queue:resume media')).toMatchObject({ code: 0 })
    expect((await run('millrace queue:stats media')).stdout).toContain('media\tpending\t2\n')
    expect(await run('millrace queue:purge media')).toMatchObject({ code: 6 })
    expect(await run('millrace queue:purge media --yes --json')).toMatchObject({
      code: 0,
      stdout: '{"queue":"media","removed":2}\n',
    })
    expect(await run('millrace queue stats nowhere')).toMatchObject({ code: 5 })
  })
})

describe('millrace dead', () => {
  test('lists dead letters, puts them back and deletes them', async () => {
    const run = here()
    await run('millrace test --count 3 --fail-rate 1 --quiet --json')

    expect((await run('millrace queue:failed')).stdout.split('\n').filter(Boolean)).toHaveLength(3)
    expect(await run('millrace dead retry')).toMatchObject({ code: 2 })
    expect(await run('millrace dead delete --all --yes --json')).toMatchObject({
      code: 0,
      stdout: '{"done":3,"matched":3,"outcomes":{"removed":3}}\n',
    })
    expect((await run('millrace dead list')).stdout).toBe('')
  })
})

describe('millrace doctor', () => {
  test('ends with 7 and says what to do about what is wrong', async () => {
    const folder = appFolder()
    writeFileSync(join(folder, 'millrace.db'), 'this is no database, whatever its name says; '.repeat(100))

    const { code, stdout } = await runIn(folder, 'millrace doctor --json')

    expect(code).toBe(7)
    expect(JSON.parse(stdout).findings).toContainEqual(expect.objectContaining({ group: 'Store', level: 'problem' }))
  })

  test('is content with a new app', async () => {
    const run = await app()

    expect(await run('millrace doctor')).toMatchObject({ code: 0 })
  })
})

describe('wrong usage', () => {
  test.each([
    ['work --concurency 3', 2, '--concurrency'],
    ['work --concurrency many', 2, 'whole number'],
    ['work --log xml', 2, 'neither pretty nor json'],
    ['job add x --priority hgih', 2, 'high'],
    ['job list --store nosuch:db', 3, 'sqlite:'],
    ['job list --config nowhere.ts', 3, 'nowhere.ts'],
  ])('millrace %s ends with %i and names %s', async (words, code, said) => {
    const ran = await runIn(appFolder(), `millrace ${words}`)

    expect(ran).toMatchObject({ code, stdout: '' })
    expect(ran.stderr).toContain(said)
  })

  test.each([
    ['enum.handler.ts', 'enum Size { Big }', 'replace enums'],
    ['gone.handler.ts', "import './gone.ts'", 'relative ones need their file ending'],
    ['none.handler.ts', 'export default 1', 'export default handle('],
  ])('a handler file with what cannot be loaded (%s) is explained', async (name, code, said) => {
    const folder = appFolder()
    mkdirSync(join(folder, 'jobs'))
    writeFileSync(join(folder, 'millrace.config.ts'), "export default { handlers: './jobs/*.handler.ts' }")
    writeFileSync(join(folder, 'jobs', name), code)

    const ran = await runIn(folder, 'millrace work --drain')

    expect(ran.code).toBe(3)
    expect(ran.stderr).toContain(said)
  })
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

test('help of a topic that is none says which is near, and not the whole help', async () => {
  const run = here()

  expect(await run('millrace help job lst')).toEqual({
    code: 2,
    stdout: '',
    stderr: '✕ unknown command "job lst"  USAGE\n  Did you mean job list ?\n',
  })
  expect((await runIn(appFolder(), 'millrace help job add')).stdout).toContain(
    'Usage: millrace job add [options] <name>',
  )
})
