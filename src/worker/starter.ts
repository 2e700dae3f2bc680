/**
 * The beginning of attempts: fetched jobs are started while there are slots, and while not too many outcomes wait for the store.
 *
 * Handlers that keep the event loop busy start a few in a turn: between turns heartbeats, timeouts and the app have theirs. A job
 * whose lease has ended meanwhile, by this worker's own clock, is not started. A handler that returns a plain value ends, and frees
 * its slot, within `start`; `#isStarting` keeps that from nesting.
 */
import type { Clock } from '../base/clock.ts'
import type { Telemetry } from '../base/telemetry.ts'
import { isContained, isSuspectApart } from '../core/job/decide.ts'
import type { Registry } from '../job/registry.ts'
import type { Store } from '../store/contract/index.ts'
import type { Completer } from './completer.ts'
import type { Executor, Steps } from './executor.ts'
import { type Fetched, type Fetcher, needsStartRecord } from './fetcher.ts'
import type { Isolates } from './isolate/isolates.ts'
import type { WorkerSettings } from './options.ts'
import type { RunningList } from './process/running-list.ts'
import { type Outlet, RunningJob } from './running-job.ts'
import type { Settler } from './settler.ts'
import type { Slots } from './slots.ts'
import type { Unstarted } from './unstarted.ts'

/** How long a worker starts handlers before the rest of the event loop has its turn. */
const TURN_MS = 50

/** What attempts are started with. */
export interface StarterParts {
  readonly workerId: string
  readonly store: Store
  readonly clock: Clock
  readonly telemetry: Telemetry
  /** The worker's handlers, those exchanged that run in isolates. */
  readonly registry: Registry
  readonly settings: Pick<WorkerSettings, 'maxPrefetch' | 'concurrency' | 'maxTimeoutMs' | 'heartbeatMs'>
  readonly slots: Slots
  readonly fetcher: Fetcher
  readonly settler: Pick<Settler, 'unsettled'>
  readonly completer: Pick<Completer, 'waiting'>
  readonly unstarted: Pick<Unstarted, 'giveOneBack'>
  readonly isolates: Pick<Isolates, 'contained' | 'isApart'>
  readonly executor: Pick<Executor, 'run'>
  readonly outlet: Outlet
  readonly steps: Steps
  /** Where a supervisor reads what has begun here. */
  readonly runningList?: RunningList
  /** The turn is over, and there is more to start. */
  readonly onMore: () => void
  /** The attempt goes back as if it had not been. */
  readonly onReleased: (job: RunningJob) => void
  /** The attempt is over, and its lease perhaps another's. */
  readonly onLeft: (job: RunningJob) => void
  readonly onStoreFailed: (operation: string, error: unknown) => void
}

/** Starts the attempts of one worker. */
export class Starter {
  readonly #parts: StarterParts
  readonly #maxUnsettled: number
  #isStarting = false
  /** The latest reading of the monotonic clock, by whoever has read it. */
  now = 0
  /** From here on nothing more is started in this turn of the event loop. */
  #turnEnd = 0

  constructor(parts: StarterParts) {
    this.#parts = parts
    this.#maxUnsettled = parts.settings.maxPrefetch + parts.settings.concurrency
  }

  /** Starts fetched jobs in a new turn of the event loop. */
  startReady(): void {
    this.now = this.#parts.clock.monotonic()
    this.#turnEnd = this.now + TURN_MS
    this.startMore()
  }

  /** Starts fetched jobs in the turn under way: a slot is free again. */
  startMore(): void {
    if (this.#isStarting) return
    const { slots, settler, completer, fetcher, runningList } = this.#parts
    this.#isStarting = true
    runningList?.beginTurn()
    while (slots.free > 0 && settler.unsettled + completer.waiting < this.#maxUnsettled && this.now < this.#turnEnd) {
      const fetched = fetcher.next()
      if (fetched === undefined) break
      if (fetched.leaseEnd > this.now) {
        runningList?.beforeStart(fetched, fetcher, slots.free)
        this.#start(fetched)
      } else {
        fetcher.claimed--
        this.#parts.unstarted.giveOneBack(fetched.job)
      }
    }
    this.#isStarting = false
    runningList?.endTurn()
    if (this.now >= this.#turnEnd && fetcher.waiting > 0) this.#parts.onMore()
  }

  #start({ job: claimed, leaseEnd }: Fetched): void {
    const { telemetry, settings, slots, registry, isolates, outlet } = this.#parts
    const handler = isContained(claimed.crashes) ? isolates.contained(claimed.name) : registry.get(claimed.name)
    // Only handled names are claimed; a registry does not shrink.
    if (handler === undefined) return
    const job = new RunningJob(claimed, handler, leaseEnd, outlet, settings.maxTimeoutMs)
    slots.take(job)
    if (telemetry.has('job.claimed'))
      telemetry.emit('job.claimed', { jobId: job.id, name: job.name, queue: job.queue, attempt: job.attempt })
    if (needsStartRecord(claimed) && (isSuspectApart(claimed.losses) || !isolates.isApart(claimed)))
      void this.#startOnRecord(job)
    else this.#run(job)
    // What came before its first `await` may have taken long, and the next lease have ended meanwhile.
    if (!job.isOver) this.now = this.#parts.clock.monotonic()
    this.#parts.runningList?.afterStart(job)
  }

  /** A job that was lost before is written down as started first: if it takes this process with it, that is on record. */
  async #startOnRecord(job: RunningJob): Promise<void> {
    const { store, workerId, clock, settings, onReleased, onLeft, onStoreFailed } = this.#parts
    try {
      if ((await store.jobs.start(workerId, job.claimed)) === 'written') {
        if (clock.monotonic() + settings.heartbeatMs < job.leaseEnd) this.#run(job)
        // The answer came late: another may have the job by now, or no heartbeat come in time. The loss of a lease with a start
        // on record accuses the job, so it is given back.
        else onReleased(job)
        return
      }
    } catch (error) {
      onStoreFailed('start', error)
    }
    onLeft(job)
  }

  #run(job: RunningJob): void {
    this.#parts.executor.run(job, this.#parts.steps)
  }
}
