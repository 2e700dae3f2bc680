/**
 * Somebody who enqueues jobs, by the real client, and the book of what was told. Its process may die: nobody knows then what became
 * of what was under way, and its successor enqueues that again under the same id, or leaves it.
 */

import type { EnqueueOptions } from '../../../src/client/enqueue.ts'
import type { JobHandle } from '../../../src/client/job-handle.ts'
import { MillraceError, StoreError } from '../../../src/index.ts'
import { type ClientParts, ClientProcess } from './client-process.ts'
import { type WorkInput, work } from './handlers.ts'
import { type Enqueued, idOf, type Ledgers, numberOf } from './ledgers.ts'
import type { JobPlan } from './plan-jobs.ts'
import type { Wire } from './wire.ts'

/** What a producer works in. */
export interface ProducerParts extends ClientParts {
  readonly ledgers: Ledgers
  readonly wire: Wire
  /**
   * The id of a job that is enqueued for the `tries`-th time, by a producer before whom so many have died: the same each time, where
   * nothing is planted.
   */
  readonly idFor: (n: number, tries: number, life: number) => string
}

/** One call of `enqueue`, or of `enqueueMany`. */
interface Order {
  readonly jobs: readonly [JobPlan, ...JobPlan[]]
  tries: number
  /** `sent` and not answered yet; `resting` until it is tried again. */
  state: 'given' | 'sent' | 'resting'
  sentAt: number
}

/** Enqueues jobs at their time. */
export class Producer {
  readonly process: ClientProcess
  readonly #open = new Set<Order>()
  readonly #parts: ProducerParts

  constructor(name: string, parts: ProducerParts) {
    this.#parts = parts
    this.process = new ClientProcess(name, 'producer', parts, () => this.#died())
  }

  /** How many calls are not answered, or will be made again. */
  get open(): number {
    return this.#open.size
  }

  plan(jobs: readonly JobPlan[]): void {
    for (const [first, ...others] of Map.groupBy(jobs, ({ n, bulk }) => bulk ?? n).values()) {
      if (first !== undefined) this.#give({ jobs: [first, ...others], tries: 0, state: 'given', sentAt: 0 }, first.at)
    }
  }

  #give(order: Order, ms: number): void {
    order.state = 'given'
    this.#open.add(order)
    this.process.give(ms, () => void this.#enqueue(order))
  }

  async #enqueue(order: Order): Promise<void> {
    order.state = 'sent'
    order.sentAt = this.#parts.world.now
    try {
      const made = await this.#made(order)
      for (const [i, { n }] of order.jobs.entries()) this.#told(order, n, made[i]?.status ?? 'unknown', made[i]?.id)
      this.#open.delete(order)
    } catch (error) {
      const isRefused = error instanceof MillraceError && error.code === 'PARENT_NOT_FOUND'
      if (!isRefused && !(error instanceof StoreError && error.kind === 'transient')) throw error
      for (const { n } of order.jobs) this.#told(order, n, isRefused ? 'refused' : 'unknown')
      if (isRefused) this.#open.delete(order)
      if (isRefused || !this.#mayTryAgain(order)) return
      order.state = 'resting'
      this.process.later(20 * 2 ** (order.tries - 1), () => void this.#enqueue(order))
    }
  }

  /** One call of the client. */
  async #made({ jobs, tries }: Order): Promise<readonly JobHandle[]> {
    const { client, life } = this.process
    const ids = jobs.map(({ n }) => this.#parts.idFor(n, tries, life))
    const [first] = jobs
    const [id] = ids
    if (first.bulk === null && id !== undefined)
      return [await client.enqueue(work, { n: first.n }, { ...optionsOf(first), id })]
    const inputs = jobs.map(({ n }): WorkInput => ({ n }))
    return client.enqueueMany(work, inputs, { ...optionsOf(first), ids })
  }

  /** What was under way is not known to have been done, and what was to be tried again is the next one's. */
  #died(): void {
    for (const order of [...this.#open]) {
      if (order.state === 'given') continue
      if (order.state === 'sent') for (const { n } of order.jobs) this.#told(order, n, 'unknown')
      if (this.#mayTryAgain(order)) {
        this.#parts.wire.count("a producer's successor enqueued again")
        this.#give(order, 0)
      }
    }
  }

  /** Whether it is; from then on it was. */
  #mayTryAgain(order: Order): boolean {
    const [{ tries }] = order.jobs
    const mayTry = order.tries++ < tries
    if (!mayTry) this.#open.delete(order)
    return mayTry
  }

  #told({ sentAt }: Order, n: number, status: Enqueued['status'], id: string | null = null): void {
    const { world, ledgers } = this.#parts
    world.tell(() => `${this.process.name} is told of job ${n}: ${status}${id === null ? '' : ` ${numberOf(id)}`}`)
    ledgers.enqueued.push({ n, sentAt, answeredAt: world.now, status, id })
  }
}

function optionsOf(job: JobPlan): EnqueueOptions {
  return {
    queue: job.queue,
    priority: job.priority,
    retry: job.retry,
    timeout: job.timeoutMs,
    ...(job.bulk === null && { tags: [`n${job.n}`] }),
    ...(job.delayMs > 0 && { delay: job.delayMs }),
    ...(job.expiresInMs !== null && { expiresIn: job.expiresInMs }),
    ...(job.unique !== null && { unique: job.unique }),
    ...(job.parents.length > 0 && {
      dependsOn: job.parents.map(({ n, onFailure }) => ({ job: idOf(n), onFailure })),
    }),
  }
}
