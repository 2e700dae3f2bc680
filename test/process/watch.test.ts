/** `--watch` of `millrace worker list` and `show`: again and again, in its own place on a terminal, until Ctrl-C. */
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { handle } from '../../src/index.ts'
import { startChild } from '../support/child.ts'
import { cliHere } from '../support/cli-here.ts'
import { lacks } from '../support/needs.ts'
import { JOBS, type NodeApp, nodeApp } from '../support/node-app.ts'
import { until } from '../support/node-run.ts'
import { nodeOnTerminal } from '../support/node-terminal.ts'
import { hasTerminal } from '../support/terminal.ts'

/** An app with a worker in this process. */
async function atWork() {
  const app = await nodeApp()
  const worker = app.mill.work([handle(JOBS.quick, () => undefined)])
  await until(async () => (await app.mill.workers()).length).toBe(1)
  return { app, worker }
}

/** A `millrace` whose stdout is a pipe. */
function watching(app: NodeApp, ...words: readonly string[]) {
  const env = { NO_COLOR: '1', MILLRACE_STORE: app.storeUrl }
  return startChild(join(app.folder, 'node_modules/.bin/millrace'), words, onTestFinished, { env })
}

test('where there is no terminal one print follows the other, each of what is then, until Ctrl-C', async () => {
  const { app, worker } = await atWork()
  const list = watching(app, 'worker', 'list', '--watch', '0.02')
  await until(() => list.lines.length).toBeGreaterThan(2)
  expect(list.lines[0]).toMatch(new RegExp(`^${worker.id}\\t.*\\trunning\\t`))

  expect(await app.mill.askWorker(worker.id, 'pause')).toBe('done')
  await until(() => list.lines.at(-1)).toMatch(/\tpaused\t/)
  list.signal('SIGINT')

  expect(await list.ended).toMatchObject({ code: 130, stderr: '' })
  expect(list.lines.join('')).not.toContain('\u001b')
}, 60_000)

test('--json is a document each time, and show ends with 5 when its worker has gone', async () => {
  const { app, worker } = await atWork()
  const show = watching(app, 'worker', 'show', worker.id, '--json', '--watch', '20ms')
  await until(() => show.lines.length).toBeGreaterThan(2)

  await worker.stop()

  expect(await show.ended).toMatchObject({ code: 5, stderr: expect.stringContaining('WORKER_NOT_FOUND') })
  for (const line of show.lines) expect(JSON.parse(line)).toMatchObject({ id: worker.id })
}, 60_000)

test.each(['0', 'often', '-1', '2x'])('--watch %s is refused', async (interval) => {
  const app = await nodeApp()

  expect(await cliHere(app.folder, ['worker', 'list', `--watch=${interval}`])).toMatchObject({ code: 2, stdout: '' })
})

describe.skipIf(lacks('script', hasTerminal))('on a terminal (needs: script)', () => {
  test('the table is drawn anew in its place, and Ctrl-C ends it with 130', async () => {
    const { app, worker } = await atWork()
    const list = nodeOnTerminal(
      app,
      `sh -c 'echo $$ >node.pid; exec ${process.execPath} node_modules/.bin/millrace worker list --watch 50ms'`,
    )
    const drawn = () => list.text.split('\u001b[H\u001b[2J').slice(1).map(stripVTControlCharacters)
    await until(() => drawn().length).toBeGreaterThan(3)

    list.type('\u0003')

    await until(() => list.exitCode()).toBe('130')
    for (const each of drawn().slice(0, -1)) {
      expect(each).toMatch(/^Every 50ms, \d\d:\d\d:\d\d\. Ctrl-C ends it\.\s+WORKER /)
      expect(each).toContain(worker.id.slice(0, 4))
    }
  }, 60_000)
})
