/**
 * Fetched jobs that will not begin here: they go back to the store with their attempts uncounted, since another worker may be idle.
 * They travel like outcomes, with the next exchange.
 */
import type { Clock } from '../base/clock.ts'
import type { Registry } from '../job/registry.ts'
import type { ClaimedJob } from '../store/contract/index.ts'
import type { Fetcher } from './fetcher.ts'
import type { Leases } from './leases.ts'
import type { RunningList } from './process/running-list.ts'
import { type Outlet, RunningJob } from './running-job.ts'
import type { Settler } from './settler.ts'
import type { Slots } from './slots.ts'

/** What fetched jobs are given back with. */
export interface UnstartedParts {
  readonly clock: Clock
  readonly registry: Registry
  readonly slots: Pick<Slots, 'free' | 'running'>
  readonly fetcher: Pick<Fetcher, 'hasOlder' | 'takeBack'>
  readonly settler: Pick<Settler, 'add'>
  readonly leases: Pick<Leases, 'endOf'>
  readonly outlet: Outlet
  readonly runningList?: Pick<RunningList, 'withdraw'>
}

/** How long a fetched job waits behind jobs that take as long. */
const MOST_WAIT_MS = 1_000

/** The fetched jobs of one worker that go back. */
export class Unstarted {
  readonly #parts: UnstartedParts

  constructor(parts: UnstartedParts) {
    this.#parts = parts
  }

  /** Gives fetched jobs back whose lease ends before `before` (monotonic ms), attempts uncounted. */
  giveBack(before: number): void {
    for (const job of this.#parts.fetcher.takeBack(before)) this.giveOneBack(job)
  }

  /**
   * Gives back what has waited for a second behind jobs that have run as long: these take longer than those did by which it was
   * reckoned how many to fetch. Where slots are free it is the store that is slow, and would only be given more to do.
   */
  giveBackStuck(): void {
    const { slots, fetcher, leases, clock } = this.#parts
    const since = clock.monotonic() - MOST_WAIT_MS
    if (slots.free > 0 || !fetcher.hasOlder(leases.endOf(since))) return
    const isSlow = [...slots.running].some(({ startedAt }) => startedAt !== 0 && startedAt <= since)
    if (isSlow) this.giveBack(leases.endOf(since))
  }

  /** Gives one back that the fetcher does not hold any more. */
  giveOneBack(job: ClaimedJob): void {
    const { registry, settler, runningList, outlet } = this.#parts
    const handler = registry.get(job.name)
    if (handler === undefined) return
    runningList?.withdraw()
    const running = new RunningJob(job, handler, 0, outlet)
    running.isOver = true
    settler.add({ job: running, settlement: { id: job.id, epoch: job.epoch, runMs: 0, to: 'pending' } })
  }
}
