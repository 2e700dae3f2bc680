/** `millrace work --processes` on a real terminal: Ctrl-C, and a terminal that is closed. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { lacks } from '../support/needs.ts'
import { JOBS, type NodeApp, nodeApp } from '../support/node-app.ts'
import { isAlive, until } from '../support/node-run.ts'
import { hasTerminal } from '../support/terminal.ts'

describe.skipIf(lacks('script', hasTerminal))('on a terminal (needs: script)', () => {
  test('SIGHUP from somebody replaces the workers; from a terminal that is closed it stops the node, its jobs finished', async () => {
    const app = await nodeApp()
    const node = onTerminal(app, '--processes 1')
    await until(() => node.text).toMatch(/worker 1 \(pid \d+\) works/)

    process.kill(node.pid(), 'SIGHUP')
    await until(() => node.text).toContain('SIGHUP: replacing the workers one after the other.')
    await until(() => node.text).toContain('Every worker is replaced.')
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 1_500 })
    await until(() => app.ran().length).toBe(1)
    node.closeTerminal()

    await until(() => node.exitCode()).toBe('0')
    expect(await app.mill.get(id)).toMatchObject({ state: 'completed', attempts: 1, losses: 0 })
    expect(app.ran()).toHaveLength(2)
    expect(await app.mill.workers()).toEqual([])
  }, 60_000)

  test('Ctrl-C stops when the jobs that run are done, a second one at once; what it says is short', async () => {
    const app = await nodeApp()
    const { id } = await app.mill.enqueue(JOBS.slow, { n: 1, ms: 600_000 })
    const node = onTerminal(app, '--processes 2')
    await until(() => app.ran().length).toBe(1)

    node.type('\u0003')
    await until(() => node.text).toContain('SIGINT: stopping when the jobs that run are done; once more stops at once.')
    node.type('\u0003')

    await until(() => node.exitCode()).toBe('130')
    expect(await app.mill.get(id)).toMatchObject({ state: 'pending', attempts: 0 })
    expect(node.text).toMatch(/Stopped\.\r\n$/)
  }, 60_000)
})

interface OnTerminal {
  /** All that the terminal was sent. */
  readonly text: string
  /** Of the node. */
  pid(): number
  /** As the shell that started it saw it; empty while it runs. */
  exitCode(): string
  type(keys: string): void
  closeTerminal(): void
}

/** Runs `millrace work` in a shell on a terminal of its own, as a person does; what is left is killed after the test. */
function onTerminal(app: NodeApp, args: string): OnTerminal {
  const at = (name: string) => join(app.folder, name)
  // The first shell ends with its terminal, as one that people use does; the second one outlives it, to tell how the node ended.
  const line = `(trap '' HUP INT; millrace work ${args} --pid-file node.pid; echo $? > code.new; mv code.new code); true`
  const { CI: _, FORCE_COLOR: __, ...env } = process.env
  const path = [at('node_modules/.bin'), dirname(process.execPath), env.PATH].join(delimiter)
  const script = spawn('script', ['-qec', line, '/dev/null'], {
    cwd: app.folder,
    env: { ...env, NO_COLOR: '1', TERM: 'xterm', MILLRACE_STORE: app.storeUrl, PATH: path },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let text = ''
  let pid = 0
  script.stdout.on('data', (chunk) => {
    text += chunk
  })
  script.stdin.on('error', () => undefined) // Closed with the terminal.
  const ended = new Promise((resolve) => script.once('close', resolve))
  const pidNow = () => {
    if (existsSync(at('node.pid'))) pid = Number(readFileSync(at('node.pid'), 'utf8'))
    return pid
  }
  onTestFinished(async () => {
    if (pidNow() !== 0 && !existsSync(at('code')) && isAlive(pid)) process.kill(pid, 'SIGKILL')
    script.kill('SIGKILL')
    await ended
  })
  return {
    get text() {
      return text
    },
    pid: pidNow,
    exitCode: () => (existsSync(at('code')) ? readFileSync(at('code'), 'utf8').trim() : ''),
    type: (keys) => void script.stdin.write(keys),
    closeTerminal: () => void script.kill('SIGKILL'),
  }
}
