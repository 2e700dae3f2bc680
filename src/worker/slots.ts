/** Room for running jobs: how many run, in all and per queue, and which. */
import type { RunningJob } from './running-job.ts'

/** Room for jobs in one worker. */
export class Slots {
  readonly size: number
  readonly #running = new Set<RunningJob>()
  readonly #perQueue = new Map<string, number>()
  readonly #countsQueues: boolean

  constructor(size: number, countsQueues: boolean) {
    this.size = size
    this.#countsQueues = countsQueues
  }

  get free(): number {
    return this.size - this.#running.size
  }

  get running(): ReadonlySet<RunningJob> {
    return this.#running
  }

  take(job: RunningJob): void {
    this.#running.add(job)
    if (this.#countsQueues) this.#perQueue.set(job.queue, this.runningIn(job.queue) + 1)
  }

  give(job: RunningJob): void {
    if (this.#running.delete(job) && this.#countsQueues) this.#perQueue.set(job.queue, this.runningIn(job.queue) - 1)
  }

  runningIn(queue: string): number {
    return this.#perQueue.get(queue) ?? 0
  }
}
