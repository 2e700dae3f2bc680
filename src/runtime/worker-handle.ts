/** A worker of this process with its heartbeat and background duties, and its way out. */
import { type LateLoop, Loop, lateLoops } from '../base/loop.ts'
import type { WorkerStatus } from '../core/health.ts'
import { Maintenance } from '../maintenance/maintenance.ts'
import type { Message, MessageVerb, Retention } from '../store/contract/index.ts'
import type { StoreView } from '../worker/contact.ts'
import { Mailbox } from '../worker/mailbox.ts'
import type { RunningList } from '../worker/process/running-list.ts'
import { inTime, shutDown } from '../worker/shutdown.ts'
import type { HealthSource } from '../worker/vitals.ts'
import { Worker, type WorkerParts } from '../worker/worker.ts'
import { lateAfterMs } from './late.ts'
import { WorkerRow } from './worker-row.ts'

/** What a worker of this process is made of. */
export interface WorkerHandleParts extends Omit<WorkerParts, 'onFatal' | 'onLateClaim' | 'forgets' | 'runningList'> {
  readonly retention: Retention
  readonly keyIds: () => readonly string[]
  readonly health: HealthSource
  /** How long a call to the store may take until it fails. Absent: no time. */
  readonly storeDeadlineMs?: number
  /** Absent: no supervisor has started this process. */
  readonly supervision?: Supervision
}

/** What a supervisor gives a worker of its own. */
export interface Supervision {
  /** The supervisor's own id. */
  readonly node: string
  readonly runningList: RunningList
  /** Somebody far away wants this worker to stop, or another in its place; or has paused or resumed it, which it has done. */
  readonly onAsked: (verb: MessageVerb, why: string) => void
}

/** How a worker is, for whoever watches over it. */
export interface WorkerView extends StoreView {
  readonly running: number
  readonly jobsDone: number
  readonly isPaused: boolean
  readonly isStopping: boolean
  /** What threads that run jobs hold of themselves, in bytes. */
  readonly isolateBytes: number
  /** What jobs have left in these threads, in bytes, garbage among it since the last collection. */
  readonly isolateLeftBytes: number
  /** Loops that should have done their round long ago, with how late they are. */
  readonly late: readonly LateLoop[]
}

const MAX_RECLAIM_MS = 5_000
/** So long a new worker does nothing but claim and run: further connections, and the plans that a server makes on each, take time. */
const QUIET_MS = 250

/** A worker at work in this process: what it does, and the way to stop it. */
export class WorkerHandle {
  readonly id: string
  /** Resolves when the worker has stopped; rejects when the store was out of reach for three leases, or closed under it. */
  readonly done: Promise<void>
  /** What somebody far away has asked for, when that is why the worker stops. */
  askedTo: 'stop' | 'restart' | undefined
  readonly #parts: WorkerHandleParts
  readonly #worker: Worker
  readonly #maintenance: Maintenance
  readonly #heart: Loop
  readonly #row: WorkerRow
  readonly #mailbox: Mailbox
  #finish: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined
  #stopping: Promise<void> | undefined
  readonly #hurry = Promise.withResolvers<void>()
  #keepAlive: NodeJS.Timeout | undefined
  #isFinished = false
  #doneAtLook = 0

