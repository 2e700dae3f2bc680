/** A real terminal of 80 columns for a command. */
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

/** `script` of util-linux gives a command a terminal. */
export const hasTerminal = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0

/** What a terminal was sent. */
export interface Shown {
  readonly code: number | null
  /** Every character, control sequences included. */
  readonly text: string
  /** Its lines without them, and without what was erased again. */
  readonly lines: readonly string[]
}

/** Runs a line in a terminal of 80 columns; `answer` is typed when a question has been asked. */
export function onTerminal(
  folder: string,
  line: string,
  answer = '',
  env: Readonly<Record<string, string>> = {},
): Promise<Shown> {
  // Node shows no colours where CI is set, terminal or not.
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...rest } = process.env
  const path = `${join(folder, 'node_modules/.bin')}:${join(process.execPath, '..')}:${process.env.PATH}`
  const child = spawn('script', ['-qec', `stty cols 80 rows 30; ${line}`, '/dev/null'], {
    cwd: folder,
    env: { ...rest, TERM: 'xterm', MILLRACE_STORE: '', ...env, PATH: path },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let text = ''
  let isAnswered = answer === ''
  child.stdout.on('data', (chunk) => {
    text += chunk
    if (isAnswered || !/\[y\/N\]|to go on: /.test(text)) return
    isAnswered = true
    child.stdin.write(answer)
  })
  return new Promise((done) =>
    child.on('close', (code) => {
      child.stdin.end()
      // A bar that was drawn is erased with its whole line.
      const left = text.split('\n').map((each) => each.split('\u001b[2K').at(-1) ?? '')
      const plain = stripVTControlCharacters(left.join('\n')).replaceAll('\r', '')
      done({ code, text, lines: plain.split('\n').filter((each) => each !== '') })
    }),
  )
}
