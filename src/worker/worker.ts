/**
 * A worker: claims jobs, runs them in slots, settles their outcomes.
 *
 * The loop is `#pump`. Whatever happens (a job ends, jobs arrive, a hint, the poll) asks for a pump in the next turn of the
 * event loop; a pump starts what has a slot and sends at most one exchange, which carries every outcome that has gathered
 * and a claim for the room there is. While one exchange is in flight, more outcomes gather for the next: batches grow with
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
import { Contact } from './contact.ts'
import { type Ended, Executor } from './executor.ts'
import { type Fetched, Fetcher, needsStartRecord } from './fetcher.ts'
import { Leases } from './leases.ts'
import type { WorkerSettings } from './options.ts'
import { Reporter } from './reporter.ts'
import { RunningJob } from './running-job.ts'
import { settlementOf } from './settlement.ts'
import { answers, type Outcome, Settler } from './settler.ts'
import { Slots } from './slots.ts'
import { tellSettled } from './tell.ts'

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

export class Worker implements Service {
  readonly #parts: WorkerParts
  readonly #slots: Slots
  readonly #fetcher: Fetcher
  readonly #settler = new Settler()
  readonly #executor: Executor
  readonly #reporter: Reporter
  readonly #leases: Leases
  readonly #contact: Contact
  readonly #maxUnsettled: number
  #isScheduled = false
  #isInFlight = false
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
  /** Attempts that ended here, whatever became of them. */
  jobsDone = 0

  constructor(parts: WorkerParts) {
    const { settings, store, clock, codec, telemetry } = parts
    this.#parts = parts
    this.#slots = new Slots(settings.concurrency, settings.queues !== 'all')
    this.#fetcher = new Fetcher(settings, this.#slots, parts.id, parts.registry.names)
    this.#executor = new Executor(codec, settings.middleware)
    this.#reporter = new Reporter(parts.id, store, codec, clock, telemetry)
    this.#maxUnsettled = settings.maxPrefetch + settings.concurrency
    this.#leases = new Leases({
      workerId: parts.id,
      store,
      clock,
      slots: this.#slots,
      leaseMs: settings.leaseMs,
      graceMs: settings.graceMs,
      onIgnored: (job) => this.#giveUp(job),
      onLost: (job) => this.#lost(job),
    })
    this.#contact = new Contact(clock, telemetry, settings.leaseMs * 3)
  }

  get running(): number {
    return this.#slots.running.size
  }

  get isClaiming(): boolean {
    return this.#isClaiming
  }

  /** Ends with nothing running, nothing fetched and nothing unsettled. */
  get isIdle(): boolean {
    return (
      this.#slots.running.size === 0 && this.#fetcher.waiting === 0 && this.#settler.waiting === 0 && !this.#isInFlight
    )
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
    this.#giveBack(Number.POSITIVE_INFINITY)
    this.#schedule()
  }

  resume(): void {
    if (this.#isStopped) return
    this.#isClaiming = true
    this.wake()
  }

  /** Extends leases, gives back what waited too long, and checks that the store still answers. */
  async heartbeat(): Promise<void> {
    const { clock, settings } = this.#parts
    this.#giveBack(clock.monotonic() + settings.leaseMs / 2)
    try {
      await this.#leases.heartbeat()
      if (this.#slots.running.size > 0) this.#contact.succeeded('heartbeat')
    } catch (error) {
      this.#contact.failed('heartbeat', error)
    }
    if (this.#contact.isLost && !this.#isStopped) {
      for (const job of this.#slots.running) this.#leases.abort(job, 'lease-lost')
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
    for (const job of [...this.#slots.running]) this.#leases.abort(job, 'stopping')
  }

  /** Gives back the leases of handlers that did not heed their signal. */
  abandonAll(): void {
    for (const job of [...this.#slots.running]) this.#giveUp(job)
  }

  /** Ends for good. What is unsettled stays in the store under its lease. */
  async stop(): Promise<void> {
    this.#isClaiming = false
    this.#isStopped = true
    this.#cancelPoll?.()
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    this.#leases.stop()
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
    this.#startReady()
    if (this.#isInFlight || !this.#contact.mayTry) return
    const settle = this.#settler.take()
    const claim = this.#isClaiming && (this.#mayHaveMore || settle.length > 0) ? this.#fetcher.request() : undefined
    if (settle.length === 0 && claim === undefined && !this.#mayHaveMore) {
      this.#rest()
      return
    }
    void this.#exchange(settle, claim)
  }

  async #exchange(batch: readonly Outcome[], claim: ReturnType<Fetcher['request']>): Promise<void> {
    const { store, clock, id } = this.#parts
    this.#isInFlight = true
    // A hint that comes from now on is about what this exchange may not see.
    this.#mayHaveMore = false
    const sentAt = clock.monotonic()
    try {
      const settle = batch.map((outcome) => outcome.settlement)
      const result = await store.jobs.exchange(
        claim === undefined ? { workerId: id, settle } : { workerId: id, settle, claim },
      )
      this.#contact.succeeded('exchange')
      this.#fetcher.sawRoundTrip(clock.monotonic() - sentAt)
      this.#settler.accepted()
      this.#took(batch, result)
      if (result.more) this.#mayHaveMore = true
      if (claim !== undefined) this.#foundNothing = result.claimed.length === 0
      this.#fetcher.add(result.claimed, this.#leases.endOf(sentAt))
      this.#heard(result.cancelling)
      this.#startReady()
    } catch (error) {
      this.#refused(batch, error)
    } finally {
      this.#isInFlight = false
      this.#rest()
      if (this.#settler.waiting > 0 || this.#mayHaveMore) this.#schedule()
    }
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
    if (kind === 'transient') this.#parts.clock.after(this.#contact.backOffMs(this.#parts.random()), () => this.wake())
    else this.#parts.onFatal(error)
  }

  #heard(cancelling: readonly Lease[]): void {
    if (cancelling.length === 0) return
    for (const job of this.#slots.running) {
      if (cancelling.some((lease) => lease.id === job.id && lease.epoch === job.claimed.epoch))
        this.#leases.abort(job, 'cancelled')
    }
  }

  #startReady(): void {
    while (this.#slots.free > 0 && this.#settler.waiting < this.#maxUnsettled) {
      const fetched = this.#fetcher.next()
      if (fetched === undefined) return
      this.#start(fetched)
    }
  }

  #start({ job: claimed, leaseEnd }: Fetched): void {
    const { registry, telemetry, settings } = this.#parts
    const handler = registry.get(claimed.name)
    // Only handled names are claimed; a registry does not shrink.
    if (handler === undefined) return
    const job = new RunningJob(claimed, handler, leaseEnd, this.#reporter, settings.maxTimeoutMs)
    this.#slots.take(job)
    if (telemetry.has('job.claimed'))
      telemetry.emit('job.claimed', { jobId: job.id, name: job.name, queue: job.queue, attempt: job.attempt })
    if (needsStartRecord(claimed)) void this.#startOnRecord(job)
    else void this.#run(job)
  }

  /** A job that was lost before is written down as started first: if it takes this process with it, that is on record. */
  async #startOnRecord(job: RunningJob): Promise<void> {
    try {
      const { store, id } = this.#parts
      if ((await store.jobs.start(id, job.claimed)) === 'written') return await this.#run(job)
    } catch (error) {
      this.#contact.failed('start', error)
    }
    this.#leave(job)
  }

  async #run(job: RunningJob): Promise<void> {
    const ended = await this.#executor.run(job, this.#began)
    if (job.isOver) return
    if (this.#reporter.has(job)) await this.#reporter.flush()
    if (!job.isOver) this.#end(job, ended)
  }

  readonly #began = (job: RunningJob): void => {
    const now = this.#parts.clock.monotonic()
    job.startedAt = now
    job.deadline = now + job.timeoutMs
    this.#leases.watch(job)
    const { telemetry } = this.#parts
    if (telemetry.has('job.started'))
      telemetry.emit('job.started', { jobId: job.id, name: job.name, queue: job.queue, attempt: job.attempt })
  }

  #end(job: RunningJob, ended: Ended): void {
    const { clock, random } = this.#parts
    const runMs = job.startedAt === 0 ? 0 : clock.monotonic() - job.startedAt
    this.#fetcher.sawRun(runMs)
    this.#leave(job)
    if (job.aborted === 'lease-lost') return
    const settlement = settlementOf(job, ended, runMs, random())
    this.#settler.add(
      ended.errorLine === undefined ? { job, settlement } : { job, settlement, errorLine: ended.errorLine },
    )
    this.jobsDone++
  }

  #leave(job: RunningJob): void {
    job.isOver = true
    this.#slots.give(job)
    this.#startReady()
    this.#schedule()
  }

  /** The handler ignored its signal for the whole grace: its attempt ends without it, its slot is free. */
  #giveUp(job: RunningJob): void {
    if (job.isOver) return
    const why = job.aborted ?? 'stopping'
    this.#parts.telemetry.emit('job.abandoned', { jobId: job.id, name: job.name, queue: job.queue, why })
    if (why === 'lease-lost') {
      this.#leave(job)
      return
    }
    if (why === 'stopping') {
      this.#end(job, { end: { kind: 'released' }, result: null, error: null })
      return
    }
    const text =
      why === 'timeout'
        ? `ran longer than its timeout of ${job.timeoutMs} ms and ignored its signal`
        : 'was cancelled and ignored its signal'
    const kind = why === 'timeout' ? 'timedOut' : 'cancelled'
    // Marked first: a handler that returns while the error is being sealed comes too late.
    job.isOver = true
    const error = new DOMException(`the job ${text}`, 'TimeoutError')
    void this.#executor
      .sealError(job, error)
      .then((sealed) => this.#end(job, { end: { kind }, result: null, ...sealed }))
  }

  #lost(job: RunningJob): void {
    this.#parts.telemetry.emit('lease.lost', { jobId: job.id, name: job.name, queue: job.queue })
  }

  #giveBack(before: number): void {
    for (const job of this.#fetcher.takeBack(before)) {
      const handler = this.#parts.registry.get(job.name)
      if (handler === undefined) continue
      const running = new RunningJob(job, handler, 0, this.#reporter)
      running.isOver = true
      this.#settler.add({ job: running, settlement: { id: job.id, epoch: job.epoch, runMs: 0, to: 'pending' } })
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
