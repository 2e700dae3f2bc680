/** Processes of a test's own: TypeScript files run by this Node, killed when the test has finished, however it ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { onTestFinished } from 'vitest'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

export interface Child {
  readonly pid: number
  /** The lines that it has written to stdout so far. */
  readonly lines: readonly string[]
  /** Whether it has ended. */
  readonly isOver: boolean
  /** Resolves when it has ended, with how. */
  readonly ended: Promise<Ended>
  /** Resolves with the first line that begins so; rejects when the process ends without one. */
  line(start: string): Promise<string>
  /** The same for what its stderr contains. */
  said(words: string): Promise<void>
  /** Writes a line to its stdin. */
  tell(line: string): void
  /** Ends its stdin. */
  hush(): void
  signal(signal: NodeJS.Signals): void
  /** Closes this end of its stdout, and of its stderr if that is said: whatever it writes there from now on fails. */
  deafen(options?: { readonly stderr?: boolean }): void
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<Ended>
}

const running = new Set<ChildProcess>()
// A test run that is itself stopped leaves nothing behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export interface ChildOptions {
  /** Beside this process's own environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Which lines of its stdout are kept, default all. */
  readonly keeps?: (line: string) => boolean
  /** Whose process it is, default whoever starts it. */
  readonly user?: { readonly uid?: number; readonly gid?: number }
  /** Words before it, of a command that becomes it. */
  readonly through?: readonly string[]
}

/** Starts a file with arguments. Call it inside a test, or say with `whenOver` what else ends it by calling what it is given. */
export function startChild(
  file: string,
  args: readonly string[] = [],
  whenOver: (end: () => Promise<void>) => void = onTestFinished,
  { env = {}, keeps = () => true, user = {}, through = [] }: ChildOptions = {},
): Child {
  const [command = '', ...words] = [...through, process.execPath, file, ...args]
  const child = spawn(command, words, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...user,
  })
  running.add(child)
  const lines: string[] = []
  const waiters = new Set<() => void>()
  let stderr = ''
  let rest = ''
  let isOver = false
  child.stdout.on('data', (chunk) => {
    const parts = `${rest}${chunk}`.split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts.filter(keeps))
    for (const look of [...waiters]) look()
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
    for (const look of [...waiters]) look()
  })
  // A process that was killed hears nothing any more.
  child.stdin.on('error', () => {})
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child)
      isOver = true
      resolve({ code, signal, stderr })
      for (const look of [...waiters]) look()
    })
  })
  /** What `find` finds as soon as it does; rejects when the process ends without it. */
  const heard = (what: string, find: () => string | undefined) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = find()
        if (found === undefined && !isOver) return
        waiters.delete(look)
        if (found !== undefined) resolve(found)
        else reject(new Error(`${file} ended without saying ${what}: ${stderr}`))
      }
      waiters.add(look)
      look()
    })
  whenOver(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    pid: child.pid ?? -1,
    lines,
    get isOver() {
      return isOver
    },
    ended,
    line: (start) => heard(`"${start}"`, () => lines.find((line) => line.startsWith(start))),
    said: async (words) => void (await heard(`"${words}"`, () => (stderr.includes(words) ? words : undefined))),
    tell: (line) => child.stdin.write(`${line}\n`),
    hush: () => void child.stdin.end(),
    signal: (signal) => child.kill(signal),
    deafen: ({ stderr = false } = {}) => {
      child.stdout.destroy()
      if (stderr) child.stderr.destroy()
    },
    kill: () => {
      child.kill('SIGKILL')
      return ended
    },
  }
}
