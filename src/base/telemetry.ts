/**
 * The telemetry bus: one vocabulary of events for logs, metrics and whoever listens. Emitting without listeners costs one
 * look at a Map; a listener that throws never reaches the code that emitted.
 */
import type { JobState } from '../core/job/state.ts'

/** Every event and what it carries. Never a payload. */
export interface Events {
  'job.enqueued': { readonly jobId: string; readonly name: string; readonly queue: string; readonly status: string }
  'job.claimed': { readonly jobId: string; readonly name: string; readonly queue: string; readonly attempt: number }
  'job.started': { readonly jobId: string; readonly name: string; readonly queue: string; readonly attempt: number }
  'job.settled': {
    readonly jobId: string
    readonly name: string
    readonly queue: string
    readonly attempt: number
    /** What the attempt led to. */
    readonly outcome: JobState
    readonly reason?: string
    readonly durationMs: number
    /** The error's name and message; absent when there was none. */
    readonly error?: string
  }
  'job.cancelled': { readonly jobId: string }
  'job.abandoned': { readonly jobId: string; readonly name: string; readonly queue: string; readonly why: string }
  'lease.lost': { readonly jobId: string; readonly name: string; readonly queue: string }
  'job.reclaimed': {
    readonly jobId: string
    readonly name: string
    readonly queue: string
    readonly outcome: string
    readonly losses: number
    readonly crashes: number
  }
  'queue.paused': { readonly queue: string; readonly by: string; readonly reason: string }
  'queue.resumed': { readonly queue: string }
  'worker.started': { readonly workerId: string; readonly names: readonly string[]; readonly concurrency: number }
  'worker.draining': { readonly workerId: string; readonly running: number }
  'worker.stopped': { readonly workerId: string; readonly jobsDone: number }
  /** A process of a supervised worker; `seat` counts a node's places from 1 on. */
  'process.started': ProcessFact
  'process.ready': ProcessFact & { readonly afterMs: number }
  'process.ended': ProcessFact & {
    readonly code: number | null
    readonly signal: string | null
    /** How, in words. */
    readonly how: string
    readonly livedMs: number
  }
  /** Its starts have failed one after the other, each process on its seat ends soon after its start, or a start of a successor failed. */
  'process.failing': ProcessFact & {
    /** In a row that failed; with `hasWorked`, that were followed by an end within 10 s. */
    readonly starts: number
    /** A job had been done after some of them. */
    readonly hasWorked: boolean
    /** It will hardly mend by itself. */
    readonly isLoop: boolean
    readonly cause: string
    readonly nextMs: number | null
  }
  /** Nothing was heard of it for a while: its leases are kept for it. */
  'process.stalled': ProcessFact & { readonly silentMs: number }
  /** It is heard again. */
  'process.heard': ProcessFact & { readonly silentMs: number }
  'process.replacing': ProcessFact & { readonly why: string }
  'store.failed': { readonly operation: string; readonly error: unknown }
  'store.recovered': { readonly operation: string; readonly afterMs: number }
}

/** Which process of which node. */
export interface ProcessFact {
  readonly node: string
  readonly seat: number
  readonly workerId: string
  readonly pid: number
}

/** The name of an event. */
export type EventName = keyof Events

type Listener = (event: never) => void

/** The bus of one Millrace. */
export class Telemetry {
  readonly #listeners = new Map<EventName, Set<Listener>>()

  /** Calls `listener` at every such event until the returned function is called. */
  on<N extends EventName>(name: N, listener: (event: Events[N]) => void): () => void {
    const set = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, set)
    set.add(listener)
    return () => {
      set.delete(listener)
      if (set.size === 0) this.#listeners.delete(name)
    }
  }

  /** Tells whether anybody listens, so that a hot path need not build the event. */
  has(name: EventName): boolean {
    return this.#listeners.has(name)
  }

  emit<N extends EventName>(name: N, event: Events[N]): void {
    const set = this.#listeners.get(name)
    if (set === undefined) return
    for (const listener of set) {
      try {
        // Only `on` fills the sets, each with listeners of its own event.
        ;(listener as (event: Events[N]) => void)(event)
      } catch (error) {
        reportListenerError(error)
      }
    }
  }
}

/** A listener's fault is its owner's, reported as an uncaught error would be but without ending the process. */
function reportListenerError(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error), { code: 'MILLRACE_LISTENER' })
}
