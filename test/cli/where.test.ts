/** Filters on the command line: lists, counts, and changes of all jobs that match. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Discard, defineJob, Millrace } from '../../src/index.ts'
import type { Ran } from '../support/app-folder.ts'
import { appFolder } from '../support/app-folder.ts'
import { cliHere } from '../support/cli-here.ts'
import { lacks } from '../support/needs.ts'
import { tempDir } from '../support/temp-store.ts'
import { hasTerminal, onTerminal } from '../support/terminal.ts'

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

  test('changes every job that matches, and tells how many had each outcome', async () => {
    const run = await filled()

    expect(await run('job', 'retry', '--where', 'error:timeout', '--yes')).toEqual({
      code: 0,
      stdout: '',
      stderr: '✓ 2 jobs retried.\n',
    })
    expect(await run('job', 'move', 'later', '--where', 'queue:bulk', '--yes', '--json')).toMatchObject({
      code: 0,
      stdout: '{"done":2,"matched":2,"outcomes":{"updated":2}}\n',
    })
    expect(await run('job', 'priority', 'high', '--where', 'queue:later', '--yes')).toMatchObject({ code: 0 })
    expect(await run('job', 'count', '--where', 'queue:later priority:high')).toMatchObject({ stdout: '2\n' })
    expect(await run('job', 'cancel', '--where', 'name:charge', '--yes')).toEqual({
      code: 1,
      stdout: '',
      stderr: '✓ 2 jobs cancelled.\n! 1 job left: already ended. Put them back with: millrace job retry\n',
    })
    expect(await run('dead', 'delete', '--where', 'declined', '--yes')).toMatchObject({
      code: 0,
      stderr: '✓ 1 dead letter removed.\n',
    })
    expect(await run('job', 'delete', '--where', 'state:failed', '--yes')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'No job matches.\n',
    })
  })

  test('needs --yes where nobody can be asked, and does not go with ids', async () => {
    const run = await filled()

    expect(await run('job', 'delete', '--where', 'state:failed')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('Delete 3 jobs in sqlite'),
    })
    expect(await run('job', 'delete', '--where', 'state:failed', 'some-id')).toMatchObject({ code: 2 })
    expect(await run('job', 'delete')).toMatchObject({ code: 2, stderr: expect.stringContaining('--where') })
    expect(await run('job', 'count', '--state', 'failed')).toMatchObject({ stdout: '3\n' })
  })
})

describe.skipIf(lacks('script', hasTerminal))('on a terminal (needs: script)', () => {
  test('shows what matches before it asks, in lines no wider than it', async () => {
    const folder = appFolder()
    await fill(folder)

    const no = await onTerminal(folder, "millrace job retry --where 'state:failed'", 'n\n')
    const yes = await onTerminal(folder, "millrace job retry --where 'state:failed error:timeout'", 'y\n')

    expect(no.code).toBe(6)
    expect(no.lines[0]).toBe('3 jobs match:')
    expect(no.lines[1]).toMatch(/^ {2}[0-9a-f-]{36} {2}charge {2}default {2}failed/)
    expect(no.lines.filter((line) => line.length > 80)).toEqual([])
    expect(no.lines.join('\n')).toContain('Retry 3 jobs in sqlite')
    expect(yes.code).toBe(0)
    expect(yes.lines.at(-1)).toBe('✓ 2 jobs retried.')
  })
})

/** Runs a command on three failed jobs in `default`, two of them for a timeout, and two that wait in `bulk`. */
async function filled(): Promise<(...args: readonly string[]) => Promise<Ran>> {
  const folder = tempDir()
  await fill(folder)
  return (...args) => cliHere(folder, args)
}

async function fill(folder: string): Promise<void> {
  const mill = await Millrace.open({ store: `sqlite:${join(folder, 'millrace.db')}` })
  const charge = defineJob({ name: 'charge', run: (why: string) => Promise.reject(new Discard(why)) })
  await mill.enqueueMany(charge, ['timeout', 'declined', 'Timeout after 5000 ms, as it goes on and on and on'])
  await mill.work([charge], { drain: true }).done
  await mill.enqueueMany(defineJob({ name: 'report', run: (_: number) => {} }), [1, 2], { queue: 'bulk' })
  await mill.close()
}
