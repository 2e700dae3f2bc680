/** What a random sequence has made so far, and the jobs it makes next. */
import type { ClaimedJob, InsertResult, Lease, NewJob } from '../contract/index.ts'
import { bytes } from './fixture.ts'
import type { JobSketch } from './model-jobs.ts'

/** Ids and leases, as the reference told: later steps point into them. */
export class Pool {
  readonly ids: string[] = []
  readonly #leases: Held[] = []
  #held: Held[] = []
  #serial = 0

  /** One of the ids, or one that no job has. */
  id(ref: number): string {
    return this.ids[ref % (this.ids.length + 1)] ?? 'nobody'
  }

  /** Mostly one of the leases that are held; else one that was, of a job that is held again where there is one. */
  lease(ref: number): Held {
    const stale = this.#leases.filter((old) => this.#held.some(({ id, epoch }) => id === old.id && epoch !== old.epoch))
    const wanted = ref % 4 === 3 ? [stale, this.#leases] : [this.#held, stale, this.#leases]
    const from = wanted.find((leases) => leases.length > 0) ?? []
    return from[ref % Math.max(1, from.length)] ?? { id: 'nobody', epoch: 1, workerId: 'w0' }
  }

  /** A parent for a new job: now and then one that runs, so that it ends by settling. */
  parent(ref: number): string {
    return (ref % 3 === 2 ? this.#held[ref % Math.max(1, this.#held.length)]?.id : undefined) ?? this.id(ref)
  }

  nextSerial(): number {
    return this.#serial++
  }

  inserted(results: readonly InsertResult[]): void {
    for (const { id, status } of results) {
      if ((status === 'created' || status === 'replaced') && !this.ids.includes(id)) this.ids.push(id)
    }
  }

  claimed(jobs: readonly ClaimedJob[], workerId: string): void {
    const held = jobs.map(({ id, epoch }) => ({ id, epoch, workerId }))
    this.#leases.push(...held)
    this.#held.push(...held)
  }

  released(ids: readonly string[]): void {
    this.#held = this.#held.filter(({ id }) => !ids.includes(id))
  }
}

/** A lease and who took it. */
export type Held = Lease & { readonly workerId: string }

/** New jobs as the sketches say, their parents among the jobs that exist and those before them in the batch. */
export function jobsOf(sketches: readonly JobSketch[], pool: Pool): readonly NewJob[] {
  const batch: NewJob[] = []
  for (const { order, again, parents, size, ...rest } of sketches) {
    const serial = pool.nextSerial()
    const id = again && pool.ids.length > 0 ? pool.id(order) : idOf(order, serial)
    const dependsOn = parents.map(({ ref, policy }) => ({
      parentId: (ref % 3 === 0 ? batch[ref % (batch.length + 1)]?.id : undefined) ?? pool.parent(ref),
      policy,
    }))
    const payload = bytes(`${serial} `.repeat(size))
    batch.push({ id, version: 1, payload, ...rest, ...(dependsOn.length > 0 ? { dependsOn } : {}) })
  }
  return batch
}

/** Ids in an order of their own, not that of their making, since producers' clocks differ. */
function idOf(order: number, serial: number): string {
  return `0198f000-0000-7${order.toString(16).padStart(3, '0')}-8000-${serial.toString(16).padStart(12, '0')}`
}
