/**
 * Leases whose jobs' rows another transaction holds. A heartbeat passes over them, so that one row costs no other job its lease;
 * but most such rows are held for milliseconds, by a report or an insert of a child, and the next heartbeat may meet the next of
 * those. So they are tried again, and again, soon after. A row for which others stand in line is never found free that way: one
 * that was tried in vain for a while is waited for, in a call of its own that holds its connection for half a heartbeat at most.
 */
import type { Clock } from '../base/clock.ts'
import { StoreError } from '../core/errors.ts'
import type { ExtendResult, Store } from '../store/contract/index.ts'
import type { RunningJob } from './running-job.ts'

/** What they are tried with. */
export interface LockedLeasesOptions {
  readonly workerId: string
  readonly store: Store
  readonly clock: Clock
  readonly leaseMs: number
  readonly heartbeatMs: number
  /** What the store said of a lease that was to be extended at `sentAt`. */
  readonly onAnswer: (job: RunningJob, result: ExtendResult, sentAt: number) => void
  readonly onStoreFailed: (error: unknown) => void
}

/** Between two tries, as a share of the time between heartbeats. */
const AGAIN = 0.02
/** After so many tries a row is waited for, for this share of the time between heartbeats. */
const MOST_TRIES = 5
const PATIENCE = 0.5

/** The locked leases of one worker. */
export class LockedLeases {
  readonly #options: LockedLeasesOptions
  /** How often each was tried. */
  readonly #jobs = new Map<RunningJob, number>()
  #isStopped = false
  #isTrying = false
  #isWaiting = false

  constructor(options: LockedLeasesOptions) {
    this.#options = options
  }

  /** A heartbeat passed over these. */
  add(jobs: readonly RunningJob[]): void {
    for (const job of jobs) if (!this.#jobs.has(job)) this.#jobs.set(job, 0)
    this.#tryAgainSoon()
  }

  stop(): void {
    this.#isStopped = true
  }

  #tryAgainSoon(): void {
    if (this.#isStopped || this.#isTrying || this.#jobs.size === 0) return
    this.#isTrying = true
    const { clock, heartbeatMs } = this.#options
    clock.after(heartbeatMs * AGAIN, () => {
      void this.#tryAgain().finally(() => {
        this.#isTrying = false
        this.#tryAgainSoon()
      })
    })
  }

  async #tryAgain(): Promise<void> {
    for (const job of this.#jobs.keys()) if (!isOpen(job)) this.#jobs.delete(job)
    if (this.#isStopped || this.#jobs.size === 0) return
    const { store, workerId, leaseMs } = this.#options
    const jobs = [...this.#jobs.keys()]
    const leases = jobs.map((job) => job.claimed)
    await this.#extend(jobs, () => store.jobs.extend(workerId, leases, leaseMs))
    void this.#waitForOne()
  }

  /** Stands in line for the row that was tried most often. */
  async #waitForOne(): Promise<void> {
    const [job, tries = 0] = [...this.#jobs].sort(([, a], [, b]) => b - a)[0] ?? []
    if (this.#isWaiting || job === undefined || tries < MOST_TRIES) return
    this.#isWaiting = true
    // The next time it is another's turn.
    this.#jobs.set(job, 0)
    const { store, workerId, leaseMs, heartbeatMs } = this.#options
    const waitMs = heartbeatMs * PATIENCE
    await this.#extend([job], () => store.jobs.extendWaiting(workerId, [job.claimed], leaseMs, waitMs))
    this.#isWaiting = false
  }

  async #extend(jobs: readonly RunningJob[], extend: () => Promise<readonly ExtendResult[]>): Promise<void> {
    const { clock, onAnswer, onStoreFailed } = this.#options
    const sentAt = clock.monotonic()
    try {
      const results = await extend()
      for (const [i, job] of jobs.entries()) {
        const result = results[i] ?? 'lost'
        if (result === 'locked') {
          const tries = this.#jobs.get(job)
          if (tries !== undefined) this.#jobs.set(job, tries + 1)
          continue
        }
        this.#jobs.delete(job)
        if (isOpen(job) && !this.#isStopped) onAnswer(job, result, sentAt)
      }
    } catch (error) {
      if (this.#isStopped || (error instanceof StoreError && error.code === 'STORE_BUSY')) return
      // The next heartbeat asks for all.
      this.#jobs.clear()
      onStoreFailed(error)
    }
  }
}

/** One that completes itself holds its row too: that is asked after elsewhere. */
function isOpen(job: RunningJob): boolean {
  return !job.isOver && job.completion === 'none' && job.aborted !== 'lease-lost'
}
