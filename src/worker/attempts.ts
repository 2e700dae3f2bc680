/**
 * The attempts of a worker, from a claimed job in a slot to an outcome for the settler: started (on record first when the job
 * was lost before), run, ended once, also when the handler ignores its signal or the lease was lost meanwhile.
 *
 * Most jobs are over in microseconds, so the road of a plain one has one promise, the handler's own, and no `async` function:
 * 1.3 KiB of garbage a job less than with three of them, which at 60,000 jobs a second decides how large V8 lets its young
 * generation grow. A handler that returns a plain value ends within `start`; `#isStarting` keeps that from nesting.
 */
import type { Clock } from '../base/clock.ts'
import type { Telemetry } from '../base/telemetry.ts'
import { isContained, isSuspectApart } from '../core/job/decide.ts'
import type { Registry } from '../job/registry.ts'
import type { ClaimedJob, Store } from '../store/contract/index.ts'
import type { Checkpoints } from './checkpoints.ts'
import { Completer } from './completer.ts'
import { type Ended, type Executor, RELEASED, type Steps } from './executor.ts'
import { type Fetched, type Fetcher, needsStartRecord } from './fetcher.ts'
import { Isolates } from './isolate/isolates.ts'
import { Leases } from './leases.ts'
import type { WorkerSettings } from './options.ts'
import type { RunningList } from './process/running-list.ts'
import type { Reporter } from './reporter.ts'
import { type Outlet, RunningJob } from './running-job.ts'
import { settlementOf } from './settlement.ts'
import type { Settler } from './settler.ts'
import type { Slots } from './slots.ts'

/** How long a worker starts handlers before the rest of the event loop has its turn. */
const TURN_MS = 50

/** How long a fetched job waits behind jobs that take as long. */
const MOST_WAIT_MS = 1_000

/** How long an isolate may take to start and to load its module, beside the timeout. */
const ISOLATE_START_MS = 30_000

/** What attempts are made with. */
export interface AttemptsParts {
  readonly workerId: string
  readonly store: Store
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly registry: Registry
  readonly settings: WorkerSettings
  readonly forgets: boolean
  readonly random: () => number
  readonly executor: Executor
  readonly reporter: Reporter
  readonly checkpoints: Checkpoints
  readonly slots: Slots
  readonly fetcher: Fetcher
  readonly settler: Settler
  /** Where a supervisor reads what has begun here. */
  readonly runningList?: RunningList
  /** A slot is free, or an outcome waits. */
  readonly onChange: () => void
  /** Jobs may have become claimable that no exchange of this worker released. */
  readonly onReleased: () => void
  readonly onStoreFailed: (operation: string, error: unknown) => void
  /** Leases are to be extended at once. */
  readonly onLateClaim: () => void
}

