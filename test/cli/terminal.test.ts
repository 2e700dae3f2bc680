/** The command line on a real terminal of 80 columns: tables, questions and colours. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Discard, defineJob, Millrace } from '../../src/index.ts'
import { appFolder } from '../support/app-folder.ts'
import { lacks } from '../support/needs.ts'
import { hasTerminal, onTerminal } from '../support/terminal.ts'

async function filled(): Promise<{ readonly folder: string; readonly dead: string }> {
  const folder = appFolder()
  const mill = await Millrace.open({ store: `sqlite:${join(folder, 'millrace.db')}` })
  const long = 'a-job-with-a-name-that-is-longer-than-any-column'
  const fails = defineJob({
    name: long,
    queue: 'a-queue-with-a-long-name-of-its-own',
    run: (_: object) =>
      Promise.reject(new Discard(`an error that goes on and on ${'and on '.repeat(40)}\u001b[31m\u202e`)),
  })
  const dead = await mill.enqueue(fails, { text: 'an input that is long, too '.repeat(10) }, { tags: ['x'] })
  await mill.work([fails], { drain: true }).done
  await mill.enqueueMany(defineJob({ name: 'short' }), [undefined, undefined])
  await mill.enqueue(fails, {}, { delay: '1h', priority: 'urgent' })
  await mill.queues.pause('default', { by: 'ana', reason: 'a reason that needs more room than there is in the line' })
  await mill.close()
  return { folder, dead: dead.id }
}

describe.skipIf(lacks('script', hasTerminal))('on a terminal (needs: script)', () => {
  test('no line of a table, a job or a check is wider than it, and ids are whole', async () => {
    const { folder, dead } = await filled()

    for (const line of [
      'job list',
      'dead list',
      'queue list',
      'queue stats',
      `job show ${dead}`,
      'job list --state scheduled',
      '--help',
      'help exit-codes',
      'test',
    ]) {
      const { lines, code, text } = await onTerminal(folder, `millrace ${line}`)
      expect(code, `${line}\n${text}`).toBe(0)
      for (const each of lines) expect(each.length, `${line}: ${each}`).toBeLessThanOrEqual(80)
      expect(text, line).not.toContain('\u202e')
    }
    expect((await onTerminal(folder, 'millrace dead list')).lines[1]).toContain(dead)
  }, 60_000)

  test('states have their sign, empty lists a sentence, and colours end with --no-color and NO_COLOR', async () => {
    const { folder } = await filled()

    const list = await onTerminal(folder, 'millrace job list')
    expect(list.lines[0]).toMatch(/^ID +NAME +STATE/)
    expect(list.lines.join('\n')).toMatch(/✕ failed/)
    expect(list.text).toContain('\u001b[2m')
    expect((await onTerminal(folder, 'millrace job list --no-color')).text).not.toContain('\u001b[2m')
    expect((await onTerminal(folder, 'millrace job list', '', { NO_COLOR: '1' })).text).not.toContain('\u001b[2m')
    expect((await onTerminal(folder, 'millrace job list --state completed')).lines).toEqual(['No jobs.'])
    expect((await onTerminal(folder, 'millrace job list --json')).lines[0]).toBe('{')
  }, 60_000)

  test('a question names the store and what is lost; only a yes goes on', async () => {
    const { folder } = await filled()

    const no = await onTerminal(folder, 'millrace queue clear default', 'n\n')
    expect(no.code).toBe(6)
    expect(no.lines.join('\n')).toContain(
      `Delete 2 waiting jobs of default in sqlite ${folder}/millrace.db.\nThis cannot be undone. Go on? [y/N]`,
    )
    expect(no.lines.at(-1)).toBe('Nothing was changed.')
    // Ctrl-C and the end of the input are no yes.
    for (const key of ['\u0003', '\u0004', '\n'])
      expect([6, 130]).toContain((await onTerminal(folder, 'millrace queue clear default', key)).code)
    const yes = await onTerminal(folder, 'millrace queue clear default', 'y\n')
    expect(yes.code).toBe(0)
    expect(yes.lines.at(-1)).toBe('Deleted 2 jobs of default.')
  }, 60_000)

  test('long work shows a bar that leaves nothing behind', async () => {
    const { folder } = await filled()

    const { text, lines, code } = await onTerminal(folder, 'millrace test --count 30000 --payload-size 200')

    expect(code, text).toBe(0)
    expect(text).toMatch(/(?:Enqueueing|Running) {2}━*─*/)
    // What is left is told from the first bar on.
    expect(/ETA (\w+)/.exec(text)?.[1]).not.toBe('0s')
    expect(lines.at(-1)).toMatch(/ran +p50/)
  }, 120_000)
})
