/**
 * A worker: claims jobs, runs them in slots, settles their outcomes.
 *
 * The loop is `#pump`. Whatever happens (a job ends, jobs arrive, a hint, the poll) asks for a pump in the next turn of the
 * event loop; a pump starts what has a slot and sends at most one exchange, which carries every outcome that has gathered
 * and a claim for the room there is. Where the store works in a process of its own, the next exchange is sent before what the
 * last one brought is started: the database settles and claims one half while the other half runs. While one exchange is in flight, more outcomes gather for the next: batches grow with
 * the load and are single when there is none. A slot is refilled at once, its outcome still on the way: at most
 * `maxPrefetch` plus the slots are unsettled, and a crash runs exactly those again.
 */
import type { Clock } from '../base/clock.ts'
import type { Service } from '../base/service.ts'
import type { Telemetry } from '../base/telemetry.ts'
import type { Codec } from '../codec/codec.ts'
import { StoreError } from '../core/errors.ts'
import type { Registry } from '../job/registry.ts'
import type { ExchangeResult, Lease, Store } from '../store/contract/index.ts'
import { Attempts } from './attempts.ts'
import { answeredWithin, Contact, unanswered } from './contact.ts'
import { Executor } from './executor.ts'
import { Fetcher } from './fetcher.ts'
import type { WorkerSettings } from './options.ts'
import { Reporter } from './reporter.ts'
import { answers, type Outcome, Settler } from './settler.ts'
import { Slots } from './slots.ts'
import { tellSettled } from './tell.ts'

/** What a worker is made of. */
export interface WorkerParts {
  readonly id: string
  readonly store: Store
  readonly codec: Codec
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly registry: Registry
  readonly settings: WorkerSettings
  /** In [0, 1): spreads back-off and polls. */
  readonly random: () => number
  /** A failure that ends the worker: the store is closed, of another schema, or out of reach for too long. */
  readonly onFatal: (error: unknown) => void
}