/** The attempts of one worker, from their claim to their outcome. */
export class Attempts {
  readonly #parts: AttemptsParts
  readonly #maxUnsettled: number
  readonly leases: Leases
  readonly isolates: Isolates
  readonly #registry: Registry
  readonly #completer: Completer
  readonly #outlet: Outlet
  readonly #steps: Steps = {
    onPrepare: (job) => this.#prepares(job),
    onStart: (job) => this.#began(job),
    onEnd: (job, ended) => this.#ran(job, ended),
  }
  #isStarting = false
  /** The latest reading of the monotonic clock. */
  #now = 0
  /** From here on nothing more is started in this turn of the event loop. */
  #turnEnd = 0
  /** Monotonic ms until which the store may hold leases of attempts that were left without an outcome. */
  #leftUntil = Number.NEGATIVE_INFINITY
  /** Attempts that ended here, whatever became of them. */
  done = 0

  constructor(parts: AttemptsParts) {
    const { settings, workerId, store, clock, slots } = parts
    this.#parts = parts
    this.#maxUnsettled = settings.maxPrefetch + settings.concurrency
    this.#completer = new Completer({
      ...parts,
      leaseMs: settings.leaseMs,
      onHeld: (job, result, sentAt) => this.leases.heard(job, result, sentAt),
      onRolledBack: (job, ended, runMs) => {
        this.#settle(job, ended, runMs)
        parts.onChange()
      },
      onOver: parts.onReleased,
    })
    parts.runningList?.setApart((job) => this.isolates.isApart(job))
    const { reporter } = parts
    this.#outlet = {
      progress: (job, fraction, note) => reporter.progress(job, fraction, note),
      log: (job, message, level) => reporter.log(job, message, level),
      completeIn: (job, tx, result) => this.#completer.completeIn(job, tx, result),
      checkpoint: (job, value) => parts.checkpoints.save(job, value),
      restore: (job) => parts.checkpoints.restore(job),
    }
    this.isolates = new Isolates({
      registry: parts.registry,
      settings,
      onWaiting: (job) => this.#waits(job, Number.POSITIVE_INFINITY),
      onHandedOver: (job) => this.#waits(job, ISOLATE_START_MS + job.timeoutMs),
      onBegan: (job) => this.#times(job),
    })
    this.#registry = this.isolates.registry
    this.leases = new Leases({
      workerId,
      store,
      clock,
      slots,
      leaseMs: settings.leaseMs,
      heartbeatMs: settings.heartbeatMs,
      graceMs: settings.graceMs,
      isKept: parts.runningList !== undefined,
      onStalled: parts.onLateClaim,
      onIgnored: (job) => this.giveUp(job),
      onLost: (job) => parts.telemetry.emit('lease.lost', { jobId: job.id, name: job.name, queue: job.queue }),
      onStoreFailed: (error) => parts.onStoreFailed('heartbeat', error),
    })
  }

  /** Attempts that are over, with a completion of their own whose fate is not known yet. */
  get unsure(): number {
    return this.#completer.waiting
  }

  /** Whether leases may still be held of attempts that are over and will not be settled. */
  get hasLeft(): boolean {
    return this.#parts.clock.monotonic() < this.#leftUntil
  }

  /** The attempt is over and will not be settled: its lease ends by itself. */
  left(job: RunningJob): void {
    this.#leftUntil = Math.max(this.#leftUntil, job.leaseEnd + this.#parts.settings.leaseMs)
  }

  /** Asks after completions of jobs that still run. */
  async checkCompletions(): Promise<void> {
    await this.#completer.check(this.#parts.slots.running)
  }

  /** Starts fetched jobs in a new turn of the event loop: see `#startMore`. */
  startReady(): void {
    this.#now = this.#parts.clock.monotonic()
    this.#turnEnd = this.#now + TURN_MS
    this.#startMore()
  }

  /** Gives fetched jobs back whose lease ends before `before` (monotonic ms), attempts uncounted. */
  giveBack(before: number): void {
    for (const job of this.#parts.fetcher.takeBack(before)) this.#giveOneBack(job)
  }

  /**
   * Gives back what has waited for a second behind jobs that have run as long: these take longer than those did by which it was
   * reckoned how many to fetch. Where slots are free it is the store that is slow, and would only be given more to do.
   */
  giveBackStuck(): void {
    const { slots, fetcher, clock } = this.#parts
    const since = clock.monotonic() - MOST_WAIT_MS
    if (slots.free > 0 || !fetcher.hasOlder(this.leases.endOf(since))) return
    const isSlow = [...slots.running].some(({ startedAt }) => startedAt !== 0 && startedAt <= since)
    if (isSlow) this.giveBack(this.leases.endOf(since))
  }

  /** The handler ignored its signal for the whole grace: its attempt ends without it, its slot is free. */
  giveUp(job: RunningJob): void {
    if (job.isOver) return
    this.#now = this.#parts.clock.monotonic()
    const why = job.aborted ?? 'stopping'
    // In an isolate it is killed, and has ended when that is gone.
    const isKilled = this.isolates.kill(job)
    this.#parts.telemetry.emit('job.abandoned', { jobId: job.id, name: job.name, queue: job.queue, why })
    if (why === 'lease-lost') {
      this.left(job)
      this.#leave(job)
      return
    }
    if (isKilled) return
    if (why === 'stopping') {
      this.#end(job, RELEASED)
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
    void this.#parts.executor
      .sealError(job, error)
      .then((sealed) => this.#end(job, { end: { kind }, result: null, ...sealed }))
  }

  /**
   * Starts fetched jobs while there are slots, and while not too many outcomes wait for the store. Handlers that keep the
   * event loop busy start a few in a turn: between turns heartbeats, timeouts and the app have theirs. A job whose lease
   * has ended meanwhile, by this worker's own clock, is not started.
   */
  #startMore(): void {
    if (this.#isStarting) return
    const { slots, settler, fetcher, runningList } = this.#parts
    this.#isStarting = true
    runningList?.beginTurn()
    while (slots.free > 0 && settler.unsettled + this.unsure < this.#maxUnsettled && this.#now < this.#turnEnd) {
      const fetched = fetcher.next()
      if (fetched === undefined) break
      if (fetched.leaseEnd > this.#now) {
        runningList?.beforeStart(fetched, fetcher, slots.free)
        this.#start(fetched)
      } else {
        fetcher.claimed--
        this.#giveOneBack(fetched.job)
      }
    }
    this.#isStarting = false
    runningList?.endTurn()
    if (this.#now >= this.#turnEnd && fetcher.waiting > 0) this.#parts.onChange()
  }

  #giveOneBack(job: ClaimedJob): void {
    const { settler, runningList } = this.#parts
    const handler = this.#registry.get(job.name)
    if (handler === undefined) return
    runningList?.withdraw()
    const running = new RunningJob(job, handler, 0, this.#outlet)
    running.isOver = true
    settler.add({ job: running, settlement: { id: job.id, epoch: job.epoch, runMs: 0, to: 'pending' } })
  }

  #start({ job: claimed, leaseEnd }: Fetched): void {
    const { telemetry, settings, slots } = this.#parts
    const handler = isContained(claimed.crashes)
      ? this.isolates.contained(claimed.name)
      : this.#registry.get(claimed.name)
    // Only handled names are claimed; a registry does not shrink.
    if (handler === undefined) return
    const job = new RunningJob(claimed, handler, leaseEnd, this.#outlet, settings.maxTimeoutMs)
    slots.take(job)
    if (telemetry.has('job.claimed'))
      telemetry.emit('job.claimed', { jobId: job.id, name: job.name, queue: job.queue, attempt: job.attempt })
    if (needsStartRecord(claimed) && (isSuspectApart(claimed.losses) || !this.isolates.isApart(claimed)))
      void this.#startOnRecord(job)
    else this.#run(job)
    // What came before its first `await` may have taken long, and the next lease have ended meanwhile.
    if (!job.isOver) this.#now = this.#parts.clock.monotonic()
    this.#parts.runningList?.afterStart(job)
  }

  /** A job that was lost before is written down as started first: if it takes this process with it, that is on record. */
  async #startOnRecord(job: RunningJob): Promise<void> {
    const { store, workerId, clock, onStoreFailed } = this.#parts
    try {
      if ((await store.jobs.start(workerId, job.claimed)) === 'written') {
        if (clock.monotonic() < job.leaseEnd) this.#run(job)
        // The answer came late, and another may have the job by now. The loss of a lease with a start on record accuses the
        // job, so it is given back.
        else this.#end(job, RELEASED)
        return
      }
    } catch (error) {
      onStoreFailed('start', error)
    }
    this.#now = clock.monotonic()
    this.left(job)
    this.#leave(job)
  }

  #run(job: RunningJob): void {
    this.#parts.executor.run(job, this.#steps)
  }

  /** An asynchronous schema or upgrade is user code too: it may take as long as its handler, and is let go with its lease. */
  #prepares(job: RunningJob): void {
    this.#now = this.#parts.clock.monotonic()
    job.deadline = this.#now + job.timeoutMs
    this.leases.watch(job)
  }

  /** It waits for an isolate, or for the one it is in to start and to load its module: that has a time of its own. */
  #waits(job: RunningJob, mostMs: number): void {
    job.startedAt = 0
    job.deadline = this.#parts.clock.monotonic() + mostMs
    this.leases.watch(job)
  }

  #began(job: RunningJob): void {
    const { telemetry } = this.#parts
    this.#times(job)
    if (telemetry.has('job.started'))
      telemetry.emit('job.started', { jobId: job.id, name: job.name, queue: job.queue, attempt: job.attempt })
  }

  #times(job: RunningJob): void {
    const { clock } = this.#parts
    const now = clock.monotonic()
    this.#now = now
    job.startedAt = now
    job.deadline = now + job.timeoutMs
    this.leases.watch(job)
  }

  #ran(job: RunningJob, ended: Ended): void {
    if (job.isOver) return
    const { reporter } = this.#parts
    if (job.completion === 'none' && reporter.has(job)) {
      // It has ended in time, however long the store takes for its news.
      job.deadline = Number.POSITIVE_INFINITY
      void reporter.flush().then(() => {
        if (!job.isOver) this.#end(job, ended)
      })
    } else this.#end(job, ended)
  }

  #end(job: RunningJob, ended: Ended): void {
    const { clock, fetcher } = this.#parts
    this.#now = clock.monotonic()
    const runMs = job.startedAt === 0 ? 0 : this.#now - job.startedAt
    if (job.startedAt !== 0) fetcher.sawRun(runMs)
    if (job.completion === 'none') this.#settle(job, ended, runMs)
    else {
      this.done++
      this.#completer.ended(job, ended, runMs)
    }
    this.#leave(job)
  }

  #settle(job: RunningJob, ended: Ended, runMs: number): void {
    if (job.aborted === 'lease-lost') {
      this.left(job)
      return
    }
    const { random, settler, forgets } = this.#parts
    const settlement = settlementOf(job, ended, runMs, random(), forgets)
    settler.add(ended.errorLine === undefined ? { job, settlement } : { job, settlement, errorLine: ended.errorLine })
    // One that was asked after has been counted.
    if (job.completions === 0) this.done++
  }

  #leave(job: RunningJob): void {
    job.isOver = true
    this.#parts.slots.give(job)
    this.#parts.runningList?.ended(job)
    this.#startMore()
    this.#parts.onChange()
  }
}
