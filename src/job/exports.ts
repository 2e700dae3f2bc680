/** The handlers among what a module exports. */
import type { JobDefinition } from './define-job.ts'
import { type BoundHandler, bind } from './handle.ts'

/** Every export that is a bound handler, or a definition with `run`; `file` is where they were found. */
export function handlersOf(module: Readonly<Record<string, unknown>>, file: string): readonly BoundHandler[] {
  return Object.values(module)
    .filter(isRunnable)
    .map((value) => ({ ...bind(value), file }))
}

function isRunnable(value: unknown): value is BoundHandler | JobDefinition<never, unknown, unknown> {
  if (typeof value !== 'object' || value === null || !('run' in value) || typeof value.run !== 'function') return false
  return 'definition' in value || ('name' in value && 'retry' in value)
}
