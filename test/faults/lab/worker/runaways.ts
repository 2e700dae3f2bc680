/**
 * Handlers that do not end as they should, in isolates: each tells now and then that it still runs, since one that is killed cannot
 * tell that it ends.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { JobContext } from '../../../../src/index.ts'
import { now } from '../ledgers.ts'
import { GRANDCHILD, type Inputs } from './kinds.ts'
import { effects, noted, runOf } from './noted.ts'
import { pause } from './pause.ts'

/** What a runaway writes down of itself. */
type Word =
  | { readonly phase: 'pulse' }
  | { readonly phase: 'aborted' }
  | { readonly phase: 'opened'; readonly path: string }
  | { readonly phase: 'forked'; readonly child: number }

/** What a runaway has at hand. */
interface Scene {
  readonly job: JobContext
  readonly tell: (word: Word) => void
}

const { MILLRACE_LAB_FOLDER: folder = '.' } = process.env
const PULSE_MS = 20
/** Numbers of 256 KiB: an array so large is not copied by each collection, so that memory fills in good time. */
const CHUNK = 32_768
const LEFT_SERVERS = 10
const GENERATIONS = 2
/** Only SIGKILL ends them: a shell that waits for another one, which waits. Each says its process id. */
const FAMILY = `trap '' TERM HUP INT; echo $$; sh -c 'trap "" TERM HUP INT; echo $$; sleep 1000; :' & wait`

const WAYS: Readonly<Record<Inputs['in-thread']['how'], (scene: Scene) => unknown>> = {
  behaves: ({ job }) => pause(PULSE_MS, job.signal),
  'never ends': never,
  'is deaf': async (scene) => {
    const ends = never(scene)
    await once(scene.job.signal, 'abort')
    scene.tell({ phase: 'aborted' })
    return ends
  },
  blocks: ({ tell }) => {
    for (let told = 0; ; ) {
      if (now() - told < PULSE_MS) continue
      told = now()
      tell({ phase: 'pulse' })
    }
  },
  'leaks memory': async ({ tell }) => {
    for (const held: unknown[] = []; ; await new Promise(setImmediate)) {
      held.push(new Array(CHUNK).fill(Math.random()))
      tell({ phase: 'pulse' })
    }
  },
  'leaves handles': leaveHandles,
  'leaves handles and never ends': async (scene) => {
    await leaveHandles(scene)
    return never(scene)
  },
  'leaves grandchildren': fork,
  'leaves grandchildren and never ends': async (scene) => {
    await fork(scene)
    return never(scene)
  },
}

/** Misbehaves in a thread. */
export const inThread = noted('in-thread', runAway)
/** Misbehaves in a process. */
export const inProcess = noted('in-process', runAway)

async function runAway({ how, wake }: Inputs['in-thread'], job: JobContext): Promise<void> {
  const tell = (word: Word) => effects.write({ ...runOf(job), ...word, at: now() })
  tell({ phase: 'pulse' })
  while (wake !== undefined && !existsSync(join(folder, wake))) {
    await pause(PULSE_MS, job.signal)
    tell({ phase: 'pulse' })
  }
  await WAYS[how]({ job, tell })
}

function never({ tell }: Scene): Promise<never> {
  setInterval(() => tell({ phase: 'pulse' }), PULSE_MS)
  return new Promise(() => undefined)
}

async function leaveHandles({ job, tell }: Scene): Promise<void> {
  for (let i = 0; i < LEFT_SERVERS; i++) {
    const path = join(folder, `${job.id}-${i}`)
    const server = createServer().listen(path)
    await once(server, 'listening')
    tell({ phase: 'opened', path })
  }
  setInterval(() => undefined, PULSE_MS)
}

async function fork({ tell }: Scene): Promise<void> {
  const child = spawn('sh', ['-c', FAMILY], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, [GRANDCHILD]: '1' },
  })
  for (const pid of await pidsOf(child)) tell({ phase: 'forked', child: pid })
}

function pidsOf({ stdout }: ChildProcess): Promise<readonly number[]> {
  return new Promise((resolve) => {
    let said = ''
    stdout?.on('data', (chunk) => {
      said += chunk
      const pids = said.split('\n').slice(0, -1)
      if (pids.length === GENERATIONS) resolve(pids.map(Number))
    })
  })
}
