/** What a supervisor does in the store for a worker that cannot: keeps its leases while it is stalled, takes its jobs back when it is dead. */
import type { Clock } from '../../base/clock.ts'
import type { Telemetry } from '../../base/telemetry.ts'
import type { Lease, Store } from '../../store/contract/index.ts'

/** What it is done with. */
export interface RescueParts {
  /** Resolves with the store, open. */
  readonly store: () => Promise<Store>
  readonly clock: Clock
  readonly telemetry: Telemetry
}

const BATCH = 500
/** A statement that a process had sent when it was killed may still be carried out: what it claimed is looked for again, so much later. */
const AGAIN_MS = [500, 5_000] as const
/** When the store does not answer. */
const RETRY_MS = 1_000
/** By then the leases have ended, and everybody takes the jobs back. */
const MOST_TRIES = 60

/** The rescue of one node's workers. */
export class Rescue {
  readonly #parts: RescueParts
  readonly #underWay = new Set<Promise<void>>()
  #isStopped = false

  constructor(parts: RescueParts) {
    this.#parts = parts
  }

  /**
   * Extends what a stalled worker has begun and still holds. Whatever else is in the list is not its own any more. Resolves with
   * whether one of its jobs was asked to stop, which it cannot hear; with null when the store did not say.
   */
  async keep(workerId: string, begun: readonly Lease[], leaseMs: number): Promise<boolean | null> {
    if (begun.length === 0) return false
    try {
      const store = await this.#parts.store()
      return (await store.jobs.extend(workerId, begun, leaseMs)).includes('cancelling')
    } catch (error) {
      this.#parts.telemetry.emit('store.failed', { operation: 'keep', error })
      return null
    }
  }

  /** Takes back what a dead worker held; what it had `begun` counts as a crash, and nothing with null. Resolves when it has been done once. */
  recover(workerId: string, begun: readonly Lease[] | null): Promise<void> {
    const first = this.#recoverWell(workerId, begun)
    const work = first.then(() => this.#recoverLate(workerId, begun))
    this.#underWay.add(work)
    void work.finally(() => this.#underWay.delete(work))
    return first
  }

  /** Nothing is tried again from now on. */
  stop(): void {
    this.#isStopped = true
  }

  async #recoverLate(workerId: string, begun: readonly Lease[] | null): Promise<void> {
    for (const ms of AGAIN_MS) {
      await this.#rest(ms)
      if (this.#isStopped) return
      await this.#recoverWell(workerId, begun)
    }
  }

  async #recoverWell(workerId: string, begun: readonly Lease[] | null): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES && !(tries > 0 && this.#isStopped); tries++) {
      try {
        return await this.#recover(workerId, begun)
      } catch (error) {
        this.#parts.telemetry.emit('store.failed', { operation: 'recover', error })
        await this.#rest(RETRY_MS)
      }
    }
  }

  async #recover(workerId: string, begun: readonly Lease[] | null): Promise<void> {
    const store = await this.#parts.store()
    for (;;) {
      const jobs = await store.jobs.recover(workerId, begun, BATCH)
      for (const { id, name, queue, to, losses, crashes } of jobs)
        this.#parts.telemetry.emit('job.reclaimed', { jobId: id, name, queue, outcome: to, losses, crashes })
      if (jobs.length < BATCH) break
    }
    await store.cluster.remove(workerId)
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.clock.after(ms, resolve)
    })
  }
}
