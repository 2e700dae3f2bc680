/** Commands that look and change, alike on every store: migrate, doctor, job … --where, queue, and what they say when it is not there. */
import { existsSync } from 'node:fs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { stepsOf } from '../store/later.ts'
import type { Ran } from '../support/app-folder.ts'
import { type CliStore, describeOnStores, fill, type Run, runOn } from './stores.ts'

await describeOnStores((store) => {
  migrates(store)
  diagnoses(store)
  changes(store)
  handlesQueues(store)
  if (store.kind !== 'sqlite') hidesPasswords(store)
})

function migrates({ kind, fresh }: CliStore): void {
  test('migrate plan connects to nothing, status says what is missing, and up makes it', async () => {
    const url = await fresh()
    const run = runOn(url)

    const plan = await run('migrate', 'plan')
    expect(plan).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^-- Millrace: version 1\n[\s\S]*CREATE TABLE/),
    })
    const latest = stepsOf(url)
    const versions = Array.from({ length: latest }, (_, i) => i + 1)
    expect(plan.stderr).toContain(`from an empty store to version ${latest}`)
    if (kind !== 'sqlite')
      expect(await runOn(nowhere(url))('migrate', 'plan')).toMatchObject({ code: 0, stdout: plan.stdout })

    expect(await run('migrate', 'status')).toMatchObject({
      code: 7,
      stderr: expect.stringContaining(`version 0 of ${latest}`),
    })
    expectNoFile(url)
    const missing = await run('migrate', 'plan', '--missing', '--json')
    expect(JSON.parse(missing.stdout)).toMatchObject({ latest, steps: versions.map((version) => ({ version })) })
    const up = JSON.parse((await run('migrate', 'up', '--json')).stdout)
    expect(up).toMatchObject({ current: latest, applied: versions })
    expect(await run('migrate', 'status')).toMatchObject({ code: 0 })
    expect(await run('migrate', 'plan', '--missing')).toMatchObject({ code: 0, stdout: '' })
    expect(await run('migrate', 'plan')).toMatchObject({ code: 0, stdout: plan.stdout })
  })
}

function diagnoses({ fresh, made }: CliStore): void {
  test('doctor says which store it is, what is missing and what is paused', async () => {
    const url = await fresh()
    const empty = await runOn(url)('doctor')
    expectNoFile(url)
    const run = runOn(await made())
    await run('queue', 'pause', 'mail', '--reason', 'bad deploy')

    const { stdout } = await run('doctor', '--json')

    expect(empty.stdout).toMatch(/(has version 0 of \d+|does not exist yet)[\s\S]*→ .*millrace migrate up/)
    const { findings } = JSON.parse(stdout)
    expect(findings).toContainEqual(
      expect.objectContaining({
        group: 'Store',
        level: 'ok',
        text: expect.stringMatching(/, version \d+, answers in/),
      }),
    )
    expect(findings).toContainEqual(
      expect.objectContaining({ group: 'Queues', level: 'warning', text: expect.stringContaining('bad deploy') }),
    )
  })
}

function changes({ made }: CliStore): void {
  test('a change by filter shows what it meets, changes it, and tells how many had each outcome', async () => {
    const url = await made()
    const run = runOn(url)
    await fill(url)

    const dry = await run('job', 'retry', '--where', 'error:timeout', '--dry-run')
    expect(dry).toMatchObject({ code: 0, stdout: '' })
    expect(dry.stderr).toMatch(
      /^2 jobs match:\n( {2}[0-9a-f-]{36} {2}charge {2}default {2}failed {2}\S+Z {2}.*\n){2}Nothing was changed.*\n$/,
    )
    expect(await numberOf(run, 'state:failed')).toBe(3)
    const refused = await run('job', 'retry', '--where', 'error:timeout')
    expect(refused).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/^2 jobs match:[\s\S]*CONFIRMATION_NEEDED/),
    })

    const table: readonly (readonly [args: readonly string[], done: number, outcomes: Record<string, number>])[] = [
      [['retry', '--where', 'error:timeout'], 2, { retried: 2 }],
      [['move', 'later', '--where', 'queue:bulk'], 2, { updated: 2 }],
      [['priority', 'high', '--where', 'queue:later since:1h'], 2, { updated: 2 }],
      [['reschedule', '1h', '--where', 'queue:later priority:high'], 2, { updated: 2 }],
      [['reschedule', 'now', '--where', 'state:scheduled'], 2, { updated: 2 }],
      [['cancel', '--where', 'name:charge'], 2, { cancelled: 2, final: 1 }],
      [['delete', '--where', 'state:failed,cancelled'], 3, { removed: 3 }],
      [['delete', '--where', 'state:failed'], 0, {}],
    ]
    for (const [args, done, outcomes] of table) {
      const { code, stdout } = await run('job', ...args, '--yes', '--json')
      const matched = Object.values(outcomes).reduce((sum, count) => sum + count, 0)
      expect(JSON.parse(stdout), args.join(' ')).toEqual({ done, matched, outcomes })
      expect(code).toBe(done === matched ? 0 : 1)
    }
    expect(await numberOf(run, 'queue:later priority:high state:pending')).toBe(2)
    expect(await numberOf(run, '-queue:later')).toBe(0)
  })
}

