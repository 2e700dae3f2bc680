/** What each case of the suite works with: a store of its own with its tables made, a clock to move, and short ways to say things. */
import { expect } from 'vitest'
import { type Clock, ManualClock } from '../../base/clock.ts'
import { newId } from '../../base/id.ts'
import type {
  ClaimedJob,
  ClaimRequest,
  EdgePolicy,
  JobRow,
  Lease,
  NewJob,
  NewUnique,
  Settlement,
  SettleResult,
  Store,
} from '../contract/index.ts'

/** What the suite asks of a store that it opens. */
export interface OpenOptions {
  /** The time that the store shall go by. A driver whose database has a clock of its own offers `manualClock` instead. */
  readonly clock?: Clock
}

/** A transaction on a connection of its own to the same database, as a user of the driver begins one. */
export interface UserTransaction {
  /** What `insertWithin` takes. */
  readonly tx: unknown
  /** Ends it, and its connection. */
  end(how: 'commit' | 'rollback'): Promise<void>
}

/** A fresh, empty store, opened but not migrated. */
export interface OpenedStore {
  readonly store: Store
  /** Another connection to the same data, opened. For a store that has none: the same object. The case closes it. */
  reopen(): Promise<Store>
  /** Moves the store's time when it does not go by `OpenOptions.clock`. */
  readonly manualClock?: ManualClock
  /** Closes the store and deletes its data. */
  close(): Promise<void>
  /** Begins a transaction. Needed where the store has the capability `transactions`. */
  begin?(): Promise<UserTransaction>
  /** Where the data is, for other processes. */
  readonly url?: string
}

/** Opens a store for one case. */
export type OpenStore = (options: OpenOptions) => Promise<OpenedStore>

/** Declares one case, which gets a store of its own. */
export type Case = (title: string, body: (f: Fixture) => Promise<void>, timeoutMs?: number) => void

/** A new job's parts that matter to a case; the others are filled in. `unique` is a key or the whole. */
export type JobParts = Partial<Omit<NewJob, 'unique'>> & { readonly unique?: string | Partial<NewUnique> }

/** How a settlement is written in a case: without what the lease says. */
export type Outcome = Settlement extends infer S
  ? S extends unknown
    ? Omit<S, 'id' | 'epoch' | 'runMs'> & { readonly runMs?: number }
    : never
  : never

/** The lease of every case. */
export const LEASE_MS = 30_000

/** A store with the calls that cases are written in. */
export class Fixture {
  readonly store: Store
  readonly clock: ManualClock
  readonly #opened: OpenedStore
  readonly #more: Store[] = []

  private constructor(opened: OpenedStore, clock: ManualClock) {
    this.#opened = opened
    this.store = opened.store
    this.clock = clock
  }

