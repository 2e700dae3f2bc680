/** What a supervisor and its workers say to each other, over the channel that Node opens between a process and its child. */
import { type ErrorCode, MillraceError, StoreError, type StoreErrorKind } from '../../core/errors.ts'
import type { WorkerHealth } from '../../core/health.ts'
import type { Growth } from '../../core/process/growth.ts'
import type { MessageVerb } from '../../store/contract/index.ts'

/**
 * The version of all that is said here, of the plans that `start` carries and of the running list. A supervisor lives on when the
 * package is changed on disk, and its next worker is of the new release. Raise it with every change that the other side would
 * misread. `start` has it in every release, and every release understands `failed`.
 */
export const PROTOCOL = 2

/** What a worker process is told. `start` comes first, and once. */
export type ToWorker =
  | {
      readonly kind: 'start'
      /** The supervisor's `PROTOCOL`. */
      readonly protocol: number
      readonly node: string
      readonly workerId: string
      readonly isPaused: boolean
      /** What it is to do, as the program that it runs understands it. */
      readonly plan: unknown
    }
  | { readonly kind: 'stop'; readonly now: boolean }
  | { readonly kind: 'pause' | 'resume' }
  /** Garbage is collected, so that the next pulse tells what is really held. */
  | { readonly kind: 'collect' }

/** What a process needs without having done anything. */
export interface IdleMemory {
  readonly rssBytes: number
  /** Null where the system does not tell. */
  readonly pssBytes: number | null
}

/** How a worker is, once a second or more often. */
export interface Pulse {
  readonly kind: 'pulse'
  readonly running: number
  readonly jobsDone: number
  readonly isPaused: boolean
  /** What threads that run its jobs hold of themselves: no job has left it. */
  readonly isolateBytes: number
  readonly health: WorkerHealth
  /** Its store answers and takes no writes. Absent: it does not say. */
  readonly isStoreReadOnly?: boolean
  /** Loops that should have done their round long ago, with how late they are in milliseconds. */
  readonly late: readonly (readonly [loop: string, lateMs: number])[]
}

/** What a worker process says. */
export type FromWorker =
  /** It claims. */
  | {
      readonly kind: 'ready'
      readonly leaseMs: number
      readonly pulseMs: number
      /** How long a job that was told to stop may take for it. */
      readonly graceMs: number
      /** How long its jobs may finish when it stops. */
      readonly stopWithinMs: number
      /** Its memory before its first claim. */
      readonly idle: IdleMemory
    }
  | Pulse
  /** Its garbage is collected, in its threads too; these kinds of jobs the heap has grown with, the most first. */
  | { readonly kind: 'collected'; readonly isolateBytes: number; readonly grew: readonly Growth[] }
  /** It could not start, or has lost its store. `isFinal`: another try would fail as well. */
  | {
      readonly kind: 'failed'
      readonly code: string
      readonly message: string
      readonly isFinal: boolean
      readonly hint?: string
      /** Of an error of the store. */
      readonly storeKind?: StoreErrorKind
    }
  /** It should end or be replaced, or has been paused or resumed, which its successors should be too. */
  | { readonly kind: 'asked'; readonly verb: MessageVerb; readonly why: string }
  /** Nothing runs, nothing is held: it ends now. */
  | { readonly kind: 'drained' }

const KINDS: ReadonlySet<unknown> = new Set<FromWorker['kind']>([
  'ready',
  'pulse',
  'collected',
  'failed',
  'asked',
  'drained',
])

/** Whether something that came over the channel is one of ours: user code in the worker process can send anything. */
export function isFromWorker(message: unknown): message is FromWorker {
  return typeof message === 'object' && message !== null && 'kind' in message && KINDS.has(message.kind)
}

/** The error that a worker has ended with, as it was thrown there: of the store when it was one. */
export function errorOf(failure: Extract<FromWorker, { readonly kind: 'failed' }>): MillraceError {
  const { message, hint, storeKind } = failure
  // The worker's error, as it came: its code is one of ours.
  const code = failure.code as ErrorCode
  const detail = hint === undefined ? {} : { hint }
  return storeKind === undefined
    ? new MillraceError(code, message, detail)
    : new StoreError(storeKind, code, message, detail)
}
