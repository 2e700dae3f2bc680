/** One measurement: a process of its own, with those it starts, on a fresh file in a folder that is gone afterwards. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Figures } from './record.ts'
import type { Side } from './scenario.ts'

/** Longer than any measurement takes on a slow machine. */
const DEADLINE_MS = 15 * 60_000

const running = new Set<ChildProcess>()
const folders = new Set<string>()

/** Runs one side once. Rejects with what it said when it fails. */
export async function measure(side: Side): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  folders.add(folder)
  const options = { side: side.script, path: join(folder, 'jobs.db'), ...side.settings }
  const script = join(import.meta.dirname, 'sides', `${side.script}.js`)
  // A group of its own, so that the processes it starts end with it.
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, NODE_OPTIONS: '', MILLRACE_STORE: '' },
  })
  running.add(child)
  try {
    return await figuresOf(child)
  } finally {
    endGroup(child)
    running.delete(child)
    rmSync(folder, { recursive: true, force: true })
    folders.delete(folder)
  }
}

/** Ends what runs and removes what is left of it, at once: for the way out. */
export function abandon(): void {
  for (const child of running) endGroup(child)
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

function figuresOf(child: ChildProcess): Promise<Figures> {
  let out = ''
  let said = ''
  child.stdout?.on('data', (chunk) => {
    out += chunk
  })
  child.stderr?.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-2_000)
  })
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      reject(new Error(`it took more than ${DEADLINE_MS / 60_000} minutes`))
      endGroup(child)
    }, DEADLINE_MS)
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(late)
      const last = out.trim().split('\n').at(-1) ?? ''
      if (code === 0 && last.startsWith('{')) resolve(JSON.parse(last))
      else reject(new Error(`it ended with ${code ?? signal}: ${reasonIn(said)}`))
    })
  })
}

/** The line of a stack trace that says what happened. */
function reasonIn(said: string): string {
  const lines = said.split('\n').filter((line) => line.trim() !== '')
  return lines.find((line) => /Error\b.*:/.test(line))?.trim() ?? lines.at(-1)?.trim() ?? 'it said nothing'
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // The whole group has ended already.
  }
}
