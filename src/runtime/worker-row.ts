/** What a worker tells of itself in the store: its row, which says to everybody that it is alive. */
import { hostname } from 'node:os'
import type { Clock } from '../base/clock.ts'
import { Loop } from '../base/loop.ts'
import type { Service } from '../base/service.ts'
import { ALIVE_WITHIN_MS } from '../core/alive.ts'
import type { WorkerStatus } from '../core/health.ts'
import type { Registry } from '../job/registry.ts'
import type { Store } from '../store/contract/index.ts'
import type { Contact } from '../worker/contact.ts'
import type { WorkerSettings } from '../worker/options.ts'
import type { HealthSource } from '../worker/vitals.ts'
import type { Worker } from '../worker/worker.ts'
import { VERSION } from './version.ts'

/** What the row is made of. */
export interface WorkerRowParts {
  readonly id: string
  readonly store: Store
  readonly clock: Clock
  readonly settings: WorkerSettings
  readonly registry: Registry
  readonly health: HealthSource
  readonly worker: Pick<Worker, 'running' | 'jobsDone'>
  /** Of its supervisor; null when it has none. */
  readonly node: string | null
  readonly status: () => WorkerStatus
  /** Is told how it went: of what a worker without work does, this alone is sure to write. */
  readonly contact: Pick<Contact, 'view' | 'wrote' | 'couldNotWrite'>
}

/** A lease may be long, and with it the heartbeat; whether a worker is alive is asked by the same measure for all. */
const LONGEST_MS = ALIVE_WITHIN_MS / 3

/** Keeps the row of one worker until it is stopped. */
export class WorkerRow implements Service {
  readonly loop: Loop
  readonly #parts: WorkerRowParts

  constructor(parts: WorkerRowParts) {
    this.#parts = parts
    const { clock, contact } = parts
    const onError = (error: unknown) => contact.couldNotWrite('beat', error)
    // No longer than it rests: others take a worker for dead when they do not hear of it.
    this.loop = new Loop({ clock, onError, longestRetryMs: this.#restMs, step: () => this.#write() })
  }

  get #restMs(): number {
    return Math.min(this.#parts.settings.heartbeatMs, LONGEST_MS)
  }

  /** Tells of the worker for the first time after so long. */
  start(firstAfterMs = 0): void {
    this.loop.start(firstAfterMs)
  }

  async stop(): Promise<void> {
    await this.loop.stop()
  }

  /** Something that it tells has changed. */
  changed(): void {
    this.loop.wake()
  }

  /** Takes the row away. A store that is away forgets the worker by its silence. */
  async remove(): Promise<void> {
    const { store, id } = this.#parts
    await store.cluster.remove(id).catch(() => undefined)
  }

  async #write(): Promise<number> {
    const { id, store, settings, registry, worker, contact, node, status } = this.#parts
    const { storeAnsweredMs } = contact.view
    const health = await this.#parts.health.read({ storeAnsweredMs, jobsDone: worker.jobsDone })
    await store.cluster.beat({
      id,
      host: hostname(),
      pid: process.pid,
      version: VERSION,
      names: registry.names,
      queues: settings.queues === 'all' ? null : [...settings.queues.keys()],
      concurrency: settings.concurrency,
      running: worker.running,
      node,
      status: status(),
      health,
    })
    contact.wrote()
    return this.#restMs
  }
}
