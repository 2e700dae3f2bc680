/**
 * What crosses between a worker and an isolate. Inputs and results cross as JSON text beside the message, so that neither side
 * writes it out twice. Keys never cross: sealing is the worker's.
 */
import type { LogLevel } from '../../core/job/log-level.ts'
import type { AbortWhy } from '../running-job.ts'
import type { WireError } from './wire-error.ts'

/** What a handler sees of its job. */
export interface JobFacts {
  readonly id: string
  readonly name: string
  readonly queue: string
  readonly priority: number
  readonly attempt: number
  readonly tags: readonly string[]
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly fence: number
}

/** To run an attempt. The JSON text of the input travels beside it. */
export interface RunMessage {
  readonly kind: 'run'
  readonly job: JobFacts
  /** Of the payload. */
  readonly version: number
  /** URLs of the modules in which the handler is looked for, in this order. */
  readonly entry: readonly string[]
  /** The limit of the isolate's heap. */
  readonly memoryMib: number | undefined
}

/** A task for a thread that rests: its garbage is to be collected. */
export const COLLECT_TASK = 'collect'
/** One that does nothing. */
export const NO_TASK = 'nothing'

/** Which attempt something belongs to: an isolate may have another by now. */
export interface AttemptId {
  readonly jobId: string
  readonly fence: number
}

/** What a worker says. */
export type ToIsolate =
  | RunMessage
  | { readonly kind: 'abort'; readonly why: AbortWhy }
  /** Threads: garbage is to be collected now. */
  | { readonly kind: 'collect' }
  /** `text`: JSON; absent where there is nothing. */
  | (AttemptId & { readonly kind: 'answer'; readonly call: number; readonly text?: string; readonly error?: WireError })

/** What a handler asks of its worker while it runs. `text`: JSON. */
export interface CallMessage extends AttemptId {
  readonly kind: 'call'
  /** The answer has the same number. */
  readonly call: number
  readonly verb: 'checkpoint' | 'restore'
  readonly text?: string
}

/** How the attempt ended. The JSON text of a result travels beside it. */
export type IsolatedEnd =
  | { readonly kind: 'returned' }
  /** `isRefused`: after it had called `completeIn`, which no isolate has. */
  | { readonly kind: 'threw'; readonly error: WireError; readonly flow?: WireFlow; readonly isRefused?: boolean }
  | { readonly kind: 'payloadInvalid' | 'resultInvalid' | 'entry'; readonly error: WireError }

/** What the handler threw to say how its attempt ends. */
export type WireFlow =
  | { readonly kind: 'discard' }
  | { readonly kind: 'retryAfter' | 'snooze'; readonly delayMs: number }

/** What a thread holds with its modules loaded and nothing done. */
export interface ThreadNeeds {
  readonly threadId: number
  readonly bytes: number
}

/** What jobs have left in a thread, garbage among it where it was not collected, beyond what it needs. */
export interface ThreadLeft {
  readonly threadId: number
  readonly leftBytes: number
}

/** What an isolate says. */
export type FromIsolate =
  /** The handler begins: the timeout counts from here. `needs`: what a thread's memory is before its first attempt. */
  | { readonly kind: 'began'; readonly needs?: ThreadNeeds }
  | (ThreadLeft & { readonly kind: 'collected' })
  | CallMessage
  | {
      readonly kind: 'news'
      readonly progress?: number
      readonly note?: string
      readonly logs: readonly (readonly [LogLevel, string])[]
    }
  /**
   * `left`: what the attempt has left behind; the isolate is not used again when there is any. `isCollecting`: it looks next how much
   * memory its jobs have left in it, and can have another attempt when it has.
   */
  | {
      readonly kind: 'done'
      readonly end: IsolatedEnd
      readonly left: readonly string[]
      readonly isCollecting: boolean
    }
  /** Processes: it has looked. `isWorn`: it is not to be used again. */
  | { readonly kind: 'looked'; readonly isWorn: boolean }
  /** An error that nothing caught. The isolate is of no use any more. */
  | { readonly kind: 'fatal'; readonly what: 'exception' | 'rejection'; readonly error: WireError }
  /** A thread ends itself. A process's code is told by the system. */
  | { readonly kind: 'exit'; readonly code: number }

/** Carries messages away. */
export type Send<Message> = (message: Message, body?: string) => void

/** A message as it travels. */
export type Packet<Message> = readonly [message: Message, body: string]
