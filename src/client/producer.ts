/** Jobs on their way into the store: one call, one row, and what comes meanwhile goes together in the next statement. */
import type { Clock } from '../base/clock.ts'
import type { Service } from '../base/service.ts'
import type { Telemetry } from '../base/telemetry.ts'
import type { Codec } from '../codec/codec.ts'
import { MillraceError } from '../core/errors.ts'
import type { JobDefinition } from '../job/define-job.ts'
import type { InsertResult, NewJob, Store } from '../store/contract/index.ts'
import { failedWithin, refusal } from './bulk-enqueue-error.ts'
import { Coalescer } from './coalescer.ts'
import { type EnqueueOptions, newJob, rowWithin } from './enqueue.ts'
import { type EnqueueManyOptions, enqueueBatch } from './enqueue-many.ts'
import { type HandleContext, JobHandle } from './job-handle.ts'

/** What jobs are produced with. */
export interface ProducerParts {
  readonly store: Store
  readonly codec: Codec
  readonly telemetry: Telemetry
  readonly clock: Clock
  /** What the handles of jobs work with. */
  readonly handles: HandleContext
  /** Called after a commit that may have made jobs claimable. */
  readonly wake: () => void
}

/** Adds jobs until it is stopped. The types of inputs and results are its caller's. */
export class Producer implements Service {
  readonly #parts: ProducerParts
  readonly #coalescer: Coalescer
  #isClosed = false

  constructor(parts: ProducerParts) {
    const { store, wake } = parts
    this.#parts = parts
    this.#coalescer = new Coalescer(async (jobs) => {
      const results = await store.jobs.insert(jobs)
      wake()
      return results
    }, store.capabilities.remote)
  }

  start(): void {}

  /** See `Client.enqueue`. Rejects with `CLOSED` once it is stopped. */
  enqueue(definition: JobDefinition, input: unknown, options: EnqueueOptions | undefined): Promise<JobHandle> {
    try {
      this.#checkOpen()
      const row = newJob(this.#parts.codec, definition, input, options)
      if (options?.tx !== undefined) return this.#enqueueWithin(definition, row, options)
      const result = row instanceof Promise ? row.then((job) => this.#coalescer.add(job)) : this.#coalescer.add(row)
      return result.then((r) => this.#handle(definition, r))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** See `Client.enqueueMany`. Rejects with `CLOSED` once it is stopped. */
  async enqueueMany(
    definition: JobDefinition,
    inputs: readonly unknown[],
    options: EnqueueManyOptions | undefined,
  ): Promise<readonly JobHandle[]> {
    this.#checkOpen()
    const results = await enqueueBatch(this.#parts, definition, inputs, options)
    return results.map((result) => this.#handle(definition, result))
  }

  /** Takes nothing more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isClosed = true
    await this.#coalescer.drain()
  }

  /** With a synchronous driver the row stands in the caller's transaction before this returns. */
  #enqueueWithin(
    definition: JobDefinition,
    row: NewJob | Promise<NewJob>,
    { tx, notify }: EnqueueOptions,
  ): Promise<JobHandle> {
    const { store } = this.#parts
    const job = rowWithin(store, definition, row)
    const failed = (error: unknown): never => {
      throw failedWithin(error)
    }
    const one = (all: readonly InsertResult[]) => {
      const [result] = all
      if (result === undefined) throw new MillraceError('INTERNAL', 'the store answered no result for a job')
      return this.#handle(definition, result)
    }
    try {
      const results = store.jobs.insertWithin(tx, [job], notify)
      return results instanceof Promise ? results.then(one, failed) : Promise.resolve(one(results))
    } catch (error) {
      return failed(error)
    }
  }

  #handle(definition: JobDefinition, result: InsertResult): JobHandle {
    const { telemetry, handles } = this.#parts
    if (result.status === 'refused') throw refusal(result, definition.name)
    if (telemetry.has('job.enqueued')) {
      telemetry.emit('job.enqueued', {
        jobId: result.id,
        name: definition.name,
        queue: definition.queue,
        status: result.status,
      })
    }
    return new JobHandle(result, definition, handles)
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new MillraceError('CLOSED', 'this Millrace was closed')
  }
}