/** Claims, runs and settles until it is stopped. */
export class Worker implements Service {
  readonly #parts: WorkerParts
  readonly #slots: Slots
  readonly #fetcher: Fetcher
  readonly #settler = new Settler()
  readonly #reporter: Reporter
  readonly #attempts: Attempts
  readonly #contact: Contact
  #isScheduled = false
  #isInFlight = false
  /** When the exchange in flight was sent. */
  #sentAt = 0
  #lastBeatAt: number
  /** The last claim left something, or a hint came since: there may be more. */
  #mayHaveMore = true
  #isClaiming = false
  #isStopped = false
  #cancelPoll: (() => void) | undefined
  #unsubscribe: (() => void) | undefined
  #idleWaiters: (() => void)[] = []
  #drainWaiters: (() => void)[] = []
  /** The last claim found nothing at all. */
  #foundNothing = false
  constructor(parts: WorkerParts) {
    const { settings, store, clock, codec, telemetry } = parts
    this.#parts = parts
    this.#lastBeatAt = clock.monotonic()
    this.#slots = new Slots(settings.concurrency, settings.queues !== 'all')
    this.#fetcher = new Fetcher(settings, this.#slots, parts.id, parts.registry.names, store.capabilities.remote)
    this.#reporter = new Reporter(parts.id, store, codec, clock, telemetry)
    this.#contact = new Contact(clock, telemetry, settings.leaseMs * 3)
    this.#attempts = new Attempts({
      ...parts,
      workerId: parts.id,
      executor: new Executor(codec, settings.middleware),
      reporter: this.#reporter,
      slots: this.#slots,
      fetcher: this.#fetcher,
      settler: this.#settler,
      onChange: () => this.#schedule(),
      onReleased: () => this.wake(),
      onStoreFailed: (operation, error) => this.#contact.failed(operation, error),
    })
  }

  /** Attempts that ended here, whatever became of them. */
  get jobsDone(): number {
    return this.#attempts.done
  }

  get running(): number {
    return this.#slots.running.size
  }

  get isClaiming(): boolean {
    return this.#isClaiming
  }

  /** Ends with nothing running, nothing fetched and nothing unsettled. */
  get isIdle(): boolean {
    const { running } = this.#slots
    const isSettled = this.#settler.waiting === 0 && this.#attempts.unsure === 0
    return running.size === 0 && this.#fetcher.waiting === 0 && isSettled && !this.#isInFlight
  }

  start(): void {
    this.#isClaiming = true
    this.#schedule()
  }

  /** Something may have become claimable, or a running job may have been cancelled. */
  wake(): void {
    this.#mayHaveMore = true
    this.#schedule()
  }

  pause(): void {
    this.#isClaiming = false
    this.#attempts.giveBack(Number.POSITIVE_INFINITY)
    this.#schedule()
  }

  resume(): void {
    if (this.#isStopped) return
    this.#isClaiming = true
    this.wake()
  }

  /** Extends leases, gives back what waited too long, and checks that the store still answers. Takes a lease's time at most. */
  async heartbeat(): Promise<void> {
    const { clock, settings } = this.#parts
    const { leaseMs, heartbeatMs } = settings
    const now = clock.monotonic()
    if (now - this.#lastBeatAt > leaseMs + 2 * heartbeatMs) this.#contact.excuse()
    this.#lastBeatAt = now
    this.#attempts.giveBack(now + leaseMs / 2)
    void this.#attempts.checkCompletions()
    try {
      const hasRunning = this.#slots.running.size > 0
      await answeredWithin(clock, leaseMs, 'heartbeat', this.#attempts.leases.heartbeat())
      if (hasRunning) this.#contact.succeeded('heartbeat')
    } catch (error) {
      this.#contact.failed('heartbeat', error)
    }
    const openMs = this.#isInFlight ? clock.monotonic() - this.#sentAt : 0
    if (openMs > leaseMs) this.#contact.failed('exchange', unanswered('exchange', openMs))
    if (this.#contact.isLost && !this.#isStopped) {
      for (const job of this.#slots.running) this.#attempts.leases.abort(job, 'lease-lost')
      this.#parts.onFatal(this.#contact.lostError(this.#parts.store.description))
    }
    this.#schedule()
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
    this.#isClaiming = false
    this.#isStopped = true
    this.#cancelPoll?.()
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    this.#attempts.leases.stop()
    await this.#reporter.flush()
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isStopped) return
    this.#isScheduled = true
    setImmediate(this.#pump)
  }

  readonly #pump = (): void => {
    this.#isScheduled = false
    if (this.#isStopped) return
    this.#attempts.startReady()
    if (!this.#isInFlight && this.#contact.mayTry && !this.#send(this.#mayHaveMore)) this.#rest()
  }

  /** Sends what has gathered and a claim for the room there is. False when there is neither, unless it is only to look. */
  #send(isLook: boolean): boolean {
    const settle = this.#settler.take()
    const mayClaim = this.#isClaiming && !this.#settler.isProbing && (this.#mayHaveMore || settle.length > 0)
    const claim = mayClaim ? this.#fetcher.request() : undefined
    if (settle.length === 0 && claim === undefined && !isLook) return false
    void this.#exchange(settle, claim)
    return true
  }

  async #exchange(batch: readonly Outcome[], claim: ReturnType<Fetcher['request']>): Promise<void> {
    const { store, clock, id } = this.#parts
    this.#isInFlight = true
    // A hint that comes from now on is about what this exchange may not see.
    this.#mayHaveMore = false
    const sentAt = clock.monotonic()
    this.#sentAt = sentAt
    try {
      const settle = batch.map((outcome) => outcome.settlement)
      const result = await store.jobs.exchange(
        claim === undefined ? { workerId: id, settle } : { workerId: id, settle, claim },
      )
      this.#contact.succeeded('exchange')
      this.#fetcher.sawRoundTrip(clock.monotonic() - sentAt)
      if (this.#settler.accepted()) this.#mayHaveMore = true
      this.#took(batch, result)
      if (result.more) this.#mayHaveMore = true
      if (claim !== undefined) this.#foundNothing = result.claimed.length === 0 && !result.more
      this.#fetcher.add(result.claimed, this.#attempts.leases.endOf(sentAt))
      this.#heard(result.cancelling)
      this.#isInFlight = false
      if (store.capabilities.remote && this.#isClaiming && result.claimed.length > 0) this.#send(false)
      // Paused while this claim was under way: what it brought goes back. Stopped for good: its leases end by themselves.
      if (this.#isClaiming) this.#attempts.startReady()
      else if (!this.#isStopped) this.#attempts.giveBack(Number.POSITIVE_INFINITY)
    } catch (error) {
      this.#isInFlight = false
      this.#refused(batch, error)
    }
    this.#rest()
    if (this.#settler.waiting > 0 || this.#mayHaveMore) this.#schedule()
  }

  #took(batch: readonly Outcome[], result: ExchangeResult): void {
    if (batch.length === 0) return
    const { telemetry } = this.#parts
    if (!telemetry.has('job.settled') && !result.settled.includes('lost')) return
    for (const [outcome, answer] of answers(batch, result.settled)) {
      if (answer !== 'lost') tellSettled(telemetry, outcome, answer)
      else telemetry.emit('lease.lost', { jobId: outcome.job.id, name: outcome.job.name, queue: outcome.job.queue })
    }
  }

  /** The store did not take the batch: it waits, is halved, or ends the worker. */
  #refused(batch: readonly Outcome[], error: unknown): void {
    const kind = error instanceof StoreError ? error.kind : undefined
    if (kind === 'constraint' && batch.length > 0) {
      const aside = this.#settler.refused(batch)
      if (aside !== undefined) this.#parts.telemetry.emit('store.failed', { operation: 'settle', error })
      return
    }
    this.#settler.putBack(batch)
    this.#contact.failed('exchange', error)
    // A timer may fire up to a millisecond early; one that does would find the back-off still on.
    if (kind === 'transient')
      this.#parts.clock.after(this.#contact.backOffMs(this.#parts.random()) + 1, () => this.wake())
    else this.#parts.onFatal(error)
  }

  #heard(cancelling: readonly Lease[]): void {
    if (cancelling.length === 0) return
    for (const job of this.#slots.running) {
      if (cancelling.some((lease) => lease.id === job.id && lease.epoch === job.claimed.epoch))
        this.#attempts.leases.abort(job, 'cancelled')
    }
  }

  /** Nothing to do now: listen for hints and arm the poll beneath them. */
  #rest(): void {
    const { store, settings, clock, random } = this.#parts
    if (this.#isStopped) return
    if (this.isIdle) {
      for (const resolve of this.#idleWaiters.splice(0)) resolve()
      if (this.#drainWaiters.length > 0) void this.#checkDrained()
    }
    this.#unsubscribe ??= store.wake.subscribe(() => this.wake())
    this.#cancelPoll?.()
    this.#cancelPoll = clock.after(settings.pollMs * (0.8 + 0.2 * random()), () => this.wake())
  }

  async #checkDrained(): Promise<void> {
    const { settings, store } = this.#parts
    if (this.#fetcher.claimed < settings.maxJobs) {
      if (!settings.drain || !this.#foundNothing) return
      // What is due but not promoted yet is still to be claimed.
      const [due, now] = await Promise.all([store.jobs.nextDue(), store.time()])
      if (!this.isIdle || (due !== null && due <= now)) return
    }
    for (const resolve of this.#drainWaiters.splice(0)) resolve()
  }
}
