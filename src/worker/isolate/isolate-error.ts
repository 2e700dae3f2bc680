/** How an attempt in an isolate ended, when it is not for the handler's own error to say. */
import { type ErrorCode, type ErrorDetail, MillraceError } from '../../core/errors.ts'
import type { AttemptEnd } from '../../core/job/outcome.ts'

/** Thrown in the worker for an attempt that ended in its isolate as `end` says. */
export class IsolateError extends MillraceError {
  readonly end: AttemptEnd

  constructor(code: ErrorCode, message: string, end: AttemptEnd, detail: ErrorDetail = {}) {
    super(code, message, detail)
    this.end = end
  }
}

/** How an isolate ended that nobody told to. */
export type IsolateDeath =
  /** It ended itself: `process.exit(code)`. */
  | { readonly kind: 'exited'; readonly code: number }
  /** A signal ended it: a fault of native code, `process.abort()`, the system's out-of-memory killer. */
  | { readonly kind: 'killed'; readonly signal: string; readonly said: string }
  | { readonly kind: 'memory' }
  | { readonly kind: 'uncaught'; readonly what: 'exception' | 'rejection'; readonly error: unknown }
  /** It could not be started. */
  | { readonly kind: 'start'; readonly error: unknown }

/** Where it happened, and when. */
export interface Scene {
  readonly in: 'thread' | 'process'
  readonly memoryMib: number | undefined
  /** Whether the handler had begun. */
  readonly hasBegun: boolean
}

const SIGNALS: Readonly<Record<string, string>> = {
  SIGSEGV: 'a fault in native code',
  SIGBUS: 'a fault in native code',
  SIGILL: 'a fault in native code',
  SIGFPE: 'a fault in native code',
  SIGTRAP: 'a fault in native code, or a check of V8 that failed',
  SIGABRT: 'process.abort(), or a check of native code that failed',
  SIGKILL: 'somebody killed it, as the system does when memory runs out',
}

/** What is thrown for an attempt whose isolate died under it. */
export function crashOf(death: IsolateDeath, scene: Scene): MillraceError {
  const when = scene.hasBegun ? '' : ' before its handler began'
  const its = `the job's ${scene.in}`
  switch (death.kind) {
    case 'exited':
      return crashed('ISOLATE_EXITED', `${its} ended itself${when} with exit code ${death.code}`, {
        fields: { exitCode: death.code },
        hint: 'Return from the handler, or throw, instead of calling process.exit().',
      })
    case 'killed': {
      const why = SIGNALS[death.signal]
      const said = death.said === '' ? '' : `; it said: ${death.said}`
      const text = `${its} was ended${when} by ${death.signal}${why === undefined ? '' : ` (${why})`}${said}`
      return crashed('ISOLATE_KILLED', text, { fields: { signal: death.signal } })
    }
    case 'memory': {
      const limit =
        scene.memoryMib === undefined ? 'the memory that Node allows' : `its ${scene.memoryMib} MiB of memory`
      return crashed('ISOLATE_OUT_OF_MEMORY', `${its} used up ${limit}${when}`, {
        fields: { memoryMib: scene.memoryMib },
        hint: 'Let the handler hold less at a time, or raise `memory` in `isolate` of its definition.',
      })
    }
    case 'uncaught': {
      const what = death.what === 'exception' ? 'an exception that nothing caught' : 'a rejection that nothing handled'
      return crashed('ISOLATE_UNCAUGHT', `${what} ended ${its}${when}: ${textOf(death.error)}`, {
        cause: death.error,
        hint: 'Await every promise, and catch inside timers and listeners.',
      })
    }
    case 'start':
      return new MillraceError('ISOLATE_START', `${its} could not be started: ${textOf(death.error)}`, {
        cause: death.error,
        hint: 'Look for limits on processes, threads, open files and memory.',
      })
    default:
      return death satisfies never
  }
}

function crashed(code: ErrorCode, message: string, detail: ErrorDetail): IsolateError {
  return new IsolateError(code, message, { kind: 'crashed', errorName: IsolateError.name, errorCode: code }, detail)
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
