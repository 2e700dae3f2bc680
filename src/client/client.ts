/** The producing and inspecting half of Millrace, over any store. */
import type { Clock } from '../base/clock.ts'
import type { Service } from '../base/service.ts'
import type { EventName, Events, Telemetry } from '../base/telemetry.ts'
import type { Codec } from '../codec/codec.ts'
import { checkQueue } from '../core/job/limits.ts'
import { type Priority, parsePriority } from '../core/job/priority.ts'
import type { JobDefinition } from '../job/define-job.ts'
import type {
  CancelResult,
  JobChange,
  MessageVerb,
  NodeRow,
  RemoveResult,
  RetryResult,
  Store,
  UpdateResult,
} from '../store/contract/index.ts'
import { instantOf } from './arguments.ts'
import {
  cancelJobs,
  type Ids,
  moveJobs,
  type Outcomes,
  removeJobs,
  reprioritiseJobs,
  rescheduleJobs,
  retryJobs,
} from './control.ts'
import {
  changeAllWhere,
  type OnChunk,
  type Preview,
  previewWhere,
  type Where,
  type WhereOptions,
  type WhereResult,
} from './control-where.ts'
import type { EnqueueOptions } from './enqueue.ts'
import type { EnqueueManyOptions } from './enqueue-many.ts'
import { checkEventName } from './event-names.ts'
import {
  countJobs,
  getJob,
  type JobPage,
  type ListOptions,
  type LogEntry,
  type LogOptions,
  listJobs,
  readLogs,
} from './inspect.ts'
import { type JobHandle, type ResultOptions, resultOf, waitMs } from './job-handle.ts'
import type { JobInfo } from './job-view.ts'
import { Producer } from './producer.ts'
import type { JobQuery } from './query.ts'
import { Queues } from './queues.ts'
import { ResultWaiter } from './waiter.ts'
import { type Why, whyNotRunning } from './why.ts'
import { type AskOptions, type AskResult, askWorker, liveWorkers } from './worker-control.ts'

/** What a client works with. */
export interface ClientOptions {
  readonly store: Store
  readonly codec: Codec
  readonly telemetry: Telemetry
  readonly clock: Clock
  /** Called after a commit that may have made jobs claimable, or asked running ones to stop. */
  readonly wake: () => void
}

/** Produces, inspects and changes jobs. */
export class Client implements Service {
  readonly queues: Queues
  readonly store: Store
  protected readonly codec: Codec
  protected readonly telemetry: Telemetry
  readonly #wake: () => void
  readonly #producer: Producer
  readonly #waiter: ResultWaiter
  readonly #clock: Clock

  constructor(options: ClientOptions) {
    this.store = options.store
    this.codec = options.codec
    this.telemetry = options.telemetry
    this.#wake = options.wake
    this.#clock = options.clock
    this.queues = new Queues(options.store, options.telemetry)
    this.#waiter = new ResultWaiter(options.store, options.clock, options.telemetry)
    this.#producer = new Producer({ ...options, handles: { waiter: this.#waiter, codec: options.codec } })
  }

  start(): void {}

  /** Adds one job. Resolves after the commit (with `tx`: after the row is written in the caller's transaction). */
  enqueue<Input, Parsed, Result>(
    definition: JobDefinition<Input, Parsed, Result>,
    ...[input, options]: undefined extends Input
      ? [input?: Input, options?: EnqueueOptions]
      : [input: Input, options?: EnqueueOptions]
  ): Promise<JobHandle<Result>> {
    // The types of input and result live in the signature alone; below it is one path for all.
    return this.#producer.enqueue(definition as unknown as JobDefinition, input, options) as Promise<JobHandle<Result>>
  }

  /**
   * Adds many jobs of one kind with the same options, in batches of 1,000. Handles in the order of the inputs. When only some
   * could be written it rejects with `BULK_PARTIAL`, whose fields say which, and with which `ids` the call can be made again so
   * that no job is there twice: see `BulkEnqueueFields`. The store's own error has them too when it failed at the first batch.
   */
  enqueueMany<Input, Parsed, Result>(
    definition: JobDefinition<Input, Parsed, Result>,
    inputs: readonly Input[],
    options?: EnqueueManyOptions,
  ): Promise<readonly JobHandle<Result>[]> {
    // As in `enqueue`.
    const handles = this.#producer.enqueueMany(definition as unknown as JobDefinition, inputs, options)
    return handles as Promise<readonly JobHandle<Result>[]>
  }

  /** The job as it stands, or null. */
  get(id: string): Promise<JobInfo | null> {
    return getJob(this.store, this.codec, id)
  }

  /** A page of jobs by creation, newest first. */
  list(options: ListOptions = {}): Promise<JobPage> {
    return listJobs(this.store, this.codec, options)
  }

  /** How many jobs match, counted no further than `cap` (default 10,000); `capped` says that there are more. */
  count(query: JobQuery = {}, cap?: number): Promise<{ readonly count: number; readonly capped: boolean }> {
    return countJobs(this.store, this.codec, query, cap)
  }

  /** The job's log lines in the order they were written; at most 1,000 are kept. Empty for an unknown id. */
  logs(id: string, options: LogOptions = {}): Promise<readonly LogEntry[]> {
    return readLogs(this.store, this.codec, id, options)
  }

  /** Every reason why the job is not running now. Throws `JOB_NOT_FOUND`. */
  why(id: string): Promise<readonly Why[]> {
    return whyNotRunning(this.store, id)
  }

