/**
 * Time and running jobs: timeouts, the grace after an abort, and leases.
 *
 * One timer for all deadlines, armed for the earliest: a timer per job would cost more than a short job. A heartbeat
 * extends exactly what runs here, in one statement. A job whose lease this worker could not extend is aborted before the
 * lease ends by the worker's own monotonic clock, so that two workers never run it knowingly.
 */
import type { Clock } from '../base/clock.ts'
import type { ExtendResult, Store } from '../store/contract/index.ts'
import { LockedLeases } from './locked-leases.ts'
import type { RunningJob } from './running-job.ts'
import type { Slots } from './slots.ts'

/** What the leases of a worker are kept with. */
export interface LeaseOptions {
  /** Whose leases these are. */
  readonly workerId: string
  readonly store: Store
  readonly clock: Clock
  readonly slots: Slots
  readonly leaseMs: number
  readonly heartbeatMs: number
  readonly graceMs: number
  /** A supervisor extends these leases while the event loop stands still. */
  readonly isKept: boolean
  /** It stood still, and the store has to be asked how the leases are. */
  readonly onStalled: () => void
  /** A handler ignored its signal for the whole grace: its attempt ends without it. */
  readonly onIgnored: (job: RunningJob) => void
  readonly onLost: (job: RunningJob) => void
  /** Leases could not be extended beside a heartbeat. */
  readonly onStoreFailed: (error: unknown) => void
}

/** A lease is given up this share of its length before it ends. */
const MARGIN = 0.1

/**
 * The share of a heartbeat after which whoever has a supervisor looks again, so that it notices how long it stood still: looking
 * only when a lease ends, it would take the end of a long stall that comes soon after that for a late timer. The supervisor keeps
 * leases from five quarters of a heartbeat on, two and a half pulses.
 */
const TICK = 0.25

/** The leases of one worker. */
export class Leases {
  readonly #options: LeaseOptions
  readonly #locked: LockedLeases
  #armedFor = Number.POSITIVE_INFINITY
  #cancelTimer: (() => void) | undefined

  constructor(options: LeaseOptions) {
    this.#options = options
    this.#locked = new LockedLeases({ ...options, onAnswer: (job, result, sentAt) => this.heard(job, result, sentAt) })
  }

  /** The monotonic instant at which a lease asked for at `sentAt` is no longer trusted. */
  endOf(sentAt: number): number {
    return sentAt + this.#options.leaseMs * (1 - MARGIN)
  }

  /** Watches a job whose deadline was just set. */
  watch(job: RunningJob): void {
    const at = Math.min(job.deadline, job.leaseEnd)
    if (at < this.#armedFor) this.#arm(at)
  }

  /** Aborts a job and counts its grace. */
  abort(job: RunningJob, why: NonNullable<RunningJob['aborted']>): void {
    const now = this.#options.clock.monotonic()
    job.abort(why, now)
    const at = now + this.#options.graceMs
    if (at < this.#armedFor) this.#arm(at)
  }

  /** Extends every running job; those whose rows others hold, soon after. Rejects when the store does. */
  async heartbeat(): Promise<void> {
    const { workerId, store, clock, slots, leaseMs } = this.#options
    const running = [...slots.running].filter((job) => !job.isOver && job.completion === 'none')
    if (running.length === 0) return
    const sentAt = clock.monotonic()
    const tries = running.map((job) => job.completions)
    const results = await store.jobs.extend(
      workerId,
      running.map((job) => job.claimed),
      leaseMs,
    )
    running.forEach((job, i) => {
      // One that completes itself meanwhile made the answer wait, or changed it: that is asked after elsewhere.
      if (job.completions === tries[i]) this.heard(job, results[i] ?? 'lost', sentAt)
    })
    this.#locked.add(running.filter((job, i) => results[i] === 'locked' && job.completions === tries[i]))
  }

  stop(): void {
    this.#locked.stop()
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#armedFor = Number.POSITIVE_INFINITY
  }

  /** Takes in what the store said of a lease that was to be extended at `sentAt`. */
  heard(job: RunningJob, result: ExtendResult, sentAt: number): void {
    if (job.isOver || result === 'locked') return
    if (result === 'lost') {
      // Its own clock may have said so already.
      if (job.aborted === 'lease-lost') return
      this.abort(job, 'lease-lost')
      this.#options.onLost(job)
      return
    }
    // Answers may overtake each other; whichever was done last at the store holds for longest.
    job.leaseEnd = Math.max(job.leaseEnd, this.endOf(sentAt))
    if (result === 'cancelling') this.abort(job, 'cancelled')
  }

  #arm(deadline: number): void {
    const { clock, isKept, heartbeatMs } = this.#options
    const now = clock.monotonic()
    const at = isKept ? Math.min(deadline, now + heartbeatMs * TICK) : deadline
    this.#cancelTimer?.()
    this.#armedFor = at
    // A timer may fire up to a millisecond early; one later never finds the deadline ahead.
    const ms = Math.min(Math.max(0, at - now) + 1, 2 ** 31 - 1)
    this.#cancelTimer = this.#options.clock.after(ms, () => this.#check())
  }

  #check(): void {
    const now = this.#options.clock.monotonic()
    this.#excuseStall(now, now - this.#armedFor)
    this.#armedFor = Number.POSITIVE_INFINITY
    let next = Number.POSITIVE_INFINITY
    for (const job of [...this.#options.slots.running]) {
      const at = this.#checkOne(job, now)
      if (at < next) next = at
    }
    if (next < this.#armedFor) this.#arm(next)
  }

  /**
   * This look comes late: the event loop stood still, and the supervisor may have kept the leases meanwhile. They are trusted for the
   * time of one heartbeat from now on, also those that would end a moment later, and the store is asked at once.
   */
  #excuseStall(now: number, lateMs: number): void {
    const { isKept, heartbeatMs, slots, onStalled } = this.#options
    if (!isKept || lateMs < heartbeatMs) return
    for (const job of slots.running) job.leaseEnd = Math.max(job.leaseEnd, now + heartbeatMs)
    onStalled()
  }

  /** Acts on what is due for one job and returns when to look again. */
  #checkOne(job: RunningJob, now: number): number {
    // Not begun: its start is being written down.
    if (job.deadline === 0) return Number.POSITIVE_INFINITY
    if (job.aborted === undefined) {
      // One that completes in a transaction of its own is guarded by that, or done: see completer.ts.
      const leaseEnd = job.completion === 'none' ? job.leaseEnd : Number.POSITIVE_INFINITY
      if (now >= leaseEnd) {
        job.abort('lease-lost', now)
        this.#options.onLost(job)
      } else if (now >= job.deadline) job.abort('timeout', now)
      else return Math.min(job.deadline, leaseEnd)
    }
    const end = job.abortedAt + this.#options.graceMs
    if (now < end) return end
    this.#options.onIgnored(job)
    return Number.POSITIVE_INFINITY
  }
}
