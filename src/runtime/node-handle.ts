/** A node of this process: a supervisor with its workers, and the way to steer it. */
import { availableParallelism } from 'node:os'
import type { Clock } from '../base/clock.ts'
import { newWorkerId } from '../base/id.ts'
import { type LateLoop, lateLoops } from '../base/loop.ts'
import type { EventName, Events, Telemetry } from '../base/telemetry.ts'
import type { RecycleLimits } from '../core/process/recycle.ts'
import type { Message, Store } from '../store/contract/index.ts'
import type { StoreView } from '../worker/contact.ts'
import { Guard } from '../worker/isolate/guard.ts'
import { Mailbox } from '../worker/mailbox.ts'
import { takeEarly } from '../worker/process/early.ts'
import { launch, type Program } from '../worker/process/launch.ts'
import { Rescue } from '../worker/process/rescue.ts'
import { Supervisor } from '../worker/process/supervisor.ts'
import { lateAfterMs } from './late.ts'
import { storeDeadlineMs } from './store-url.ts'
import type { WorkerPlan } from './worker-plan.ts'

/** How long the workers of a supervisor that was killed may take to give back what they hold. */
const ORPHANS_END_WITHIN_S = 8

/** How long its store may take to close. */
const CLOSE_WITHIN_MS = 2_000

/** What a node is made of. */
export interface NodeParts {
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly random: () => number
  /** Not opened yet. */
  readonly store: Store
  readonly program: Program
  readonly plan: WorkerPlan
  readonly processes: number
  readonly stallLimitMs: number
  readonly limits: RecycleLimits
}

/** One worker process of a node, as it was last heard of. */
export interface WorkerProcessView extends StoreView {
  readonly seat: number
  readonly workerId: string
  readonly pid: number
  readonly state: 'starting' | 'working' | 'draining' | 'ended'
  readonly isStalled: boolean
  readonly upMs: number
  readonly running: number
  readonly jobsDone: number
  readonly rssBytes: number | null
  readonly loopDelayP99Ms: number | null
  readonly late: readonly LateLoop[]
}

/** A supervisor at work. */
export class NodeHandle {
  readonly id = newWorkerId()
  /** Resolves when the node was stopped and every worker has ended; rejects when none could ever start, for what its configuration says. */
  readonly done: Promise<void>
  readonly #parts: NodeParts
  readonly #supervisor: Supervisor
  readonly #mailbox: Mailbox
  #opening: Promise<Store> | undefined
  #keepAlive: NodeJS.Timeout | undefined

