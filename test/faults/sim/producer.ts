/** A process that enqueues jobs, by the real client, and keeps the book of what it was told. */
import { Telemetry } from '../../../src/base/telemetry.ts'
import { Client } from '../../../src/client/client.ts'
import type { EnqueueOptions } from '../../../src/client/enqueue.ts'
import type { Codec } from '../../../src/codec/codec.ts'
import { MillraceError, StoreError } from '../../../src/index.ts'
import { work } from './handlers.ts'
import { type Enqueued, idOf, type Ledgers, numberOf } from './ledgers.ts'
import type { Network } from './network.ts'
import type { JobPlan } from './plan-jobs.ts'
import { Actor, type World } from './world.ts'

/** What a producer works in. */
export interface ProducerParts {
  readonly world: World
  readonly network: Network
  readonly ledgers: Ledgers
  readonly codec: Codec
  /** The id of a job that is enqueued for the `tries`-th time: the same each time, where nothing is planted. */
  readonly idFor: (n: number, tries: number) => string
}

/** A client of a process of its own. */
export function clientOf(
  actor: Actor,
  { world, network, codec }: Pick<ProducerParts, 'world' | 'network' | 'codec'>,
): Client {
  return new Client({
    store: network.storeOf(actor),
    codec,
    telemetry: new Telemetry(),
    clock: world.clockOf(actor, { skewMs: 0, pace: 1 }),
    wake: () => {},
  })
}

/** Enqueues jobs at their time. */
export class Producer {
  /** Enqueues that are not answered, or will be tried again. */
  open = 0
  readonly #actor: Actor
  readonly #client: Client
  readonly #parts: ProducerParts

  constructor(name: string, parts: ProducerParts) {
    this.#parts = parts
    this.#actor = new Actor(name)
    this.#client = clientOf(this.#actor, parts)
  }

  plan(jobs: readonly JobPlan[]): void {
    for (const job of jobs) {
      this.open++
      this.#parts.world.after(this.#actor, job.at, () => void this.#enqueue(job, 0))
    }
  }

  async #enqueue(job: JobPlan, tries: number): Promise<void> {
    const { world, ledgers, idFor } = this.#parts
    const sentAt = world.now
    const told = (status: Enqueued['status'], id: string | null) => {
      world.tell(() => `${this.#actor.name} is told of job ${job.n}: ${status}${id === null ? '' : ` ${numberOf(id)}`}`)
      ledgers.enqueued.push({ n: job.n, sentAt, answeredAt: world.now, status, id })
    }
    try {
      const made = await this.#client.enqueue(work, { n: job.n }, { ...optionsOf(job), id: idFor(job.n, tries) })
      told(made.status, made.id)
    } catch (error) {
      if (error instanceof StoreError && error.kind === 'transient') {
        told('unknown', null)
        if (tries < job.tries) {
          world.after(this.#actor, 20 * 2 ** tries, () => void this.#enqueue(job, tries + 1))
          return
        }
      } else if (error instanceof MillraceError && error.code === 'PARENT_NOT_FOUND') told('refused', null)
      else throw error
    }
    this.open--
  }
}

function optionsOf(job: JobPlan): EnqueueOptions {
  return {
    queue: job.queue,
    priority: job.priority,
    retry: job.retry,
    timeout: job.timeoutMs,
    tags: [`n${job.n}`],
    ...(job.delayMs > 0 && { delay: job.delayMs }),
    ...(job.expiresInMs !== null && { expiresIn: job.expiresInMs }),
    ...(job.unique !== null && { unique: job.unique }),
    ...(job.parents.length > 0 && {
      dependsOn: job.parents.map(({ n, onFailure }) => ({ job: idOf(n), onFailure })),
    }),
  }
}
