/** Filters on the command line: lists, counts, and changes of all jobs that match. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test, vi } from 'vitest'
import { defineJob } from '../../src/index.ts'
import type { Ran } from '../support/app-folder.ts'
import { appFolder } from '../support/app-folder.ts'
import { cliHere } from '../support/cli-here.ts'
import { openMill } from '../support/mill.ts'
import { lacks } from '../support/needs.ts'
import { tempDir } from '../support/temp-store.ts'
import { hasTerminal, onTerminal } from '../support/terminal.ts'
import { fill } from './stores.ts'

describe('--where', () => {
  test('lists and counts what matches', async () => {
    const run = await filled()

    expect((await run('job', 'list', '--where', 'error:timeout')).stdout.split('\n').filter(Boolean)).toHaveLength(2)
    expect(await run('job', 'list', '--where', '-state:failed', '--json')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"name":"report"'),
    })
    expect(await run('job', 'count', '--where', '-queue:bulk')).toMatchObject({ code: 0, stdout: '3\n' })
    expect(await run('job', 'count', '--state', 'failed', '--json')).toMatchObject({
      stdout: '{"count":3,"capped":false}\n',
    })
    expect((await run('dead', 'list', '--where', 'declined')).stdout.split('\n').filter(Boolean)).toHaveLength(1)
    expect(await run('job', 'list', '--limit', '1', '--where', 'error:timeout')).toMatchObject({
      stderr: expect.stringContaining('More: --cursor'),
    })
  })

  test('that cannot be read ends with 2 and points at the column', async () => {
    const run = await filled()

    expect(await run('job', 'list', '--where', 'state:faild')).toEqual({
      code: 2,
      stdout: '',
      stderr: '✕ the filter is wrong at column 7: "faild" is no state  FILTER_INVALID\n  Did you mean failed?\n',
    })
    expect(await run('job', 'list', '--cursor', 'garbage')).toMatchObject({ code: 2 })
    expect(await run('job', 'retry', '--where', '', '--yes')).toMatchObject({ code: 2 })
    expect(await run('dead', 'delete', '--where', ' ', '--yes')).toMatchObject({ code: 2 })
    expect(await run('job', 'list', '--where')).toMatchObject({ code: 2 })
    // Not the flag -c with a value.
    expect(await run('job', 'count', '--where', '-created>1h', '-q')).toMatchObject({ code: 0, stdout: '0\n' })
  })

  test('tells how many had each outcome, and what is left', async () => {
    const run = await filled()

    const retried = await run('job', 'retry', '--where', 'error:timeout', '--yes')
    expect(retried).toMatchObject({ code: 0, stdout: '' })
    expect(retried.stderr).toMatch(/^2 jobs match:\n.*charge.*\n.*charge.*\n✓ 2 jobs retried\.\n$/)
    const cancelled = await run('job', 'cancel', '--where', 'name:charge', '--yes')
    expect(cancelled.code).toBe(1)
    expect(cancelled.stderr).toMatch(
      /✓ 2 jobs cancelled\.\n! 1 job left: already ended\. Put them back with: millrace job retry\n$/,
    )
    const deleted = await run('dead', 'delete', '--where', 'declined', '--yes')
    expect(deleted.stderr).toMatch(/^1 dead letter matches:\n.*\n✓ 1 dead letter removed\.\n$/)
    expect(await run('job', 'delete', '--where', 'state:failed', '--yes')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'No job matches.\n',
    })
    expect((await run('job', 'cancel', '--where', 'queue:bulk', '--yes', '--quiet')).stderr).toBe('')
  })

  test('--dry-run ends after the preview, with --yes too, and with ids prints how each stands', async () => {
    const run = await filled()
    const ids = (await run('job', 'list')).stdout.split('\n').flatMap((line) => line.split('\t').slice(0, 1))

    for (const words of [
      'job delete --where state:failed --yes',
      'dead delete --all --yes',
      'dead retry --all',
      'queue:flush --yes',
      'queue clear bulk --yes',
      `job delete ${ids[0]} --yes`,
      `job move elsewhere ${ids[0]} nope`,
    ]) {
      expect(await run(...words.split(' '), '--dry-run'), words).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/Nothing was changed: this was a dry run\.\n$/),
      })
    }

    const shown = await run('job', 'delete', '--dry-run', ids[0] ?? '', 'nope')
    expect(shown.stdout).toBe(`${ids[0]}\tpending\treport\nnope\tmissing\t\n`)
    expect(await run('job', 'delete', '--dry-run', 'nope')).toMatchObject({ code: 5 })
    const { stdout } = await run('job', 'retry', '--where', 'state:failed', '--dry-run', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      dryRun: true,
      matched: 3,
      capped: false,
      jobs: [{ name: 'charge' }, { name: 'charge' }, { name: 'charge' }],
    })
    expect(await run('job', 'retry', '--where', 'state:failed name:nope', '--dry-run', '--json')).toMatchObject({
      stdout: '{"dryRun":true,"matched":0,"capped":false,"jobs":[]}\n',
    })
    expect(await run('job', 'count', '--where', 'queue:bulk')).toMatchObject({ stdout: '2\n' })
    expect(await run('job', 'count', '--state', 'failed')).toMatchObject({ stdout: '3\n' })
    expect(await run('queue', 'resume', 'bulk', '--dry-run')).toMatchObject({ code: 2 })
  })

  test('needs --yes where nobody can be asked, and does not go with ids', async () => {
    const run = await filled()

    const refused = await run('job', 'delete', '--where', 'state:failed')
    expect(refused).toMatchObject({ code: 6, stdout: '' })
    expect(refused.stderr).toMatch(/^3 jobs match:\n(?:.*\n){3}✕ Delete 3 jobs in sqlite .*CONFIRMATION_NEEDED\n/)
    expect(await run('job', 'delete', '--where', 'state:failed', '--no-input')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('--no-input asks nobody.'),
    })
    expect(await run('job', 'delete', '--where', 'state:failed', 'some-id')).toMatchObject({ code: 2 })
    expect(await run('job', 'delete')).toMatchObject({ code: 2, stderr: expect.stringContaining('--where') })
    expect(await run('job', 'reschedule', 'soon', '--where', 'state:failed')).toMatchObject({ code: 2 })
    expect(await run('job', 'count', '--state', 'failed')).toMatchObject({ stdout: '3\n' })
  })

  test('that Ctrl-C stops ends with 130 and says how to go on', async () => {
    const run = await filled()
    const once = vi.spyOn(process, 'once').mockImplementation((name, heard) => {
      if (name === 'SIGINT') heard()
      return process
    })

    const ran = await run('job', 'cancel', '--where', 'queue:bulk', '--yes').finally(() => once.mockRestore())

    expect(ran.code, ran.stderr).toBe(130)
    expect(ran.stderr).toMatch(/Stopped\. Run it again to go on with the rest\.\n$/)
    expect(await run('job', 'cancel', '--where', 'queue:bulk', '--yes')).toMatchObject({ code: 0 })
  })

  test('that is refused half-way tells what was done, and how to go on', async () => {
    const folder = tempDir()
    const mill = await openMill({ store: storeIn(folder) })
    const made = await mill.enqueueMany(defineJob({ name: 'many' }), new Array(700).fill(undefined))
    const db = new DatabaseSync(join(folder, 'millrace.db'))
    db.exec(
      `CREATE TRIGGER theirs BEFORE INSERT ON millrace_archive WHEN NEW.id = '${made[600]?.id}' BEGIN SELECT RAISE(ABORT, 'not this one'); END`,
    )
    db.close()

    const ran = await cliHere(folder, ['job', 'cancel', '--where', 'name:many', '--yes'])

    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toMatch(
      /✓ 500 jobs cancelled\.\n✕ stopped after 500 jobs.* {2}BULK_PARTIAL\n {2}What was done is committed\. Run it again/,
    )
  })
})

describe.skipIf(lacks('script', hasTerminal))('on a terminal (needs: script)', () => {
  test('shows what matches before it asks, in lines no wider than it', async () => {
    const folder = appFolder()
    await fill(storeIn(folder))

    const no = await onTerminal(folder, "millrace job retry --where 'state:failed'", 'n\n')
    const yes = await onTerminal(folder, "millrace job retry --where 'state:failed error:timeout'", 'y\n')

    expect(no.code).toBe(6)
    expect(no.lines[0]).toBe('3 jobs match:')
    expect(no.lines[1]).toMatch(
      /^ {2}[0-9a-f]{8}…[0-9a-f]{4} {2}charge {2}default {2}failed {2}\S+ ago {2}Discard: Timeout/,
    )
    expect(no.lines.filter((line) => line.length > 80)).toEqual([])
    expect(no.lines.join('\n')).toContain('Retry 3 jobs in sqlite')
    expect(yes.code).toBe(0)
    expect(yes.lines.at(-1)).toBe('✓ 2 jobs retried.')
  })

  test('above 1,000 only their number goes on, however it is grouped, and --no-input asks nobody', async () => {
    const folder = appFolder()
    const mill = await openMill({ store: storeIn(folder) })
    await mill.enqueueMany(defineJob({ name: 'many' }), new Array(1_001).fill(undefined), { queue: 'long' })
    const run = (line: string, answer: string) => onTerminal(folder, `millrace ${line}`, answer)

    const byHabit = await run('job cancel --where name:many', 'y\n')
    const quiet = await run('job cancel --where name:many --no-input', '')
    const typed = await run('job cancel --where name:many', '1,001\n')
    await mill.enqueueMany(defineJob({ name: 'many' }), new Array(1_001).fill(undefined), { queue: 'long' })
    const cleared = await run('queue clear long', '1001\n')

    expect(byHabit.code).toBe(6)
    expect(byHabit.lines.join('\n')).toContain('Type 1001 to go on: y\nNothing was changed.')
    expect(quiet.code).toBe(6)
    expect(typed.code).toBe(0)
    expect(typed.lines.at(-1)).toBe('✓ 1,001 jobs cancelled.')
    expect(cleared.lines.at(-1)).toBe('Deleted 1,001 jobs of long.')
  }, 60_000)
})

/** Runs a command on what `fill` makes. */
async function filled(): Promise<(...args: readonly string[]) => Promise<Ran>> {
  const folder = tempDir()
  await fill(storeIn(folder))
  return (...args) => cliHere(folder, args)
}

function storeIn(folder: string): string {
  return `sqlite:${join(folder, 'millrace.db')}`
}