  constructor(parts: WorkerHandleParts) {
    const { clock, telemetry, store, settings, random } = parts
    this.id = parts.id
    this.#parts = parts
    this.done = new Promise((resolve, reject) => {
      this.#finish = { resolve, reject }
    })
    // Whoever does not look at `done` is told by events; an unhandled rejection would end the app.
    this.done.catch(() => {})
    this.#worker = new Worker({
      ...parts,
      ...(parts.supervision !== undefined && { runningList: parts.supervision.runningList }),
      forgets: parts.retention.completedMs === 0,
      onFatal: (error) => this.#fatal(error),
      onLateClaim: () => this.#heart.wake(),
    })
    this.#maintenance = new Maintenance({
      store,
      clock,
      telemetry,
      random,
      retention: parts.retention,
      keyIds: parts.keyIds,
      reclaimEveryMs: Math.min(MAX_RECLAIM_MS, settings.leaseMs / 2),
      isBusy: () => this.#isBusy(),
      onClaimable: () => this.#worker.wake(),
    })
    const onError = (error: unknown) => telemetry.emit('store.failed', { operation: 'beat', error })
    this.#heart = new Loop({ clock, onError, step: () => this.#worker.heartbeat() })
    this.#row = new WorkerRow({
      ...parts,
      worker: this.#worker,
      node: parts.supervision?.node ?? null,
      status: () => this.#status,
      contact: this.#worker.contact,
    })
    const onMailError = (error: unknown) => telemetry.emit('store.failed', { operation: 'mailbox', error })
    const onMessage = (message: Message) => this.#asked(message)
    this.#mailbox = new Mailbox({ store: () => store, clock, to: this.id, onMessage, onError: onMailError })
  }

  /** Jobs that run now. */
  get running(): number {
    return this.#worker.running
  }

  /** Attempts that ended in this worker. */
  get jobsDone(): number {
    return this.#worker.jobsDone
  }

  /**
   * Whether the store may still hold leases of this worker. After a stop too: outcomes that the store did not take in time are lost,
   * and their jobs run again once the leases end.
   */
  get mayHoldLeases(): boolean {
    return this.#worker.mayHoldLeases
  }

  /** How it is now. */
  get view(): WorkerView {
    const { running, jobsDone, contact, isolateBytes, isolateLeftBytes, isClaiming } = this.#worker
    const isStopping = this.#stopping !== undefined
    return {
      running,
      jobsDone,
      ...contact.view,
      isolateBytes,
      isolateLeftBytes,
      isPaused: !isClaiming && !isStopping,
      isStopping,
      late: this.#late,
    }
  }

  /** Has threads that run jobs collect their garbage, as far as they are not blocked. */
  collectIsolates(): Promise<void> {
    return this.#worker.collectIsolates()
  }

  get #status(): WorkerStatus {
    return this.#stopping !== undefined ? 'draining' : this.#worker.isClaiming ? 'running' : 'paused'
  }

  get #late(): readonly LateLoop[] {
    const loops = {
      heartbeat: this.#heart,
      report: this.#row.loop,
      mailbox: this.#mailbox.loop,
      ...this.#maintenance.loops,
    }
    const { storeDeadlineMs = 0, settings } = this.#parts
    // A heartbeat gives up on a store after a lease's time.
    return lateLoops(loops, lateAfterMs(storeDeadlineMs, settings.leaseMs))
  }

  start(): void {
    const { settings, telemetry, registry } = this.#parts
    // Its own timers do not hold the process; a worker at work does.
    this.#keepAlive = setInterval(() => {}, 60_000)
    const quietMs = this.#parts.store.capabilities.remote ? QUIET_MS : 0
    this.#worker.start(quietMs)
    this.#maintenance.start(quietMs)
    this.#heart.start(settings.heartbeatMs)
    this.#row.start(quietMs)
    this.#mailbox.start()
    telemetry.emit('worker.started', { workerId: this.id, names: registry.names, concurrency: settings.concurrency })
    if (settings.drain || settings.maxJobs !== Number.POSITIVE_INFINITY) void this.#stopWhenDone()
  }

  #isBusy(): boolean {
    const before = this.#doneAtLook
    this.#doneAtLook = this.#worker.jobsDone
    return this.#worker.running > 0 || this.#doneAtLook !== before
  }

  /** Something may have become claimable or due. */
  wake(): void {
    this.#worker.wake()
    this.#maintenance.wake()
  }

  /** A key appeared: jobs that wait for it go on. */
  keyAdded(): void {
    this.#maintenance.keyAdded()
  }

  /** Claims nothing more until `resume`; what runs goes on. */
  pause(): void {
    this.#worker.pause()
    this.#row.changed()
  }

  /** Claims again. A worker that stops does not. */
  resume(): void {
    if (this.#stopping !== undefined) return
    this.#worker.resume()
    this.#row.changed()
  }

  /**
   * Stops gracefully: claims nothing more, gives back what has not started, lets running jobs finish for `stopWithin`, then
   * aborts them and gives their leases back after 5 s more, attempts uncounted. With `now` it aborts at once; when it is
   * stopping already, `now` also gives the leases of those that do not heed it back at once.
   */
  stop(options: { readonly now?: boolean } = {}): Promise<void> {
    if (options.now === true) {
      this.#worker.abortAll()
      if (this.#stopping !== undefined) this.#hurry.resolve()
    }
    if (this.#stopping === undefined) {
      this.#stopping = this.#stop(options.now === true ? 0 : this.#parts.settings.stopWithinMs)
      this.#row.changed()
    }
    return this.#stopping
  }

  async #stop(softMs: number): Promise<void> {
    const { clock, telemetry } = this.#parts
    this.#worker.pause()
    telemetry.emit('worker.draining', { workerId: this.id, running: this.#worker.running })
    await shutDown(this.#worker, { clock, softMs, hurry: this.#hurry.promise })
    await this.#shut()
    this.#finish?.resolve()
  }

  /** The store is closed or was out of reach for too long: nothing can be settled any more. */
  #fatal(error: unknown): void {
    if (this.#isFinished) return
    if (this.#parts.settings.restart && isTransient(error)) return
    this.#worker.abortAll()
    this.#finish?.reject(error)
    this.#stopping ??= this.#shut()
  }

  async #shut(): Promise<void> {
    if (this.#isFinished) return
    this.#isFinished = true
    const { clock } = this.#parts
    await inTime(
      clock,
      Promise.all([
        this.#worker.stop(),
        this.#maintenance.stop(),
        this.#heart.stop(),
        this.#row.stop(),
        this.#mailbox.stop(),
      ]),
    )
    await inTime(clock, this.#row.remove())
    clearInterval(this.#keepAlive)
    this.#parts.health.stop()
    this.#parts.telemetry.emit('worker.stopped', { workerId: this.id, jobsDone: this.#worker.jobsDone })
  }

  /** Somebody far away has asked for something. */
  #asked({ verb, by }: Message): void {
    const { supervision } = this.#parts
    supervision?.onAsked(verb, `${by} asked for it`)
    switch (verb) {
      case 'pause':
        this.pause()
        break
      case 'resume':
        this.resume()
        break
      case 'stop':
      case 'restart':
        // A supervisor says when.
        if (supervision !== undefined) break
        this.askedTo ??= verb
        void this.stop()
        break
      default:
        verb satisfies never
    }
  }

  async #stopWhenDone(): Promise<void> {
    await this.#worker.drained()
    if (!this.#isFinished) await this.stop()
  }
}

function isTransient(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'kind' in error && error.kind === 'transient'
}
