/**
 * What the memory store holds, and the orders it is read in.
 *
 * A job is changed only inside `change`, which takes it out of every order before and puts it back after, so no order can
 * show a job where it no longer belongs.
 */
import type { EdgePolicy, Message, NodeRow } from '../contract/index.ts'
import { isEnded, type Job } from './job.ts'
import { byText, SortedSet } from './sorted-set.ts'

/** Who holds a unique key. `until` null: only while the job lives. */
export interface KeyHold {
  readonly scope: string
  readonly key: string
  readonly jobId: string
  readonly until: number | null
}

/** Who paused a queue, and why. */
export interface Pause {
  readonly at: number
  readonly by: string
  readonly reason: string
}

/** Everything a memory store holds. */
export class Tables {
  readonly jobs = new Map<string, Job>()
  /** Every job by id. */
  readonly byId = new SortedSet<Job>((a, b) => byText(a.id, b.id))
  /** Pending jobs of each queue in claim order. A queue without any has no entry. */
  readonly ready = new Map<string, SortedSet<Job>>()
  /** Scheduled and retrying jobs, soonest first. */
  readonly due = new SortedSet<Job>((a, b) => a.runAt - b.runAt || byText(a.id, b.id))
  /** Waiting jobs that expire, soonest first. */
  readonly expiring = new SortedSet<Job>((a, b) => (a.expiresAt ?? 0) - (b.expiresAt ?? 0) || byText(a.id, b.id))
  /** Processing jobs, the lease that ends first before others. */
  readonly leased = new SortedSet<Job>((a, b) => (a.leaseUntil ?? 0) - (b.leaseUntil ?? 0) || byText(a.id, b.id))
  /** Ended jobs, the oldest end first. */
  readonly ended = new SortedSet<Job>((a, b) => (a.finishedAt ?? 0) - (b.finishedAt ?? 0) || byText(a.id, b.id))
  /** The living dependents of a living parent. */
  readonly children = new Map<string, Map<string, EdgePolicy>>()
  /** The living parents of a job. */
  readonly parents = new Map<string, Set<string>>()
  /** Unique keys in force or not yet pruned, by scope and key. */
  readonly keys = new Map<string, KeyHold>()
  /** When jobs completed of which only the id is remembered, the oldest first. */
  readonly done = new Map<string, number>()
  readonly paused = new Map<string, Pause>()
  readonly values = new Map<string, { readonly value: string; readonly version: number }>()
  readonly nodes = new Map<string, NodeRow>()
  /** Messages that nobody has taken, oldest first. */
  messages: readonly Message[] = []
  /** Counts claims over all queues, so that each begins with another one. */
  turn = 0

  /** Puts a new job in. */
  add(job: Job): void {
    this.jobs.set(job.id, job)
    this.byId.add(job)
    this.#index(job)
  }

  /** Changes a job, every order following. */
  change(job: Job, edit: (job: Job) => void): void {
    this.#unindex(job)
    edit(job)
    this.#index(job)
  }

  /** Forgets a job that has ended. */
  delete(job: Job): void {
    this.#unindex(job)
    this.byId.delete(job)
    this.jobs.delete(job.id)
  }

  addEdge(parent: Job, childId: string, policy: EdgePolicy): void {
    const children = this.children.get(parent.id) ?? new Map<string, EdgePolicy>()
    this.children.set(parent.id, children.set(childId, policy))
    const parents = this.parents.get(childId) ?? new Set<string>()
    this.parents.set(childId, parents.add(parent.id))
    parent.dependents++
  }

  dropEdge(parentId: string, childId: string): void {
    const children = this.children.get(parentId)
    if (children?.delete(childId) !== true) return
    if (children.size === 0) this.children.delete(parentId)
    const parents = this.parents.get(childId)
    parents?.delete(parentId)
    if (parents?.size === 0) this.parents.delete(childId)
    const parent = this.jobs.get(parentId)
    if (parent !== undefined) parent.dependents--
  }

  #index(job: Job): void {
    if (job.state === 'pending') {
      const ready = this.ready.get(job.queue) ?? new SortedSet<Job>(inClaimOrder)
      this.ready.set(job.queue, ready)
      ready.add(job)
    }
    if (job.state === 'scheduled' || job.state === 'retrying') this.due.add(job)
    if (job.state === 'processing') this.leased.add(job)
    if (isEnded(job.state)) this.ended.add(job)
    else if (job.expiresAt !== null && job.state !== 'processing') this.expiring.add(job)
  }

  #unindex(job: Job): void {
    const ready = this.ready.get(job.queue)
    ready?.delete(job)
    if (ready?.size === 0) this.ready.delete(job.queue)
    this.due.delete(job)
    this.leased.delete(job)
    this.ended.delete(job)
    this.expiring.delete(job)
  }
}

/** The name of a unique key in `keys`: no two pairs share one, whatever they contain. */
export function keyName(scope: string, key: string): string {
  return JSON.stringify([scope, key])
}

/** Higher priority first, then the earlier run time, then the older id. */
function inClaimOrder(a: Job, b: Job): number {
  return b.priority - a.priority || a.runAt - b.runAt || byText(a.id, b.id)
}
