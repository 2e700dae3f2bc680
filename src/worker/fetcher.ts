/**
 * What to claim next, and the claimed jobs that wait for a slot.
 *
 * Prefetch by Little's law (L = λW), not by a setting: ask for the free slots plus what will become free during one round
 * trip to the store, `slots × roundTrip / meanRun`, at most `maxPrefetch`. Both means are moving averages of what was
 * measured. While what waits here holds 1 MiB of payloads, nothing is fetched ahead: with large payloads the count alone
 * would let a worker hold hundreds of MiB. On a server one claim takes a third of that room at most: while its jobs run, two more
 * are under way. A job that has waited here for a second behind jobs that take as long, or for half its lease, is given back, its
 * attempt uncounted: another worker may be idle.
 */

import { MAX_BATCH_BYTES } from '../core/batch.ts'
import { isSuspect } from '../core/job/decide.ts'
import { prefetchCount } from '../core/prefetch.ts'
import type { ClaimedJob, ClaimRequest, QueueShare } from '../store/contract/index.ts'
import type { WorkerSettings } from './options.ts'
import type { Slots } from './slots.ts'

/** A claimed job and the monotonic instant at which its lease ends. */
export interface Fetched {
  readonly job: ClaimedJob
  readonly leaseEnd: number
}

/** Weight of the newest measurement in the moving averages. */
const NEWEST = 0.2
const MAX_CLAIM = 1000
/** Taken for the run time of jobs before which others waited in vain; far above a round trip. */
const SLOW_RUN_MS = 5_000

/** What a worker asks for, and when. */
export class Fetcher {
  readonly #settings: WorkerSettings
  readonly #slots: Slots
  readonly #workerId: string
  readonly #names: readonly string[]
  readonly #isRemote: boolean
  #ready: Fetched[] = []
  #head = 0
  #waitingBytes = 0
  #roundTripMs = 1
  #meanRunMs = 1000
  #turn = 0
  /** Jobs claimed so far, for `maxJobs`. */
  claimed = 0
  /** How many jobs claims that are under way may bring. */
  asked = 0

  constructor(settings: WorkerSettings, slots: Slots, workerId: string, names: readonly string[], isRemote = false) {
    this.#settings = settings
    this.#slots = slots
    this.#workerId = workerId
    this.#names = names
    this.#isRemote = isRemote
  }

  /** How many fetched jobs wait for a slot. */
  get waiting(): number {
    return this.#ready.length - this.#head
  }

  /** Whether a claim may be sent while another is under way: what that brings of a queue with a limit is not known yet. */
  get mayClaimBeside(): boolean {
    const { queues } = this.#settings
    return queues === 'all' || [...queues.values()].every(({ concurrency }) => concurrency === Number.POSITIVE_INFINITY)
  }

  /** The next claim, or undefined when there is room for nothing. */
  request(): ClaimRequest | undefined {
    const { concurrency, maxPrefetch, maxJobs, leaseMs } = this.#settings
    const free = this.#slots.free
    const ahead =
      this.#waitingBytes >= MAX_BATCH_BYTES
        ? 0
        : prefetchCount({
            slots: concurrency,
            roundTripMs: this.#roundTripMs,
            meanRunMs: this.#meanRunMs,
            maxPrefetch,
          })
    const most =
      this.#isRemote && ahead > 0 ? Math.ceil((concurrency + ahead) / (this.mayClaimBeside ? 3 : 2)) : MAX_CLAIM
    const coming = this.waiting + this.asked
    const limit = Math.min(free + ahead - coming, most, MAX_CLAIM, maxJobs - this.claimed - this.asked)
    if (limit <= 0) return undefined
    const queues = this.#shares(limit)
    if (queues !== 'all' && queues.length === 0) return undefined
    return { workerId: this.#workerId, queues, names: this.#names, limit, leaseMs, noSuspects: free <= coming }
  }

  add(jobs: readonly ClaimedJob[], leaseEnd: number): void {
    this.claimed += jobs.length
    for (const job of jobs) {
      this.#ready.push({ job, leaseEnd })
      this.#waitingBytes += job.payload.byteLength
    }
  }

  /** The next job to start, oldest claim first. */
  next(): Fetched | undefined {
    const fetched = this.#ready[this.#head]
    if (fetched === undefined) return undefined
    this.#head++
    this.#waitingBytes -= fetched.job.payload.byteLength
    if (this.#head === this.#ready.length) {
      this.#ready = []
      this.#head = 0
    }
    return fetched
  }

  /** The next `count` jobs to start, as far as there are so many. They stay where they are. */
  peek(count: number): readonly Fetched[] {
    return count <= 0 ? [] : this.#ready.slice(this.#head, this.#head + count)
  }

  /** Whether a job waits whose lease ends before `before`. */
  hasOlder(before: number): boolean {
    const first = this.#ready[this.#head]
    return first !== undefined && first.leaseEnd <= before
  }

  /** Takes out the jobs that must go back: all of them, or those whose lease ends before `before`. */
  takeBack(before = Number.POSITIVE_INFINITY): readonly ClaimedJob[] {
    if (!this.hasOlder(before)) return []
    const waiting = this.#ready.slice(this.#head)
    this.#head = 0
    this.#ready = waiting.filter((fetched) => fetched.leaseEnd > before)
    const back = waiting.filter((fetched) => fetched.leaseEnd <= before).map((fetched) => fetched.job)
    this.claimed -= back.length
    for (const job of back) this.#waitingBytes -= job.payload.byteLength
    // What has waited for long says that jobs take longer now, before the first of those has ended.
    if (back.length > 0 && before !== Number.POSITIVE_INFINITY) this.sawRun(SLOW_RUN_MS)
    return back
  }

  sawRoundTrip(ms: number): void {
    this.#roundTripMs += (ms - this.#roundTripMs) * NEWEST
  }

  sawRun(ms: number): void {
    this.#meanRunMs += (ms - this.#meanRunMs) * NEWEST
  }

  /** Each queue's share by weight, then a second round for what the first leaves; another queue begins each time. */
  #shares(limit: number): readonly QueueShare[] | 'all' {
    const { queues } = this.#settings
    if (queues === 'all') return 'all'
    const open = [...queues].map(([queue, { concurrency, weight }]) => {
      return {
        queue,
        weight,
        room: Math.min(limit, concurrency - this.#slots.runningIn(queue) - this.#waitingIn(queue, concurrency)),
      }
    })
    const first = this.#turn++ % open.length
    const order = [...open.slice(first), ...open.slice(0, first)].filter((q) => q.room > 0)
    const total = order.reduce((sum, q) => sum + q.weight, 0)
    if (order.length <= 1) return order.map(({ queue, room }) => ({ queue, max: room }))
    const fair = order.map(({ queue, weight, room }) => ({
      queue,
      max: Math.min(room, Math.ceil((limit * weight) / total)),
    }))
    const rest = order.map(({ queue, room }, i) => ({ queue, max: room - (fair[i]?.max ?? 0) }))
    return [...fair, ...rest.filter((share) => share.max > 0)]
  }

  #waitingIn(queue: string, concurrency: number): number {
    if (concurrency === Number.POSITIVE_INFINITY) return 0
    let count = 0
    for (let i = this.#head; i < this.#ready.length; i++) if (this.#ready[i]?.job.queue === queue) count++
    return count
  }
}

/** Tells whether a job must be written down as started before its handler runs. */
export function needsStartRecord(job: ClaimedJob): boolean {
  return isSuspect(job.losses)
}
