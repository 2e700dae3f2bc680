/** A worker whose jobs run in isolates, and what is seen of them from outside. */
import { readFileSync } from 'node:fs'
import type {
  EnqueueOptions,
  Handlers,
  JobHandle,
  JobInfo,
  Millrace,
  OpenOptions,
  WorkerOptions,
} from '../../src/index.ts'
import { openMill } from '../support/mill.ts'
import { ENTRY } from './entry.ts'
import * as handlers from './handlers.ts'

/** Each kind of isolate with the job that runs in it. */
export const KINDS = [
  ['thread', handlers.inThread],
  ['process', handlers.inProcess],
] as const

export type IsolatedJob = (typeof KINDS)[number][1]

export interface Scene {
  readonly mill: Millrace
  readonly worker: ReturnType<Millrace['work']>
  /** Enqueues a job that does so. */
  send(job: IsolatedJob, how: string, options?: EnqueueOptions): Promise<JobHandle>
  /** The same, and how it has ended. */
  ended(job: IsolatedJob, how: string, options?: EnqueueOptions): Promise<JobInfo>
  /** What it gave back. */
  result(job: IsolatedJob, how: string, options?: EnqueueOptions): Promise<unknown>
}

/** A store, and a worker at work on it; both end with the test. `only` these handlers: without an entry. */
export async function scene(
  worker: WorkerOptions = {},
  open: OpenOptions = { store: 'memory:' },
  only?: Handlers,
): Promise<Scene> {
  return sceneOn(await openMill(open), worker, only)
}

/** The same on a store that the test closes itself. */
export function sceneOn(mill: Millrace, worker: WorkerOptions = {}, only?: Handlers): Scene {
  const { inThread, inProcess, tightThread, tightProcess, beside, checkedThread, checkedProcess } = handlers
  const all = [inThread, inProcess, tightThread, tightProcess, beside, checkedThread, checkedProcess]
  const entry = only === undefined ? { entry: ENTRY } : {}
  const at = mill.work(only ?? all, { ...entry, grace: 100, stopWithin: 100, ...worker })
  const send: Scene['send'] = (job, how, options = {}) => mill.enqueue(job, { how }, options)
  return {
    mill,
    worker: at,
    send,
    async ended(job, how, options) {
      const { id } = await send(job, how, options)
      return ended(mill, id)
    },
    async result(job, how, options) {
      const sent = await send(job, how, options)
      return sent.result({ timeout: '60s' })
    },
  }
}

/** A job once it has ended. */
export async function ended(mill: Millrace, id: string): Promise<JobInfo> {
  // How it ended is looked at below.
  await mill.result(id, { timeout: '60s' }).catch(() => {})
  const info = await mill.get(id)
  if (info === null) throw new Error(`there is no job ${id}`)
  return info
}

/** Whether a process lives; one that has ended and waits for its parent does not. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    // There is none.
    return false
  }
}

/** The number that a log line says after `word`. */
export async function loggedNumber(mill: Millrace, id: string, word: string): Promise<number | undefined> {
  for (const { message } of await mill.logs(id)) {
    const found = new RegExp(`^${word} (\\d+)$`).exec(message)?.[1]
    if (found !== undefined) return Number(found)
  }
  return undefined
}