  /** The result of any job by id, as `JobHandle.result`. */
  async result(id: string, options: ResultOptions = {}): Promise<unknown> {
    return resultOf(this.codec, await this.#waiter.wait(id, waitMs(options)))
  }

  /** Cancels waiting jobs at once; asks running ones, wherever they run, to stop. */
  async cancel(ids: Ids): Promise<Outcomes<CancelResult>> {
    const outcomes = await cancelJobs(this.store, ids).finally(this.#wake)
    for (const { id, outcome } of outcomes)
      if (outcome === 'cancelled') this.telemetry.emit('job.cancelled', { jobId: id })
    return outcomes
  }

  /** Puts finished jobs back with a new retry budget; makes waiting `retrying` and `scheduled` ones pending at once. */
  retry(ids: Ids): Promise<Outcomes<RetryResult>> {
    return retryJobs(this.store, ids).finally(this.#wake)
  }

  /** Deletes jobs that are not running. `processing` says that one is: cancel it first. */
  remove(ids: Ids): Promise<Outcomes<RemoveResult>> {
    return removeJobs(this.store, ids)
  }

  /** Changes the priority of waiting jobs. */
  reprioritise(ids: Ids, priority: Priority): Promise<Outcomes<UpdateResult>> {
    return reprioritiseJobs(this.store, ids, priority)
  }

  /** Moves waiting jobs to another queue. */
  move(ids: Ids, queue: string): Promise<Outcomes<UpdateResult>> {
    return moveJobs(this.store, ids, queue).finally(this.#wake)
  }

  /** Sets when waiting jobs may run; an instant in the past makes them pending. */
  reschedule(ids: Ids, runAt: Date): Promise<Outcomes<UpdateResult>> {
    return rescheduleJobs(this.store, ids, runAt).finally(this.#wake)
  }

  /** What a change by filter would meet: how many jobs, counted no further than 10,000, and the newest five. */
  preview(where: Where): Promise<Preview> {
    return previewWhere(this.store, this.codec, where)
  }

  /**
   * Cancels every job that matches, as `cancel` does. So do the others named `…Where`: 500 jobs a transaction, from the oldest,
   * only jobs that were made before the call. An empty filter is refused. When a later step fails, or `signal` is aborted, it
   * rejects with `BULK_PARTIAL`, whose fields say what is done and where to go on.
   */
  async cancelWhere(where: Where, options: WhereOptions = {}): Promise<WhereResult> {
    return await this.#changeWhere(where, { kind: 'cancel' }, options, (results) => {
      for (const { id, outcome } of results)
        if (outcome === 'cancelled') this.telemetry.emit('job.cancelled', { jobId: id })
    })
  }

  /** Puts back every job that matches, as `retry` does. */
  async retryWhere(where: Where, options: WhereOptions = {}): Promise<WhereResult> {
    return await this.#changeWhere(where, { kind: 'retry' }, options)
  }

  /** Deletes every job that matches, as `remove` does. */
  async removeWhere(where: Where, options: WhereOptions = {}): Promise<WhereResult> {
    return await this.#changeWhere(where, { kind: 'remove' }, options)
  }

  /** Changes the priority of every waiting job that matches. */
  async reprioritiseWhere(where: Where, priority: Priority, options: WhereOptions = {}): Promise<WhereResult> {
    return await this.#changeWhere(where, { kind: 'update', change: { priority: parsePriority(priority) } }, options)
  }

  /** Moves every waiting job that matches to another queue. */
  async moveWhere(where: Where, queue: string, options: WhereOptions = {}): Promise<WhereResult> {
    checkQueue(queue)
    return await this.#changeWhere(where, { kind: 'update', change: { queue } }, options)
  }

  /** Sets when every waiting job that matches may run, by the store's clock. Throws as `retryWhere` does, and for no valid instant. */
  async rescheduleWhere(where: Where, runAt: Date, options: WhereOptions = {}): Promise<WhereResult> {
    return await this.#changeWhere(where, { kind: 'update', change: { runAt: instantOf(runAt, 'runAt') } }, options)
  }

  #changeWhere(where: Where, change: JobChange, options: WhereOptions, onChunk?: OnChunk): Promise<WhereResult> {
    return changeAllWhere(this.store, this.codec, where, change, options, onChunk).finally(this.#wake)
  }

  /** Workers that reported themselves within the last 30 seconds. */
  workers(): Promise<readonly NodeRow[]> {
    return liveWorkers(this.store)
  }

  /**
   * Asks a worker, or every worker of a node, to `pause`, `resume`, `stop` or `restart`, wherever it runs, and waits until it has.
   * What runs in a worker that stops is finished first. A worker without a supervisor that is asked to restart ends, so that whatever
   * started it starts it again.
   */
  askWorker(id: string, verb: MessageVerb, options?: AskOptions): Promise<AskResult> {
    return askWorker(this.store, this.#clock, id, verb, options)
  }

  /** Calls `listener` at every such event in this process until the returned function is called. Throws for an unknown event. */
  on<N extends EventName>(name: N, listener: (event: Events[N]) => void): () => void {
    checkEventName(name)
    return this.telemetry.on(name, listener)
  }

  /** Waits for enqueues under way and rejects pending `result()` calls. */
  async stop(): Promise<void> {
    await this.#producer.stop()
    this.#waiter.close()
  }
}
