/**
 * Leases whose jobs' rows another transaction holds. A heartbeat passes over them, so that one row costs no other job its lease;
 * but most such rows are held for milliseconds, by a report or an insert of a child, and the next heartbeat may meet the next of
 * those. So each is asked for at once in a call of its own, which waits its turn for the row; one call at a time, since each holds
 * a connection. What waits behind one that is held for long is tried by the way, passing over, until it is free.
 */
import type { Clock } from '../base/clock.ts'
import type { ExtendResult, Store } from '../store/contract/index.ts'
import type { RunningJob } from './running-job.ts'

/** What they are asked with. */
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

/** Between two tries of what waits behind another, as a share of the time between heartbeats. */
const AGAIN = 0.1

/** The locked leases of one worker. */
export class LockedLeases {
  readonly #options: LockedLeasesOptions
  readonly #jobs = new Set<RunningJob>()
  #isAsking = false
  #cancelAgain: (() => void) | undefined

  constructor(options: LockedLeasesOptions) {
    this.#options = options
  }

  /** A heartbeat passed over these. */
  add(jobs: readonly RunningJob[]): void {
    for (const job of jobs) this.#jobs.add(job)
    void this.#ask()
    this.#tryAgainSoon()
  }

  stop(): void {
    this.#jobs.clear()
    this.#cancelAgain?.()
    this.#cancelAgain = undefined
  }

  /** One after the other, each waiting for its row. */
  async #ask(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    const { store, workerId, leaseMs } = this.#options
    for (const job of this.#jobs) {
      this.#jobs.delete(job)
      if (job.isOver || job.aborted === 'lease-lost') continue
      await this.#extend([job], () => store.jobs.extendWaiting(workerId, [job.claimed], leaseMs))
    }
    this.#isAsking = false
  }

  #tryAgainSoon(): void {
    if (this.#cancelAgain !== undefined || this.#jobs.size === 0) return
    const { clock, heartbeatMs } = this.#options
    this.#cancelAgain = clock.after(heartbeatMs * AGAIN, () => {
      void this.#tryAgain()
    })
  }

  async #tryAgain(): Promise<void> {
    const { store, workerId, leaseMs } = this.#options
    const jobs = [...this.#jobs]
    if (jobs.length > 0) {
      const leases = jobs.map((job) => job.claimed)
      await this.#extend(jobs, () => store.jobs.extend(workerId, leases, leaseMs))
    }
    this.#cancelAgain = undefined
    this.#tryAgainSoon()
  }

  async #extend(jobs: readonly RunningJob[], extend: () => Promise<readonly ExtendResult[]>): Promise<void> {
    const { clock, onAnswer, onStoreFailed } = this.#options
    const sentAt = clock.monotonic()
    const tries = jobs.map((job) => job.completions)
    try {
      const results = await extend()
      for (const [i, job] of jobs.entries()) {
        const result = results[i] ?? 'lost'
        if (result !== 'locked') this.#jobs.delete(job)
        // One that completes itself meanwhile made the answer wait, or changed it: that is asked after elsewhere.
        if (job.completions === tries[i]) onAnswer(job, result, sentAt)
      }
    } catch (error) {
      onStoreFailed(error)
    }
  }
}
