/**
 * A worker: claims jobs, runs them in slots, settles their outcomes.
 *
 * The loop is `#pump`. Whatever happens (a job ends, jobs arrive, a hint, the poll) asks for a pump in the next turn of the
 * event loop; a pump starts what has a slot and sends what there is to settle and to claim (`exchanges.ts`). A slot is refilled
 * at once, its outcome still on the way: at most `maxPrefetch` plus the slots are unsettled, and a crash runs exactly those
 * again.
 */
import type { Clock } from '../base/clock.ts'
import type { Service } from '../base/service.ts'
import type { Telemetry } from '../base/telemetry.ts'
import type { Codec } from '../codec/codec.ts'
import type { Registry } from '../job/registry.ts'
import type { Store } from '../store/contract/index.ts'
import { Attempts } from './attempts.ts'
import { Checkpoints } from './checkpoints.ts'
import { answeredWithin, Contact, unanswered } from './contact.ts'
import { Exchanges } from './exchanges.ts'
import { Executor } from './executor.ts'
import { Fetcher } from './fetcher.ts'
import { keepYoungSmall, RestCollector } from './memory.ts'
import type { WorkerSettings } from './options.ts'
import type { RunningList } from './process/running-list.ts'
import { Reporter } from './reporter.ts'
import { Settler } from './settler.ts'
import { Slots } from './slots.ts'
import { WakeUps } from './wake-ups.ts'

/** What a worker is made of. */
export interface WorkerParts {
  readonly id: string
  readonly store: Store
  readonly codec: Codec
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly registry: Registry
  readonly settings: WorkerSettings
  /** Nothing is kept of jobs that complete: see `Settlement`. */
  readonly forgets: boolean
  /** In [0, 1): spreads back-off and polls. */
  readonly random: () => number
  /** Where a supervisor reads what has begun here, and by which it keeps the leases while the event loop stands still. */
  readonly runningList?: RunningList
  /** A failure that ends the worker: the store is closed, of another schema, or out of reach for too long. */
  readonly onFatal: (error: unknown) => void
  /** Leases are to be extended at once. */
  readonly onLateClaim: () => void
}

