/** What a pool of isolates is, of threads or of processes. */
import { MillraceError } from '../../core/errors.ts'
import type { IsolateDeath } from './isolate-error.ts'
import type { FromIsolate, RunMessage, ToIsolate } from './message.ts'

/** Who is told how an attempt goes on in its isolate. */
export interface IsolateListener {
  readonly onMessage: (message: FromIsolate, body: string) => void
  /**
   * The isolate is gone, with all that it had started; `undefined`: it was killed by `kill`; `worn`: earlier jobs have left too much
   * in it, and it has done nothing with this attempt. Called once, and not after a `done`.
   */
  readonly onGone: (death: IsolateDeath | 'worn' | undefined) => void
}

/** An attempt's isolate, from its first message to its last. */
export interface HeldIsolate {
  send(message: ToIsolate): void
  /** Ends the isolate and all that it has started, now. */
  kill(): void
}

/** Isolates that are kept warm. */
export interface Pool {
  /** Gives an attempt to an isolate that is free, else to a new one. */
  begin(message: RunMessage, body: string, memoryMib: number | undefined, listener: IsolateListener): HeldIsolate
  /** Ends all of them, and resolves when they are gone. */
  close(): Promise<void>
}

/** How pools are kept. */
export interface PoolOptions {
  readonly size: number
  readonly idleMs: number
}

/** What is thrown for an attempt that comes when its worker has stopped. */
export function poolClosed(): MillraceError {
  return new MillraceError('CLOSED', 'the worker has stopped, and its isolates with it')
}
