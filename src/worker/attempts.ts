/**
 * The attempts of a worker, from a claimed job in a slot to an outcome for the settler: started (`starter.ts`; on record first when
 * the job was lost before), run, ended once, also when the handler ignores its signal (`give-up.ts`) or the lease was lost meanwhile.
 *
 * Most jobs are over in microseconds, so the road of a plain one has one promise, the handler's own, and no `async` function:
 * 1.3 KiB of garbage a job less than with three of them, which at 60,000 jobs a second decides how large V8 lets its young
 * generation grow.
 */
import type { Clock } from '../base/clock.ts'
import type { Telemetry } from '../base/telemetry.ts'
import type { Registry } from '../job/registry.ts'
import type { Store } from '../store/contract/index.ts'
import type { Checkpoints } from './checkpoints.ts'
import { Completer } from './completer.ts'
import { type Ended, type Executor, RELEASED } from './executor.ts'
import type { Fetcher } from './fetcher.ts'
import { type GiveUpParts, giveUp } from './give-up.ts'
import { Isolates } from './isolate/isolates.ts'
import { Leases } from './leases.ts'
import type { WorkerSettings } from './options.ts'
import type { RunningList } from './process/running-list.ts'
import type { Reporter } from './reporter.ts'
import type { Outlet, RunningJob } from './running-job.ts'
import { settlementOf } from './settlement.ts'
import type { Settler } from './settler.ts'
import type { Slots } from './slots.ts'
import { Starter } from './starter.ts'
import { Unstarted } from './unstarted.ts'

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
  readonly leases: Leases
  readonly isolates: Isolates
  /** Fetched jobs that go back. */
  readonly unstarted: Unstarted
  readonly #starter: Starter
  readonly #givingUp: GiveUpParts
  readonly #completer: Completer
  /** Monotonic ms until which the store may hold leases of attempts that were left without an outcome. */
  #leftUntil = Number.NEGATIVE_INFINITY
  /** Attempts that ended here, whatever became of them. */
  done = 0

  constructor(parts: AttemptsParts) {
    const { settings, workerId, store, clock, slots, reporter } = parts
    this.#parts = parts
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
    const outlet: Outlet = {
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
    const { isolates, leases } = this
    const { registry } = isolates
    this.unstarted = new Unstarted({ ...parts, registry, leases, outlet })
    this.#starter = new Starter({
      ...parts,
      registry,
      isolates,
      outlet,
      completer: this.#completer,
      unstarted: this.unstarted,
      steps: {
        onPrepare: (job) => this.#prepares(job),
        onStart: (job) => this.#began(job),
        onEnd: (job, ended) => this.#ran(job, ended),
      },
      onMore: parts.onChange,
      onReleased: (job) => this.#end(job, RELEASED),
      onLeft: (job) => this.#letGo(job),
    })
    this.#givingUp = {
      ...parts,
      isolates,
      onEnd: (job, ended) => this.#end(job, ended),
      onLeft: (job) => this.#letGo(job),
    }
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

  /** Starts fetched jobs in a new turn of the event loop. */
  startReady(): void {
    this.#starter.startReady()
  }

  /** The handler ignored its signal for the whole grace: its attempt ends without it, its slot is free. */
  giveUp(job: RunningJob): void {
    giveUp(job, this.#givingUp)
  }

  /** An asynchronous schema or upgrade is user code too: it may take as long as its handler, and is let go with its lease. */
  #prepares(job: RunningJob): void {
    this.#starter.now = this.#parts.clock.monotonic()
    job.deadline = this.#starter.now + job.timeoutMs
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
    this.#starter.now = now
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
    this.#starter.now = clock.monotonic()
    const runMs = job.startedAt === 0 ? 0 : this.#starter.now - job.startedAt
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

  /** It will not be settled: its lease is another's, or may be. */
  #letGo(job: RunningJob): void {
    this.#starter.now = this.#parts.clock.monotonic()
    this.left(job)
    this.#leave(job)
  }

  #leave(job: RunningJob): void {
    job.isOver = true
    this.#parts.slots.give(job)
    this.#parts.runningList?.ended(job)
    this.#starter.startMore()
    this.#parts.onChange()
  }
}
