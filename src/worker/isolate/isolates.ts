/**
 * The isolates of a worker. A job that is to run in one keeps its slot, lease and signal in the worker like any other; only what its
 * handler does happens elsewhere: here its handler is exchanged for one that hands the attempt over and waits.
 *
 * Threads and processes are each at most `maxIsolates` at a time; by default that is the worker's concurrency, so nothing waits.
 * What keeps them is loaded with the first attempt that needs it.
 */
import { isContained } from '../../core/job/decide.ts'
import type { BoundHandler } from '../../job/handle.ts'
import type { Isolation } from '../../job/isolation.ts'
import type { Registry } from '../../job/registry.ts'
import type { ClaimedJob } from '../../store/contract/index.ts'
import type { WorkerSettings } from '../options.ts'
import { RunningJob } from '../running-job.ts'
import { entryMissing, entryOf } from './entry.ts'
import { crashOf } from './isolate-error.ts'
import { IsolatedAttempt } from './isolated-attempt.ts'
import { refuseInIsolate } from './marker.ts'
import { type Pool, poolClosed } from './pool.ts'
import type { ThreadPool } from './thread-pool.ts'

/** What isolates are kept with. */
export interface IsolatesParts {
  readonly registry: Registry
  readonly settings: WorkerSettings
  /** The attempt waits for room. */
  readonly onWaiting: (job: RunningJob) => void
  /** It has an isolate, which makes ready; the handler has not begun. */
  readonly onHandedOver: (job: RunningJob) => void
  /** The handler begins now. */
  readonly onBegan: (job: RunningJob) => void
}

type Kind = Isolation['in']

/** An attempt that runs elsewhere. */
interface Elsewhere {
  readonly job: RunningJob
  readonly isolation: Isolation
  readonly entry: readonly string[]
  readonly input: unknown
  readonly onRefused: (() => void) | undefined
}

/** For threads to collect their garbage, many on few cores; one that is blocked does not. */
const COLLECT_WITHIN_MS = 3_000

/** Room for isolates of one kind, and who waits for it. */
interface Room {
  pool: Promise<Pool> | undefined
  used: number
  readonly waiting: IsolatedAttempt[]
}