  /** Opens a store, makes its tables, runs `body` and closes everything, whatever happens. */
  static async run(open: OpenStore, body: (f: Fixture) => Promise<void>): Promise<void> {
    const clock = new ManualClock()
    const opened = await open({ clock })
    const fixture = new Fixture(opened, opened.manualClock ?? clock)
    try {
      await opened.store.migrate()
      await body(fixture)
    } finally {
      await Promise.all(fixture.#more.map((store) => store.close()))
      await opened.close()
    }
  }

  get jobs() {
    return this.store.jobs
  }

  /** Runs `fn` in a transaction of a user's own, and ends that. */
  async within(fn: (tx: unknown) => unknown, how: 'commit' | 'rollback' = 'commit'): Promise<void> {
    if (this.#opened.begin === undefined) {
      throw new Error('a driver with the capability `transactions` gives the suite `begin` beside its store')
    }
    const user = await this.#opened.begin()
    let ending: 'commit' | 'rollback' = 'rollback'
    try {
      await fn(user.tx)
      ending = how
    } finally {
      await user.end(ending)
    }
  }

  /** Another connection to the same data, closed at the end of the case. */
  async connect(): Promise<Store> {
    const store = await this.#opened.reopen()
    if (store !== this.store) this.#more.push(store)
    return store
  }

  /** Inserts one job, which must be created, and returns its id. */
  async add(parts: JobParts = {}): Promise<string> {
    const job = newJob(parts)
    const [result] = await this.jobs.insert([job])
    expect(result).toMatchObject({ status: 'created', id: job.id })
    return job.id
  }

  /** Inserts one job that waits for parents, each with the same policy. */
  child(parentIds: string | readonly string[], policy: EdgePolicy = 'cancel', parts: JobParts = {}): Promise<string> {
    const ids = typeof parentIds === 'string' ? [parentIds] : parentIds
    return this.add({ ...parts, dependsOn: ids.map((parentId) => ({ parentId, policy })) })
  }

  /** Claims as worker `w1` from queue `q` unless told otherwise. */
  async claim(parts: Partial<ClaimRequest> = {}): Promise<readonly ClaimedJob[]> {
    const claim = claimRequest(parts)
    const { claimed } = await this.jobs.exchange({ workerId: claim.workerId, settle: [], claim })
    return claimed
  }

  /** Claims until the job is held. */
  async hold(id: string, parts: Partial<ClaimRequest> = {}): Promise<ClaimedJob> {
    const { queue } = await this.row(id)
    const claimed = await this.claim({ queues: [{ queue, max: 1_000 }], limit: 1_000, ...parts })
    const found = claimed.find((job) => job.id === id)
    if (found === undefined) throw new Error(`job ${id} was not among the ${claimed.length} claimed`)
    return found
  }

  /** Inserts a job and claims it. */
  async running(parts: JobParts = {}, claim: Partial<ClaimRequest> = {}): Promise<ClaimedJob> {
    return this.hold(await this.add(parts), claim)
  }

  async settle(lease: Lease, outcome: Outcome, workerId = 'w1'): Promise<SettleResult> {
    const { settled } = await this.jobs.exchange({ workerId, settle: [settlement(lease, outcome)] })
    const [result] = settled
    if (result === undefined) throw new Error('a settlement was not answered')
    return result
  }

  async complete(lease: Lease, result: Uint8Array | null = null): Promise<void> {
    expect(await this.settle(lease, { to: 'completed', result })).toBe('settled')
  }

  async fail(lease: Lease): Promise<void> {
    expect(await this.settle(lease, { to: 'failed', reason: 'exhausted', error: bytes('no') })).toBe('settled')
  }

  /** The job's row, which must be there. */
  async row(id: string): Promise<JobRow> {
    const row = await this.jobs.get(id)
    if (row === null) throw new Error(`job ${id} is gone`)
    return row
  }

  async cancel(id: string): Promise<string | undefined> {
    return (await this.jobs.cancel([id]))[0]
  }

  /** Lets the lease of every running job end and takes them back. */
  async lose(): Promise<void> {
    this.clock.advance(LEASE_MS + 1)
    await this.jobs.reclaim(1_000)
  }
}

/** Inserts a job that has lost two leases: from now on it is claimed alone. */
export async function suspectJob(f: Fixture, parts: JobParts = {}): Promise<string> {
  const id = await f.add({ ...parts, priority: 100 })
  for (let i = 0; i < 2; i++) {
    await f.hold(id, { queues: [{ queue: parts.queue ?? 'q', max: 1 }], limit: 1 })
    await f.lose()
  }
  await f.jobs.update([id], { priority: parts.priority ?? 5 })
  return id
}

/** A new job with what the case sets. */
export function newJob(parts: JobParts = {}): NewJob {
  const { unique, ...rest } = parts
  const job = { id: newId(), name: 'job', version: 1, queue: 'q', priority: 5, payload: bytes('payload'), ...rest }
  if (unique === undefined) return job
  const given = typeof unique === 'string' ? { key: unique } : unique
  return { ...job, unique: { scope: 'job', key: 'k', onConflict: 'existing', ...given } }
}

/** A claim with what the case sets. */
export function claimRequest(parts: Partial<ClaimRequest> = {}): ClaimRequest {
  const limit = parts.limit ?? 100
  return { workerId: 'w1', queues: [{ queue: 'q', max: limit }], names: ['job'], limit, leaseMs: LEASE_MS, ...parts }
}

/** A settlement with what the case sets. */
export function settlement(lease: Lease, outcome: Outcome): Settlement {
  const { id, epoch } = lease
  return { runMs: 0, ...outcome, id, epoch }
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}

/** The text of bytes. */
export function textOf(data: Uint8Array | null | undefined): string | null {
  return data === null || data === undefined ? null : Buffer.from(data).toString()
}

/** The n-th of a list that must have it. */
export function nth<T>(list: readonly T[], index: number): T {
  const item = list[index]
  if (item === undefined) throw new Error(`nothing at ${index} of ${list.length}`)
  return item
}

/** How often a race is run: more when MILLRACE_LONG is set. */
export const RACE_ROUNDS = process.env.MILLRACE_LONG ? 1_000 : 50
