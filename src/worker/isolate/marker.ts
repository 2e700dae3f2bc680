/** Tells an isolate from a worker. */
import { ConfigError } from '../../core/errors.ts'

const MARK = Symbol.for('millrace.isolate')

/** Says that this thread or process is an isolate. */
export function markIsolate(): void {
  Reflect.set(globalThis, MARK, true)
}

/** Throws `ISOLATE_REFUSED` in an isolate: a program that starts a worker was named as the entry of handlers. */
export function refuseInIsolate(): void {
  if (Reflect.get(globalThis, MARK) !== true) return
  throw new ConfigError('ISOLATE_REFUSED', 'a worker was to be started in an isolate, where one handler runs', {
    hint: 'Let `entry` name a module that only exports handlers, not the program that starts the worker.',
  })
}
