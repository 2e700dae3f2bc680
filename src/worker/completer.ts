/**
 * Completions that travel in transactions of the handler's own. What `completeIn` wrote is final when that transaction commits,
 * and the worker is not told whether it did. It asks: an attempt whose lease is still held was rolled back, and is settled by
 * how its handler ended; one whose job has completed under this lease was committed, and nothing is left to settle.
 *
 * Meanwhile the job's row may be locked by the transaction, so its lease is not extended together with those of other jobs,
 * which would all wait for it: the question itself extends the lease, in a call of its own, one at a time. Nobody can take
 * the job from under the lock. Every write is fenced, whatever this file believes.
 */
import type { Clock } from '../base/clock.ts'
import type { Telemetry } from '../base/telemetry.ts'
import { ConfigError, MillraceError } from '../core/errors.ts'
import type { HeldResult, Store } from '../store/contract/index.ts'
import type { Ended, Executor } from './executor.ts'
import type { Reporter } from './reporter.ts'
import type { RunningJob } from './running-job.ts'
import { tellSettled } from './tell.ts'

/** What completions are made with. */
export interface CompleterParts {
  readonly workerId: string
  readonly store: Store
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly executor: Executor
  readonly reporter: Reporter
  readonly leaseMs: number
  /** The lease of a running job was found held: it ends then. */
  readonly onHeld: (job: RunningJob, result: HeldResult, sentAt: number) => void
  /** The handler has ended and its transaction was rolled back: the attempt is settled by how it ended. */
  readonly onRolledBack: (job: RunningJob, ended: Ended, runMs: number) => void
  /** A completion was found committed, or the lease lost: room is free, and dependents may be claimable. */
  readonly onOver: () => void
  readonly onStoreFailed: (operation: string, error: unknown) => void
}

/** An attempt that is over, with a completion whose fate is not known. */
interface Waiting {
  readonly job: RunningJob
  readonly ended: Ended
  readonly runMs: number
}

/** How long it waits before it asks a store again that did not answer. */
const AGAIN_MS = 500

/** The completions of one worker. */
export class Completer {
  readonly #parts: CompleterParts
  #waiting: Waiting[] = []
  #isAsking = false
  #isChecking = false

  constructor(parts: CompleterParts) {
    this.#parts = parts
  }

  /** Attempts that are over and not settled yet. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** See `JobContext.completeIn`. */
  async completeIn(job: RunningJob, tx: unknown, result: unknown): Promise<void> {
    const { store, executor, reporter, workerId, clock } = this.#parts
    if (!store.capabilities.transactions) {
      throw new ConfigError('CONFIG_INVALID', `${store.description} cannot take part in a transaction`, {
        hint: 'Return the result instead, or use a store on a database.',
      })
    }
    const sealed = await executor.sealResult(job, result)
    const news = reporter.has(job) ? await reporter.newsOf(job) : undefined
    if (job.isOver || job.completion === 'committed') throw lost(job)
    const before = job.completion
    job.completion = 'unknown'
    job.completions++
    job.isCompleting = true
    const { id, epoch } = job.claimed
    const runMs = clock.monotonic() - job.startedAt
    try {
      const completion = { id, epoch, runMs, to: 'completed', result: sealed } as const
      if ((await store.jobs.settleWithin(tx, workerId, completion, news)) === 'settled') return
    } catch (error) {
      job.completion = before
      throw error
    } finally {
      job.isCompleting = false
    }
    job.completion = before
    throw lost(job)
  }

  /** Takes an attempt whose handler has ended, to find out what became of its completion. */
  ended(job: RunningJob, ended: Ended, runMs: number): void {
    this.#waiting.push({ job, ended, runMs })
    if (!this.#isAsking) void this.#ask()
  }

  /** Extends the leases of jobs that go on after a completion which was rolled back; learns which were committed. */
  async check(running: Iterable<RunningJob>): Promise<void> {
    // One whose completion is being written may be held still, and say nothing of what becomes of it.
    const jobs = [...running].filter((job) => !job.isOver && job.completion === 'unknown' && !job.isCompleting)
    if (this.#isChecking || jobs.length === 0) return
    this.#isChecking = true
    const sentAt = this.#parts.clock.monotonic()
    const tries = jobs.map((job) => job.completions)
    try {
      const fates = await this.#fatesOf(jobs)
      for (const [i, job] of jobs.entries()) {
        const fate = fates[i] ?? 'lost'
        if (job.isOver || job.completions !== tries[i]) continue
        if (fate === 'committed') job.completion = 'committed'
        else {
          job.completion = 'none'
          this.#parts.onHeld(job, fate, sentAt)
        }
      }
    } catch (error) {
      this.#parts.onStoreFailed('heartbeat', error)
    } finally {
      this.#isChecking = false
    }
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    while (this.#waiting.length > 0) {
      const batch = [...this.#waiting]
      try {
        const fates = await this.#fatesOf(batch.map(({ job }) => job))
        await Promise.all(batch.map((one, i) => this.#learned(one, fates[i] ?? 'lost')))
        // Until here they count as unsettled: a worker that stops waits for them.
        this.#waiting.splice(0, batch.length)
        this.#parts.onOver()
      } catch (error) {
        this.#parts.onStoreFailed('settle', error)
        await new Promise<void>((resolve) => {
          this.#parts.clock.after(AGAIN_MS, resolve)
        })
      }
    }
    this.#isAsking = false
  }

  async #learned({ job, ended, runMs }: Waiting, fate: HeldResult | 'committed'): Promise<void> {
    const { telemetry, reporter } = this.#parts
    if (fate === 'held' || fate === 'cancelling') {
      job.completion = 'none'
      if (reporter.has(job)) await reporter.flush()
      this.#parts.onRolledBack(job, ended, runMs)
      return
    }
    reporter.drop(job)
    if (fate === 'lost') telemetry.emit('lease.lost', { jobId: job.id, name: job.name, queue: job.queue })
    else {
      job.completion = 'committed'
      const { id, epoch } = job.claimed
      tellSettled(telemetry, { job, settlement: { id, epoch, runMs, to: 'completed', result: null } }, 'settled')
    }
  }

  /** What the store knows of these attempts. One round trip, a second one when some are not held. */
  async #fatesOf(jobs: readonly RunningJob[]): Promise<readonly (HeldResult | 'committed')[]> {
    const { store, workerId, leaseMs } = this.#parts
    const known = jobs.filter((job) => job.completion !== 'committed')
    const leases = known.map((job) => job.claimed)
    const answers = known.length === 0 ? [] : await store.jobs.extendWaiting(workerId, leases, leaseMs)
    const held = new Map(known.map((job, i) => [job, answers[i] ?? 'lost']))
    const gone = known.filter((job) => held.get(job) === 'lost').map((job) => job.id)
    const rows = gone.length === 0 ? [] : await store.jobs.finished(gone)
    const epochs = new Map(rows.filter((row) => row.state === 'completed').map((row) => [row.id, row.epoch]))
    return jobs.map((job) => {
      if (job.completion === 'committed') return 'committed'
      const answer = held.get(job) ?? 'lost'
      return answer === 'lost' && epochs.get(job.id) === job.claimed.epoch ? 'committed' : answer
    })
  }
}

function lost(job: RunningJob): MillraceError {
  return new MillraceError('LEASE_LOST', `the job ${job.id} is no longer this attempt's to complete`, {
    fields: { id: job.id, name: job.name, fence: job.fence },
    hint: 'Let the transaction be rolled back: another attempt does the work, or it is done already.',
  })
}
