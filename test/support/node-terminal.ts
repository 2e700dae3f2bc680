/** `millrace work` on a terminal of its own, as a person runs it. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { NodeApp } from './node-app.ts'
import { isAlive } from './node-run.ts'

export interface NodeOnTerminal {
  /** All that the terminal was sent. */
  readonly text: string
  /** What the command has written to `node.pid`. */
  pid(): number
  /** As the shell that started it saw it; empty while it runs. */
  exitCode(): string
  type(keys: string): void
  closeTerminal(): void
}

/**
 * Runs a command in a shell on a terminal, in the app's folder. It writes to `node.pid` whom to kill after the test, should it still
 * be there.
 */
export function nodeOnTerminal(app: NodeApp, command: string): NodeOnTerminal {
  const at = (name: string) => join(app.folder, name)
  // The first shell ends with its terminal, as one that people use does; the second one outlives it, to tell how the node ended.
  const line = `trap : INT; (trap '' HUP INT; ${command}; echo $? > code.new; mv code.new code); true`
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