  constructor(parts: NodeParts) {
    this.#parts = parts
    const { clock, telemetry } = parts
    const program = { ...parts.program, isMeasured: parts.limits.memoryBytes !== Number.POSITIVE_INFINITY }
    const rescue = new Rescue({ clock, telemetry, store: () => this.#store() })
    this.#supervisor = new Supervisor({
      ...parts,
      node: this.id,
      cores: availableParallelism(),
      rescue,
      guard: new Guard(ORPHANS_END_WITHIN_S),
      launch: (workerId) => takeEarly() ?? launch(program, workerId),
    })
    this.#mailbox = new Mailbox({
      store: () => this.#store(),
      clock,
      to: this.id,
      onMessage: (message) => this.#asked(message),
      onError: (error) => telemetry.emit('store.failed', { operation: 'mailbox', error }),
    })
    // The first worker that is ready has made the tables. Opening the store ahead lets whoever dies be helped at once.
    const stopWaiting = telemetry.on('process.ready', () => {
      stopWaiting()
      this.#mailbox.start()
    })
    this.done = this.#supervisor.done.finally(() => this.#close())
    this.done.catch(() => {})
  }

  start(): void {
    // Between an end and the next start nothing else holds the process.
    this.#keepAlive = setInterval(() => {}, 60_000)
    this.#supervisor.start()
  }

  /** How many worker processes it keeps at work. */
  get size(): number {
    return this.#parts.processes
  }

  /** The worker processes, those on their way in or out included. */
  get workers(): readonly WorkerProcessView[] {
    const now = this.#parts.clock.monotonic()
    return [...this.#supervisor.processes].map(({ seat, workerId, pid = 0, state, isStalled, startedAt, pulse }) => ({
      seat,
      workerId,
      pid,
      state,
      isStalled,
      upMs: now - startedAt,
      running: pulse?.running ?? 0,
      jobsDone: pulse?.jobsDone ?? 0,
      rssBytes: pulse?.health.rssBytes ?? null,
      loopDelayP99Ms: pulse?.health.loopDelayP99Ms ?? null,
      storeAnsweredMs: pulse?.health.storeAnsweredMs ?? 0,
      isStoreReadOnly: pulse?.isStoreReadOnly ?? false,
      late: pulse?.late ?? [],
    }))
  }

  /** Attempts that ended in the workers of this node, those that are gone included: as they last told. */
  get jobsDone(): number {
    return this.#supervisor.jobsDone
  }

  get isStopping(): boolean {
    return this.#supervisor.isStopping
  }

  /** Loops of the supervisor itself that should have done their round long ago. */
  get late(): readonly LateLoop[] {
    const loops = { watch: this.#supervisor.watch.loop, mailbox: this.#mailbox.loop }
    return lateLoops(loops, lateAfterMs(storeDeadlineMs(this.#parts.plan.store)))
  }

  get isPaused(): boolean {
    return this.#supervisor.isPaused
  }

  /** Calls `listener` at every such event of this node until the returned function is called. */
  on<N extends EventName>(name: N, listener: (event: Events[N]) => void): () => void {
    return this.#parts.telemetry.on(name, listener)
  }

  /** No worker claims until `resume`; what runs goes on. */
  pause(): void {
    this.#supervisor.pause()
  }

  resume(): void {
    this.#supervisor.resume()
  }

  /**
   * Replaces the workers one after the other, each successor claiming before its predecessor drains. Resolves with false when a
   * successor could not start: the workers that are left stay. On few cores there are rests between them, so that starts take no more
   * than a twentieth of the machine from the jobs. When `isHurried`, as in development, there are none, and what still runs in
   * predecessors is not waited for.
   */
  restart(why?: string, options: { readonly isHurried?: boolean } = {}): Promise<boolean> {
    return this.#supervisor.restart(why, options)
  }

  /**
   * Drains every worker and ends. With `now` what runs is aborted; a third stop kills. Attempts that are interrupted are not
   * counted.
   */
  stop(options: { readonly now?: boolean; readonly kill?: boolean } = {}): Promise<void> {
    const done = this.#supervisor.stop(options)
    if (options.kill === true) this.#supervisor.killAll()
    return done
  }

  /** Somebody far away has asked for something. */
  #asked({ verb, by }: Message): void {
    switch (verb) {
      case 'pause':
        this.pause()
        break
      case 'resume':
        this.resume()
        break
      case 'stop':
        void this.stop()
        break
      case 'restart':
        void this.restart(`${by} asked for it`)
        break
      default:
        verb satisfies never
    }
  }

  #store(): Promise<Store> {
    const { store } = this.#parts
    this.#opening ??= store.open().then(
      () => store,
      (error) => {
        this.#opening = undefined
        throw error
      },
    )
    return this.#opening
  }

  async #close(): Promise<void> {
    clearInterval(this.#keepAlive)
    // A store that does not answer must not keep a node from ending.
    await Promise.race([
      this.#closeStore(),
      new Promise<void>((resolve) => this.#parts.clock.after(CLOSE_WITHIN_MS, resolve)),
    ])
  }

  async #closeStore(): Promise<void> {
    await this.#mailbox.stop()
    if (this.#opening === undefined) return
    await this.#opening.then((store) => store.close()).catch(() => undefined)
  }
}
