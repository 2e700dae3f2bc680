/** A whole `millrace work` as a process of its own: what it says, the workers that it has, and its end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { NodeApp } from './node-app.ts'

/** How long anything may take on a busy machine. */
export const PATIENCE_MS = 30_000
const LOOK_MS = 10

/** A line of `--log json`. */
export interface LoggedEvent {
  readonly event: string
  readonly at: string
  readonly seat?: number
  readonly pid?: number
  readonly workerId?: string
  readonly why?: string
  readonly how?: string
  readonly cause?: string
  readonly nextMs?: number | null
  readonly starts?: number
  readonly silentMs?: number
  readonly outcome?: string
  readonly jobId?: string
  readonly operation?: string
  readonly error?: string
  readonly isPaused?: boolean
  readonly status?: string
  readonly running?: number
  readonly jobsDone?: number
  readonly workers?: readonly { readonly seat: number; readonly pid: number; readonly state: string }[]
}

export interface NodeEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface NodeRun {
  readonly pid: number
  readonly ended: Promise<NodeEnd>
  /** All that it has said to people so far. */
  readonly stderr: string
  readonly stdout: string
  events(name?: string): readonly LoggedEvent[]
  /** Workers that are ready and have not ended, by seat. */
  workers(): readonly { readonly seat: number; readonly pid: number; readonly workerId: string }[]
  /** Why its supervisor killed workers. */
  killed(): readonly string[]
  signal(name: NodeJS.Signals): void
  /** Resolves when so many workers are ready. */
  ready(count: number): Promise<void>
  /** Resolves when stderr has it. */
  said(text: string | RegExp): Promise<void>
  /** Resolves with the first such event for which `is` holds. */
  event(name: string, is?: (event: LoggedEvent) => boolean): Promise<LoggedEvent>
  /** Closes this end of its stdout. */
  closeStdout(): void
  /** Closes this end of its stderr. */
  closeStderr(): void
}

/** Runs `millrace work --log json` with these arguments in the app's folder, in a process group of its own; all of it is killed after the test. */
export function workNode(app: Pick<NodeApp, 'folder' | 'storeUrl'>, args: string): NodeRun {
  const path = [join(app.folder, 'node_modules/.bin'), dirname(process.execPath), process.env.PATH].join(delimiter)
  const words = args.split(' ').filter(Boolean)
  const child = spawn(process.execPath, ['node_modules/.bin/millrace', 'work', '--log', 'json', ...words], {
    cwd: app.folder,
    env: { ...process.env, NO_COLOR: '1', MILLRACE_STORE: app.storeUrl, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  return watchNode(child)
}

/** The same of a process that was started otherwise, detached and with pipes, and writes the events of a node to stdout as JSON. */
export function watchNode(child: ChildProcess): NodeRun {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  const ended = new Promise<NodeEnd>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  const events = (name?: string) => {
    const all = stdout.split('\n').flatMap((line): readonly LoggedEvent[] => {
      if (!line.startsWith('{') || !line.endsWith('}')) return []
      return [JSON.parse(line)]
    })
    return name === undefined ? all : all.filter(({ event }) => event === name)
  }
  const workers = () => {
    const gone = new Set(events('process.ended').map(({ pid }) => pid))
    return events('process.ready')
      .filter(({ pid }) => !gone.has(pid))
      .map(({ seat = 0, pid = 0, workerId = '' }) => ({ seat, pid, workerId }))
      .toSorted((a, b) => a.seat - b.seat)
  }
  onTestFinished(async () => {
    const gone = new Set(events('process.ended').map(({ pid }) => pid))
    const started = events('process.ready').map(({ pid }) => pid)
    for (const pid of [child.pid, ...started]) if (pid !== undefined && !gone.has(pid)) killGroup(pid)
    await ended
  })
  const soon = <T>(get: () => T) => expect.poll(get, { timeout: PATIENCE_MS, interval: LOOK_MS })
  return {
    pid: child.pid ?? -1,
    ended,
    get stderr() {
      return stderr
    },
    get stdout() {
      return stdout
    },
    events,
    killed: () => events('process.ended').flatMap(({ how = '' }) => /^was killed: (.+)/.exec(how)?.[1] ?? []),
    workers,
    signal: (name) => void child.kill(name),
    ready: (count) => soon(() => workers().length).toBe(count),
    said: (text) => (typeof text === 'string' ? soon(() => stderr).toContain(text) : soon(() => stderr).toMatch(text)),
    event: async (name, is = () => true) => {
      await soon(() => events(name).some(is)).toBe(true)
      const found = events(name).find(is)
      if (found === undefined) throw new Error(`no event ${name}`)
      return found
    },
    closeStdout: () => void child.stdout?.destroy(),
    closeStderr: () => void child.stderr?.destroy(),
  }
}

/** Whether a process is there; one that has ended and was not waited for is not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The processes that a process has started and that have not ended, those that run `program` if one is named. Linux. */
export function childrenOf(pid: number, program = ''): readonly number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      // pid (name of the program) state ppid …
      const [, ppid] = /\) \w (\d+)/.exec(readFileSync(`/proc/${Number(name)}/stat`, 'latin1')) ?? []
      return Number(ppid) === pid && readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(program)
        ? [Number(name)]
        : []
    } catch {
      return [] // No process, or gone meanwhile.
    }
  })
}

/** Waits for a condition, at most as long as anything may take. */
export function until<T>(get: () => T | Promise<T>) {
  return expect.poll(get, { timeout: PATIENCE_MS, interval: LOOK_MS })
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has gone.
  }
}
