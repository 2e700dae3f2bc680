/**
 * Background duties that keep the store going: promotion of due jobs, expiry, leases of the dead, retention, keys that
 * appeared. Every worker runs them; each is a bounded, idempotent store call, so two at once only share the work. Nothing
 * here knows handlers.
 */
import type { Clock } from '../base/clock.ts'
import { Loop } from '../base/loop.ts'
import type { Service } from '../base/service.ts'
import type { Telemetry } from '../base/telemetry.ts'
import type { Retention, Store } from '../store/contract/index.ts'

/** What the duties work with. */
export interface MaintenanceOptions {
  readonly store: Store
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly random: () => number
  readonly retention: Retention
  /** How often ended leases are looked for. */
  readonly reclaimEveryMs: number
  /** The keys this process can open payloads with. */
  readonly keyIds: () => readonly string[]
  /** Whether jobs ran here since this was last asked: what they put off may be due soon. */
  readonly isBusy: () => boolean
  /** Called when jobs became claimable. */
  readonly onClaimable: () => void
}

const BATCH = 500
/** Between looks for what is due, while jobs come and go. */
const LONGEST_SLEEP_MS = 250
/** The same on a server, while nothing is heard of any. */
const IDLE_SLEEP_MS = 1_000
/** What is due and could not be moved, since somebody holds it, is tried again after this. */
const BLOCKED_DUE_MS = 20
const PRUNE_EVERY_MS = 60_000
const UNBLOCK_EVERY_MS = 30_000

/** The background duties of one worker. */
export class Maintenance implements Service {
  readonly #options: MaintenanceOptions
  /** The duties, by their names. */
  readonly loops: Readonly<Record<'promote' | 'reclaim' | 'prune' | 'unblock', Loop>>
  readonly #promoter: Loop
  readonly #unblocker: Loop
  #unsubscribe: (() => void) | undefined
  #hasNews = true
  /** Monotonic ms of the last look for what is due. */
  #lookedAt = 0

  constructor(options: MaintenanceOptions) {
    this.#options = options
    this.#promoter = this.#loop('promote', () => this.#promote())
    this.#unblocker = this.#loop('unblock', () => this.#unblock())
    this.loops = {
      promote: this.#promoter,
      reclaim: this.#loop('reclaim', () => this.#reclaim()),
      prune: this.#loop('prune', () => this.#prune()),
      unblock: this.#unblocker,
    }
  }

  /** Looks for what is due after so long, and begins the other duties within the second after that. */
  start(firstAfterMs = 0): void {
    const { random } = this.#options
    for (const loop of Object.values(this.loops))
      loop.start(firstAfterMs + (loop === this.#promoter ? 0 : random() * 1000))
  }

  /** Something was scheduled: look when the next job is due. */
  wake(): void {
    this.#promoter.wake()
  }

  /** A key appeared: look for jobs that wait for it. */
  keyAdded(): void {
    this.#unblocker.wake()
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.loops).map((loop) => loop.stop()))
    // After the last look, which may have been the first.
    this.#unsubscribe?.()
  }

  /** Something changed somewhere: what is due is looked for within the shorter of the two times. */
  #heard(): void {
    if (this.#hasNews) return
    this.#hasNews = true
    this.#promoter.wake(Math.max(0, LONGEST_SLEEP_MS - (this.#options.clock.monotonic() - this.#lookedAt)))
  }

  /** Asks first, which is one reading: most of the time nothing is due. */
  async #promote(): Promise<number> {
    const { store, clock, onClaimable } = this.#options
    this.#unsubscribe ??= store.wake.subscribe(() => this.#heard())
    const due = await store.jobs.nextDue()
    // While nothing is heard of any job, what waits for its time is known.
    const { push, remote } = store.capabilities
    const hasNews = this.#options.isBusy() || this.#hasNews || !(push && remote)
    const longest = hasNews ? LONGEST_SLEEP_MS : IDLE_SLEEP_MS
    this.#hasNews = false
    this.#lookedAt = clock.monotonic()
    if (due === null) return longest
    const now = await store.time()
    if (due > now) return Math.min(longest, due - now)
    const promoted = await store.jobs.promote(BATCH)
    const expired = await store.jobs.expire(BATCH)
    if (promoted > 0) onClaimable()
    // What comes next is asked in the next round.
    return promoted + expired > 0 ? 1 : BLOCKED_DUE_MS
  }

  async #reclaim(): Promise<number> {
    const { store, telemetry, onClaimable, reclaimEveryMs, random } = this.#options
    const reclaimed = await store.jobs.reclaim(BATCH)
    for (const { id, name, queue, to, losses, crashes } of reclaimed) {
      telemetry.emit('job.reclaimed', { jobId: id, name, queue, outcome: to, losses, crashes })
    }
    if (reclaimed.length > 0) onClaimable()
    return reclaimed.length === BATCH ? 1 : reclaimEveryMs * (0.8 + 0.4 * random())
  }

  async #prune(): Promise<number> {
    const { store, retention, random } = this.#options
    const pruned = await store.jobs.prune(retention, BATCH)
    // A short rest between full batches leaves the store to the workers.
    return pruned >= BATCH ? 20 : PRUNE_EVERY_MS * (0.8 + 0.4 * random())
  }

  async #unblock(): Promise<number> {
    const { store, keyIds, onClaimable, random } = this.#options
    const keys = keyIds()
    const moved = keys.length === 0 ? 0 : await store.jobs.unblock(keys, BATCH)
    if (moved > 0) onClaimable()
    return moved === BATCH ? 1 : UNBLOCK_EVERY_MS * (0.8 + 0.4 * random())
  }

  #loop(operation: string, step: () => Promise<number>): Loop {
    const { clock, telemetry } = this.#options
    return new Loop({ clock, step, onError: (error) => telemetry.emit('store.failed', { operation, error }) })
  }
}
