/** The composition root: opens a store and gives the one object an app works with. */
import { type Clock, systemClock } from '../base/clock.ts'
import { newWorkerId } from '../base/id.ts'
import { Telemetry } from '../base/telemetry.ts'
import { Client } from '../client/client.ts'
import { createCodec } from '../codec/codec.ts'
import type { KeyRing } from '../codec/key-ring.ts'
import { parseDuration } from '../core/duration.ts'
import { StoreError } from '../core/errors.ts'
import { checkOptions } from '../core/options.ts'
import type { JobDefinition } from '../job/define-job.ts'
import type { BoundHandler } from '../job/handle.ts'
import { Registry } from '../job/registry.ts'
import type { Retention, Store } from '../store/contract/index.ts'
import { type WorkerOptions, workerSettings } from '../worker/options.ts'
import { OwnHealth } from '../worker/vitals.ts'
import type { NodeHandle } from './node-handle.ts'
import type { OpenOptions } from './open-options.ts'
import type { RekeyOptions, RekeyReport } from './rekey.ts'
import { createStore, storeDeadlineMs, storeUrl } from './store-url.ts'
import type { SuperviseOptions } from './supervise.ts'
import { type Supervision, WorkerHandle } from './worker-handle.ts'

/** Starts a worker for a supervisor: what `work` does, with what only processes of a node have. */
export const START_WORKER = Symbol('millrace.startWorker')

const OPTIONS = ['store', 'codec', 'retention', 'migrate', 'base', 'clock']
const DAY_MS = 86_400_000

/** Work to be done: definitions with `run`, or bound handlers. */
export type Handlers = readonly (BoundHandler | JobDefinition<never, unknown, unknown>)[]

/** The one object an app works with: produces and inspects jobs, and runs workers. */
export class Millrace extends Client {
  readonly #clock: Clock
  readonly #retention: Retention
  readonly #storeDeadlineMs: number
  readonly #keys: KeyRing | undefined
  readonly #keyIds: () => readonly string[]
  readonly #workers = new Set<WorkerHandle>()
  readonly #wakers: Set<() => void>

  private constructor(store: Store, clock: Clock, options: OpenOptions, wakers: Set<() => void>) {
    super({
      store,
      codec: createCodec(options.codec ?? {}),
      telemetry: new Telemetry(),
      clock,
      wake: () => {
        for (const wake of wakers) wake()
      },
    })
    this.#clock = clock
    this.#wakers = wakers
    this.#retention = retentionOf(options.retention)
    // A store of the user's own is taken for one with the usual deadline.
    this.#storeDeadlineMs = storeDeadlineMs(isStore(options.store) ? '' : storeUrl(options.store))
    const keys = options.codec?.keys
    this.#keys = keys
    this.#keyIds = () => keys?.ids ?? []
    keys?.onAdd(() => {
      for (const worker of this.#workers) worker.keyAdded()
    })
  }

  /** Opens a store, brings its schema up to date, and is ready. */
  static async open(options: OpenOptions = {}): Promise<Millrace> {
    checkOptions(options, OPTIONS, 'Millrace.open')
    const clock = options.clock ?? systemClock
    const given = options.store
    const store = isStore(given) ? given : await createStore(storeUrl(given), options.base, options.clock)
    const mill = new Millrace(store, clock, options, new Set())
    await store.open()
    try {
      if (options.migrate === false) await refuseOlder(store)
      else await store.migrate()
    } catch (error) {
      await store.close()
      throw error
    }
    return mill
  }

  /**
   * Starts worker processes that import the handlers themselves, and watches over them from this process, which runs no handler: one
   * that crashes, hangs or leaks is replaced, and its jobs run again at once. Installs no signal handler; `done` says how it ended.
   */
  static async supervise(options: SuperviseOptions): Promise<NodeHandle> {
    // Loaded by the few who call it.
    const { supervise } = await import('./supervise.ts')
    return supervise(options)
  }

  /** Starts a worker in this process. It never exits the process and installs no signal handler; `done` says how it ended. */
  work(handlers: Handlers, options: WorkerOptions = {}): WorkerHandle {
    return this[START_WORKER](handlers, options, newWorkerId())
  }

  /** The same for a process that a supervisor has started. */
  [START_WORKER](handlers: Handlers, options: WorkerOptions, id: string, supervision?: Supervision): WorkerHandle {
    const settings = workerSettings(options, this.store.capabilities)
    const worker = new WorkerHandle({
      id,
      store: this.store,
      codec: this.codec,
      clock: this.#clock,
      telemetry: this.telemetry,
      registry: new Registry(handlers),
      settings,
      random: Math.random,
      retention: this.#retention,
      keyIds: this.#keyIds,
      health: new OwnHealth(this.#clock),
      storeDeadlineMs: this.#storeDeadlineMs,
      ...(supervision !== undefined && { supervision }),
    })
    const wake = () => worker.wake()
    this.#workers.add(worker)
    this.#wakers.add(wake)
    const forget = () => {
      this.#workers.delete(worker)
      this.#wakers.delete(wake)
    }
    worker.done.then(forget, forget)
    worker.start()
    return worker
  }

  /**
   * Seals every stored payload, result, error, progress note and log line anew under the active key, in small steps beside
   * whatever else goes on. Can be stopped and called again at any time: it goes on where it stopped. Resolves with what it did
   * and whether earlier keys can be taken away. Throws `CONFIG_INVALID` without keys.
   */
  async rekey(options: RekeyOptions = {}): Promise<RekeyReport> {
    // Loaded by the few who call it.
    const { rekeyStore } = await import('./rekey.ts')
    return rekeyStore(this.store, this.codec, this.#keys, options)
  }

  /** Stops the workers of this process gracefully, then closes the store. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.stop()))
    await this.stop()
    await this.store.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function isStore(given: OpenOptions['store']): given is Store {
  return typeof given === 'object' && given !== null && 'jobs' in given
}

function retentionOf(given: OpenOptions['retention'] = {}): Retention {
  checkOptions(given, ['completed', 'failed', 'cancelled'], 'retention')
  return {
    completedMs: parseDuration(given.completed ?? 7 * DAY_MS, 'retention.completed'),
    failedMs: parseDuration(given.failed ?? 30 * DAY_MS, 'retention.failed'),
    cancelledMs: parseDuration(given.cancelled ?? DAY_MS, 'retention.cancelled'),
  }
}

async function refuseOlder(store: Store): Promise<void> {
  const { current, latest } = await store.schemaVersion()
  if (current >= latest) return
  throw new StoreError(
    'schema',
    'STORE_OLDER',
    `${store.description} has schema version ${current}; this Millrace needs ${latest}`,
    {
      fields: { current, latest },
      hint: 'Run: millrace migrate up',
    },
  )
}
