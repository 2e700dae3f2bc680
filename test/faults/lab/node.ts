/** Nodes of a run: a supervisor with its worker processes, as `millrace work --processes` starts it. */
import { readFileSync } from 'node:fs'
import type { Child, Ended } from '../../support/child.ts'
import { childrenOf } from './holdings.ts'
import type { Laboratory } from './laboratory.ts'
import { now } from './ledgers.ts'
import type { WorkerSettings } from './worker-settings.ts'

/** How a node is started. */
export interface NodeSettings extends WorkerSettings {
  readonly processes: number
}

/** A worker process of a node that has begun to work. */
export interface NodeWorker {
  readonly pid: number
  readonly workerId: string
}

/** How a worker process of a node ended, as its supervisor told. */
export interface WorkerEnd extends NodeWorker {
  /** By the ledgers' clock. */
  readonly at: number
  /** Its exit code, or the signal that ended it. */
  readonly end: string
  /** In the supervisor's words. */
  readonly how: string
}

/** A line of the supervisor's log. */
interface ProcessLine extends NodeWorker {
  readonly at: string
  readonly event: string
  readonly code?: number | null
  readonly signal?: string | null
  readonly how?: string
}

const READY_MS = 120_000

/** A supervisor and its workers. */
export class Node {
  readonly supervisor: Child
  readonly #lab: Laboratory
  readonly #processes: number
  /** By their process ids: those that have begun to work and have not ended, as far as the supervisor has said. */
  readonly #workers = new Map<number, NodeWorker>()
  #read = 0
  readonly #ends: WorkerEnd[] = []
  #failing = 0

  constructor(lab: Laboratory, { processes, args = [], ...settings }: NodeSettings) {
    this.#lab = lab
    this.#processes = processes
    this.supervisor = lab.worker({ ...settings, isSupervised: true, args: ['--processes', `${processes}`, ...args] })
  }

  /** Workers that are at work now. */
  get workers(): readonly NodeWorker[] {
    this.#follow()
    return [...this.#workers.values()]
  }

  /** Those of them that have handlers under way. */
  get busy(): readonly NodeWorker[] {
    this.#follow()
    return [...this.#workers.values()].filter(({ pid }) => this.#lab.underWay(pid) > 0)
  }

  /** Those of its workers that have ended so far. */
  get ends(): readonly WorkerEnd[] {
    this.#follow()
    return this.#ends
  }

  /** How often its supervisor has told that a worker could not start. */
  get failing(): number {
    this.#follow()
    return this.#failing
  }

  /** Resolves when all of its workers have begun to work. */
  async ready(): Promise<void> {
    const isReady = () => this.supervisor.isOver || this.workers.length >= this.#processes
    await this.#lab.until('every worker of the node works', isReady, READY_MS)
    if (this.supervisor.isOver) throw new Error(`a node could not start: ${(await this.supervisor.ended).stderr}`)
    this.#lab.hasBegun(this.supervisor)
  }

  /** A random one of those that have handlers under way, as soon as there is one. */
  async someBusy(): Promise<NodeWorker> {
    let [busy, all] = [this.busy, this.workers]
    await this.#lab.until('a worker is at work', () => {
      ;[busy, all] = [this.busy, this.workers]
      return busy.length > 0
    })
    const from = busy.length > 0 ? busy : all
    const picked = from[this.#lab.between(0, from.length)]
    if (picked === undefined) throw new Error('there is no worker')
    return picked
  }

  /** Asks a worker to stop. */
  signal({ pid, workerId }: NodeWorker, signal: 'SIGTERM'): void {
    this.#lab.note({ kind: 'term', pid, workerId })
    process.kill(pid, signal)
  }

  /** Resolves when a worker has ended, with how, and how long after `from`. */
  async endOf({ workerId }: NodeWorker, from: number): Promise<{ readonly ms: number; readonly end: string }> {
    const found = () => this.ends.find((each) => each.workerId === workerId)
    await this.#lab.until('a worker has ended', () => found() !== undefined || this.supervisor.isOver, READY_MS)
    const ended = found()
    return ended === undefined ? { ms: 0, end: 'with its node' } : { ms: ended.at - from, end: ended.end }
  }

  /** SIGKILL to one worker. Its supervisor lives. */
  kill({ pid, workerId }: NodeWorker): void {
    this.#workers.delete(pid)
    this.#lab.note({ kind: 'kill', pid, workerId })
    endProcess(pid)
  }

  /** SIGKILL to every process of the node, as when its machine dies. */
  killAll(): Promise<Ended> {
    const known = new Map(this.workers.map(({ pid, workerId }) => [pid, workerId]))
    const { pid } = this.supervisor
    // The one that would start others first; what it started meanwhile is among its children.
    this.supervisor.signal('SIGSTOP')
    const pids = [pid, ...descendantsOf(pid)]
    for (const each of pids) {
      const workerId = known.get(each)
      this.#lab.note({ kind: 'kill', pid: each, ...(workerId !== undefined && { workerId }) })
    }
    for (const each of pids) endProcess(each)
    this.#workers.clear()
    return this.supervisor.ended
  }

  #follow(): void {
    const { lines } = this.supervisor
    for (; this.#read < lines.length; this.#read++) {
      const line = lines[this.#read] ?? ''
      if (line.includes('"process.failing"')) this.#failing++
      if (!line.includes('"process.ready"') && !line.includes('"process.ended"')) continue
      // Only the supervisor writes such lines.
      const { at, event, pid, workerId, code, signal, how = '' } = JSON.parse(line) as ProcessLine
      if (event === 'process.ready') this.#workers.set(pid, { pid, workerId })
      else {
        this.#ends.push({ pid, workerId, at: monotonicOf(at), end: `${code ?? signal}`, how })
        this.#workers.delete(pid)
        // Its handlers never end now, and another process may get its id.
        this.#lab.forget(pid)
      }
    }
  }
}

/** The ledgers' time of a wall clock's. */
function monotonicOf(iso: string): number {
  return Date.parse(iso) - (Date.now() - now())
}

/** Every process that this one, and those that it has started, have started. */
function descendantsOf(pid: number): readonly number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)])
}

/** SIGKILL, if it is there. */
export function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // It has ended by itself meanwhile: how, its supervisor tells.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Whether there is a process that has not ended. */
export function isThere(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // One that nobody has heard the end of is still in the list.
    return status.slice(status.lastIndexOf(')') + 2)[0] !== 'Z'
  } catch {
    return false
  }
}