/** The isolates of one worker. */
export class Isolates {
  /** The worker's handlers, those exchanged that run in isolates. */
  readonly registry: Registry
  readonly #parts: IsolatesParts
  readonly #attempts = new Map<RunningJob, IsolatedAttempt>()
  readonly #contained = new Map<string, BoundHandler>()
  /** Names of jobs that call `completeIn`: they run in the worker, however often they crash. */
  readonly #inPlace = new Set<string>()
  readonly #rooms: Readonly<Record<Kind, Room>> = {
    thread: { pool: undefined, used: 0, waiting: [] },
    process: { pool: undefined, used: 0, waiting: [] },
  }
  #threads: ThreadPool | undefined
  #isClosed = false

  /** Throws `CONFIG_INVALID` for a job that is to be isolated when nobody knows where its handler can be loaded from. */
  constructor(parts: IsolatesParts) {
    refuseInIsolate()
    this.#parts = parts
    this.registry = parts.registry.mapped((handler) => {
      const { isolate, name } = handler.definition
      if (isolate === undefined) return handler
      if (entryOf(handler, parts.settings.entry).length === 0) throw entryMissing(name)
      return this.#elsewhere(handler, isolate)
    })
  }

  /** The handler for a job that crashed so often that it runs in a process, when it can do so; else its usual one. */
  contained(jobName: string): BoundHandler | undefined {
    const handler = this.#parts.registry.get(jobName)
    if (handler === undefined || !this.#canMove(handler)) return this.registry.get(jobName)
    const known = this.#contained.get(jobName)
    if (known !== undefined) return known
    const { isolate } = handler.definition
    // A definition that names an isolate itself has asked for the refusal.
    const onRefused = isolate === undefined ? () => void this.#inPlace.add(handler.definition.name) : undefined
    const contained = this.#elsewhere(handler, { in: 'process', memoryMib: isolate?.memoryMib }, onRefused)
    this.#contained.set(jobName, contained)
    return contained
  }

  /** Whether a job is to run in a process of its own. */
  isApart({ name, crashes }: Pick<ClaimedJob, 'name' | 'crashes'>): boolean {
    const handler = this.#parts.registry.get(name)
    if (handler === undefined) return false
    if (handler.definition.isolate?.in === 'process') return true
    return isContained(crashes) && this.#canMove(handler)
  }

  /** Ends the isolate of a job; false when it has none. The attempt ends when the isolate is gone. */
  kill(job: RunningJob): boolean {
    const attempt = this.#attempts.get(job)
    attempt?.kill()
    return attempt !== undefined
  }

  /** What threads add to the memory of this process by being there, in bytes. */
  get needsBytes(): number {
    return this.#threads?.needsBytes ?? 0
  }

  /** What jobs have left in threads, in bytes, garbage among it since the last collection. */
  get leftBytes(): number {
    return this.#threads?.leftBytes ?? 0
  }

  /** Has threads collect their garbage; waits at most three seconds for it. */
  async collect(): Promise<void> {
    if (this.#threads === undefined) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, COLLECT_WITHIN_MS)
    })
    await Promise.race([this.#threads.collect(), late])
    clearTimeout(timer)
  }

  /** Ends all isolates, and resolves when they are gone. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(
      Object.values(this.#rooms).map(async ({ pool }) => {
        // One that could not be loaded has nothing to close.
        const made = await pool?.catch(() => undefined)
        await made?.close()
      }),
    )
  }

  /** Whether it can run in a process. */
  #canMove(handler: BoundHandler): boolean {
    if (this.#inPlace.has(handler.definition.name)) return false
    return entryOf(handler, this.#parts.settings.entry).length > 0
  }

  /** Upgrades and schemas are user code, and run where the handler does. */
  #elsewhere(handler: BoundHandler, isolation: Isolation, onRefused?: () => void): BoundHandler {
    const entry = entryOf(handler, this.#parts.settings.entry)
    return {
      definition: { ...handler.definition, input: undefined, output: undefined, upgrade: {} },
      run: (input, job) => {
        // Attempts gives every handler its own object.
        if (!(job instanceof RunningJob)) throw new TypeError('not an attempt of this worker')
        return this.#run({ job, isolation, entry, input, onRefused })
      },
    }
  }

  #run({ job, isolation, entry, input, onRefused }: Elsewhere): Promise<unknown> {
    // Told to stop while middleware was at work: its signal does not tell again, and the handler never begins.
    if (job.aborted !== undefined) return Promise.reject(job.signal.reason)
    const room = this.#rooms[isolation.in]
    const attempt = new IsolatedAttempt({
      job,
      in: isolation.in,
      memoryMib: isolation.memoryMib,
      entry,
      input: input === undefined ? '' : JSON.stringify(input),
      onBegan: this.#parts.onBegan,
      onRefused,
      onLeft: () => {
        this.#attempts.delete(job)
        const at = room.waiting.indexOf(attempt)
        if (at >= 0) room.waiting.splice(at, 1)
        else {
          room.used--
          this.#fill(isolation.in)
        }
      },
    })
    this.#attempts.set(job, attempt)
    this.#parts.onWaiting(job)
    room.waiting.push(attempt)
    this.#fill(isolation.in)
    return attempt.done
  }

  #fill(kind: Kind): void {
    const room = this.#rooms[kind]
    while (room.used < this.#parts.settings.maxIsolates) {
      const attempt = room.waiting.shift()
      if (attempt === undefined) return
      room.used++
      void this.#poolOf(kind).then(
        (pool) => {
          // It may have been given up while the pool was loaded.
          if (attempt.isOver) return
          this.#parts.onHandedOver(attempt.job)
          attempt.begin(pool)
        },
        (error) => attempt.fail(crashOf({ kind: 'start', error }, { in: kind, memoryMib: undefined, hasBegun: false })),
      )
    }
  }

  #poolOf(kind: Kind): Promise<Pool> {
    if (this.#isClosed) return Promise.reject(poolClosed())
    const room = this.#rooms[kind]
    room.pool ??= this.#load(kind)
    return room.pool
  }

  async #load(kind: Kind): Promise<Pool> {
    const { maxIsolates: size, isolateIdleMs: idleMs } = this.#parts.settings
    if (kind === 'thread') {
      const { ThreadPool } = await import('./thread-pool.ts')
      this.#threads = new ThreadPool({ size, idleMs })
      return this.#threads
    }
    return new (await import('./process-pool.ts')).ProcessPool({ size, idleMs })
  }
}