/** Claims, runs and settles until it is stopped. */
export class Worker implements Service {
  /** What is known of the store. Whoever writes to it for this worker says how that went. */
  readonly contact: Contact
  readonly #parts: WorkerParts
  readonly #slots: Slots
  readonly #fetcher: Fetcher
  readonly #settler = new Settler()
  readonly #reporter: Reporter
  readonly #attempts: Attempts
  readonly #exchanges: Exchanges
  readonly #wakeUps: WakeUps
  readonly #collector: RestCollector | undefined
  #isScheduled = false
  /** Monotonic ms at which the next heartbeat is due. */
  #beatDueAt: number
  #idleWaiters: (() => void)[] = []
  #drainWaiters: (() => void)[] = []
  constructor(parts: WorkerParts) {
    const { settings, store, clock, codec, telemetry } = parts
    this.#parts = parts
    this.#beatDueAt = clock.monotonic() + settings.heartbeatMs
    this.#slots = new Slots(settings.concurrency, settings.queues !== 'all')
    this.#fetcher = new Fetcher(settings, this.#slots, parts.id, parts.registry.names, store.capabilities.remote)
    this.#reporter = new Reporter(parts.id, store, codec, clock, telemetry)
    this.contact = new Contact(clock, telemetry, settings.leaseMs * 3)
    this.#attempts = new Attempts({
      ...parts,
      workerId: parts.id,
      executor: new Executor(codec, settings.middleware),
      reporter: this.#reporter,
      checkpoints: new Checkpoints(parts.id, store, codec),
      slots: this.#slots,
      fetcher: this.#fetcher,
      settler: this.#settler,
      onChange: () => this.#schedule(),
      onReleased: () => this.wake(),
      onStoreFailed: (operation, error) => this.contact.failed(operation, error),
    })
    this.#wakeUps = new WakeUps({ ...parts, pollMs: settings.pollMs, onWake: () => this.wake() })
    if (settings.dedicated)
      this.#collector = new RestCollector(
        clock,
        () => this.jobsDone,
        () => this.isIdle,
      )
    this.#exchanges = new Exchanges({
      ...parts,
      workerId: parts.id,
      slots: this.#slots,
      fetcher: this.#fetcher,
      settler: this.#settler,
      attempts: this.#attempts,
      contact: this.contact,
      heartbeatMs: settings.heartbeatMs,
      onAnswer: (found) => this.#answered(found),
      onRetry: () => this.wake(),
    })
  }

  /** Attempts that ended here, whatever became of them. */
  get jobsDone(): number {
    return this.#attempts.done
  }

  get running(): number {
    return this.#slots.running.size
  }

  /** What threads that run jobs hold of themselves, in bytes. */
  get isolateBytes(): number {
    return this.#attempts.isolates.needsBytes
  }

  /** What jobs have left in these threads, in bytes, garbage among it since the last collection. */
  get isolateLeftBytes(): number {
    return this.#attempts.isolates.leftBytes
  }

  /** Has threads that run jobs collect their garbage, as far as they are not blocked. */
  collectIsolates(): Promise<void> {
    return this.#attempts.isolates.collect()
  }

  get isClaiming(): boolean {
    return this.#exchanges.isClaiming
  }

  /** Ends with nothing running, nothing fetched and nothing unsettled. */
  get isIdle(): boolean {
    const { running } = this.#slots
    const isSettled = this.#settler.waiting === 0 && this.#attempts.unsure === 0
    return running.size === 0 && this.#fetcher.waiting === 0 && isSettled && !this.#exchanges.isInFlight
  }

  /** Whether the store may still hold leases of this worker, as far as is known here. */
  get mayHoldLeases(): boolean {
    return !this.isIdle || this.#attempts.hasLeft
  }

  /** Listens for hints, which takes a connection of its own, after `quietMs`. */
  start(quietMs = 0): void {
    if (this.#parts.settings.dedicated) keepYoungSmall()
    if (quietMs > 0) this.#wakeUps.beQuiet(quietMs)
    this.#exchanges.isClaiming = true
    this.#schedule()
  }

  /** Something may have become claimable, or a running job may have been cancelled. */
  wake(): void {
    this.#exchanges.mayHaveMore = true
    this.#schedule()
  }

  pause(): void {
    this.#exchanges.isClaiming = false
    this.#attempts.unstarted.giveBack(Number.POSITIVE_INFINITY)
    this.#schedule()
  }

  resume(): void {
    if (this.#exchanges.isStopped) return
    this.#exchanges.isClaiming = true
    this.wake()
  }

  /**
   * Extends leases, gives back what waited too long, and checks that the store still answers. Takes a lease's time at most, and
   * returns how long to rest before the next.
   *
   * Beats are that far apart from begin to begin: counted from the answer, one that takes a sixth of the lease would cost it. A
   * store that fails is judged when three leases are over, not at the beat after that.
   */
  async heartbeat(): Promise<number> {
    const { clock, settings } = this.#parts
    const { leaseMs, heartbeatMs } = settings
    const now = clock.monotonic()
    this.#excuse(now - this.#beatDueAt)
    this.#attempts.unstarted.giveBack(now + leaseMs / 2)
    void this.#attempts.checkCompletions()
    try {
      const hasRunning = this.#slots.running.size > 0
      await answeredWithin(clock, leaseMs, 'heartbeat', this.#attempts.leases.heartbeat())
      if (hasRunning) this.contact.succeeded('heartbeat')
    } catch (error) {
      this.contact.failed('heartbeat', error)
    }
    // The event loop stood still meanwhile, and an answer that was there was not read.
    this.#excuse(clock.monotonic() - now - leaseMs)
    const openMs = this.#exchanges.openMs(clock.monotonic())
    if (openMs > leaseMs) this.contact.failed('exchange', unanswered('exchange', openMs))
    if (this.contact.isLost && !this.#exchanges.isStopped) {
      for (const job of this.#slots.running) this.#attempts.leases.abort(job, 'lease-lost')
      this.#parts.onFatal(this.contact.lostError(this.#parts.store.description))
    }
    this.#schedule()
    // A timer may fire up to a millisecond early, and nobody would be judged then.
    const untilNext = Math.max(0, heartbeatMs - (clock.monotonic() - now))
    const restMs = Math.min(untilNext, this.contact.untilLostMs + 1)
    this.#beatDueAt = clock.monotonic() + restMs
    return restMs
  }

  /** Something came so much later than it should have: from a heartbeat on, this process stood still. */
  #excuse(lateMs: number): void {
    if (lateMs > this.#parts.settings.heartbeatMs) this.contact.excuse(lateMs)
  }

  /** Resolves when nothing runs and everything is settled. */
  idle(): Promise<void> {
    return this.isIdle ? Promise.resolve() : new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  /** Resolves when, by the worker's settings, its work is done: `maxJobs` ran, or (with `drain`) nothing is left to claim. */
  drained(): Promise<void> {
    return new Promise((resolve) => this.#drainWaiters.push(resolve))
  }

  /** Aborts every handler that still runs; their attempts go back uncounted. */
  abortAll(): void {
    for (const job of [...this.#slots.running]) this.#attempts.leases.abort(job, 'stopping')
  }

  /** Gives back the leases of handlers that did not heed their signal. */
  abandonAll(): void {
    for (const job of [...this.#slots.running]) this.#attempts.giveUp(job)
  }

  /** Ends for good. What is unsettled stays in the store under its lease. */
  async stop(): Promise<void> {
    this.#exchanges.isClaiming = false
    this.#exchanges.isStopped = true
    this.#wakeUps.stop()
    this.#collector?.stop()
    this.#attempts.leases.stop()
    await Promise.all([this.#reporter.flush(), this.#attempts.isolates.close()])
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#exchanges.isStopped) return
    this.#isScheduled = true
    setImmediate(this.#pump)
  }

  readonly #pump = (): void => {
    this.#isScheduled = false
    if (this.#exchanges.isStopped) return
    this.#attempts.startReady()
    this.#attempts.unstarted.giveBackStuck()
    if (!this.#exchanges.send()) this.#rest()
  }

  #answered(found: boolean | undefined): void {
    this.#wakeUps.answered(found)
    this.#rest()
    if (this.#settler.waiting > 0 || this.#exchanges.mayHaveMore) this.#schedule()
  }

  /** Nothing to do now, until something wakes it. */
  #rest(): void {
    if (this.#exchanges.isStopped) return
    if (this.isIdle) {
      for (const resolve of this.#idleWaiters.splice(0)) resolve()
      if (this.#drainWaiters.length > 0) void this.#checkDrained()
      this.#collector?.rested()
    }
    this.#wakeUps.listen()
  }

  async #checkDrained(): Promise<void> {
    const { settings, store } = this.#parts
    if (this.#fetcher.claimed < settings.maxJobs) {
      if (!settings.drain || !this.#exchanges.foundNothing || this.#exchanges.mayHaveMore) return
      // What is due but not promoted yet is still to be claimed.
      const [due, now] = await Promise.all([store.jobs.nextDue(), store.time()])
      if (!this.isIdle || !this.#exchanges.foundNothing || (due !== null && due <= now)) return
    }
    for (const resolve of this.#drainWaiters.splice(0)) resolve()
  }
}