function handlesQueues({ made }: CliStore): void {
  test('queues are paused, resumed, told of and cleared', async () => {
    const run = runOn(await made())
    for (const name of ['one', 'two']) await run('job', 'add', name, '--queue', 'media')
    await run('job', 'add', 'three', '--queue', 'media', '--delay', '1h')

    expect(await run('queue', 'pause', 'media', '--reason', 'bad deploy')).toMatchObject({ code: 0 })
    expect((await run('queue', 'list')).stdout).toMatch(/^media\t2\t\S+Z\t0\t1\t0\t0\tby .*: bad deploy\n$/)
    expect(await run('queue', 'resume', 'media')).toMatchObject({ code: 0 })
    expect((await run('queue', 'stats', 'media')).stdout).toContain('media\tscheduled\t1\n')
    expect(await run('queue', 'clear', 'media')).toMatchObject({ code: 6 })
    expect(JSON.parse((await run('queue', 'clear', 'media', '--dry-run', '--json')).stdout)).toMatchObject({
      dryRun: true,
      matched: 3,
      jobs: [{ name: 'three' }, { name: 'two' }, { name: 'one' }],
    })
    expect(await run('queue', 'clear', 'media', '--yes', '--json')).toMatchObject({
      code: 0,
      stdout: '{"queue":"media","removed":3}\n',
    })
    expect(await run('queue', 'stats', 'media')).toMatchObject({ code: 5 })
  })
}

function hidesPasswords({ fresh }: CliStore): void {
  test('a password is in no error, however the store is missed', async () => {
    const url = await fresh()
    vi.stubEnv('MILLRACE_DEBUG', '1')
    onTestFinished(() => void vi.unstubAllEnvs())

    for (const wrong of [nowhere(url), notKnown(url), noDatabase(url)]) {
      const [list, doctor, json] = [
        await runOn(wrong)('job', 'list'),
        await runOn(wrong)('doctor'),
        await runOn(wrong)('job', 'add', 'a', '--json'),
      ]
      expectRefused(list, json)
      expect(doctor).toMatchObject({ code: 7, stdout: expect.stringMatching(/✕ .*\n {6}→ /) })
    }
    // Signs that end the authority of a URL leave its rest in what comes after.
    for (const sign of ['/', '?', '#']) {
      const misread = url.replace(/:\/\/.*@/, `://app:left${sign}right@`)
      const { code, stderr } = await runOn(misread)('job', 'list')
      expect(code, stderr).toBe(3)
      expect(stderr).not.toMatch(/left|right/)
    }
  })
}

function expectRefused(list: Ran, json: Ran): void {
  expect(list).toMatchObject({ code: 3, stdout: '', stderr: expect.stringMatching(/^✕ .* {2}STORE_\w+\n/) })
  expect(json).toMatchObject({ code: 3, stdout: '' })
  expect(JSON.parse(json.stderr).error.code).toMatch(/^STORE_/)
}

async function numberOf(run: Run, where: string): Promise<number> {
  return Number((await run('job', 'count', '--where', where)).stdout)
}

/** What only looks makes no file. */
function expectNoFile(url: string): void {
  if (url.startsWith('sqlite:')) expect(existsSync(url.replace(/^sqlite:|\?.*/g, ''))).toBe(false)
}

function nowhere(url: string): string {
  const other = new URL(url)
  other.port = '1'
  return other.href
}

/** Somebody whom the server does not know. */
function notKnown(url: string): string {
  const other = new URL(url)
  other.username = 'nobody-of-that-name'
  return other.href
}

function noDatabase(url: string): string {
  const other = new URL(url)
  other.pathname = '/millrace_test_no_such_database'
  return other.href
}
