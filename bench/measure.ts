/** One measurement: a process of its own, with those it starts, in a place of its own that is gone afterwards. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { type Cache, makePlace, type Place, type StoreName } from './places.ts'
import type { Figures } from './record.ts'
import type { Side } from './scenario.ts'

/** Longer than any measurement takes on a slow machine. */
const DEADLINE_MS = 15 * 60_000

const running = new Set<ChildProcess>()
const places = new Set<Promise<Place>>()
let abandoned = false

/** Runs one side once. Rejects with what it said when it fails. */
export async function measure(side: Side, store: StoreName, url: string): Promise<Figures> {
  // Whoever abandons everything ends this process soon.
  if (abandoned) return new Promise(() => {})
  const making = makePlace(store, url, cacheOf(side))
  places.add(making)
  const place = await making
  const options = { side: side.script, ...place.told, ...side.settings }
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
    await place.remove()
    places.delete(making)
  }
}

/**
 * The figures in what a side printed, the last line that begins like them; undefined when there is none. What a peer's own process says
 * when it finds its parent gone comes behind them (Sidequest's at its defaults).
 */
export function figuresIn(out: string): Figures | undefined {
  const last = out.split('\n').findLast((line) => line.startsWith('{'))
  return last === undefined ? undefined : JSON.parse(last)
}

/** Ends what runs and removes what is left of it: for the way out. */
export async function abandon(): Promise<void> {
  abandoned = true
  for (const child of running) endGroup(child)
  await Promise.allSettled([...places].map(async (making) => (await making).remove()))
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
      const figures = figuresIn(out)
      if (code === 0 && figures !== undefined) resolve(figures)
      else reject(new Error(`it ended with ${code ?? signal}: ${reasonIn(said)}`))
    })
  })
}

function cacheOf({ settings: { backend, durable } }: Side): Cache {
  if (backend !== 'redis') return undefined
  return durable === true ? 'durable redis' : 'redis'
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
