/** Worker processes that are killed, stopped and replaced. What is done to them is in the ledger of faults. */
import type { Child } from '../../support/child.ts'
import { LIVE } from '../../support/live.ts'
import type { Laboratory } from './laboratory.ts'
import { now } from './ledgers.ts'
import type { Kind } from './worker/kinds.ts'
import type { WorkerSettings } from './worker-settings.ts'

/** Some workers, always as many. */
export class Fleet {
  readonly #lab: Laboratory
  readonly #settings: WorkerSettings
  readonly #workers: Child[]

  /** Starts them. */
  constructor(lab: Laboratory, count: number, settings: WorkerSettings = {}) {
    this.#lab = lab
    this.#settings = settings
    this.#workers = Array.from({ length: count }, () => lab.worker(settings))
  }

  /** Those that are there now. */
  get workers(): readonly Child[] {
    return this.#workers
  }

  /** Resolves when all have begun to work. */
  async ready(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => this.#lab.ready(worker)))
  }

  /** A random one. */
  pick(): Child {
    const worker = this.#workers[this.#lab.between(0, this.#workers.length)]
    if (worker === undefined) throw new Error('there is no worker')
    return worker
  }

  /** The one with most handlers under way. */
  busiest(): Child {
    const counts = this.#workers.map(({ pid }) => this.#lab.underWay(pid))
    return this.#workers[counts.indexOf(Math.max(...counts))] ?? this.pick()
  }

  /** Takes one out of the fleet and starts another in its place. */
  replace(worker: Child): Child {
    const successor = this.#lab.worker(this.#settings)
    this.#workers[this.#workers.indexOf(worker)] = successor
    return successor
  }

  /** SIGKILL; another takes its place. */
  async kill(worker: Child): Promise<void> {
    this.#lab.note({ kind: 'kill', pid: worker.pid })
    await worker.kill()
    this.replace(worker)
  }

  /** SIGSTOP, until what is returned is called. */
  static stop(lab: Laboratory, workers: readonly Child[]): () => void {
    const from = now()
    for (const worker of workers) worker.signal('SIGSTOP')
    return () => {
      // A process notices that it stood still a moment after it goes on.
      const to = now() + NOTICE_MS
      for (const { pid } of workers) lab.note({ kind: 'stop', pid, from, to })
      for (const worker of workers) worker.signal('SIGCONT')
    }
  }

  /** Replaces whoever ends by itself, as a supervisor does, until no job of these kinds waits or runs. Returns how many ended. */
  async tendUntilDrained(kinds: readonly Kind[] = []): Promise<number> {
    const mill = await this.#lab.mill()
    let ended = 0
    const isDrained = async () => {
      for (const worker of this.#workers.filter(({ isOver }) => isOver)) {
        this.replace(worker)
        ended++
      }
      return (await mill.count({ state: LIVE, ...(kinds.length > 0 && { name: kinds }) })).count === 0
    }
    await this.#lab.until('all jobs have ended', isDrained, DRAIN_MS)
    return ended
  }
}

const DRAIN_MS = 600_000
/** Until heartbeats of a process that goes on again have been answered. */
const NOTICE_MS = 500
