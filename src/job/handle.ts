/** Binds a handler to a definition, in a file that only workers load. */
import { MillraceError } from '../core/errors.ts'
import type { Handler, JobContext } from './context.ts'
import type { JobDefinition } from './define-job.ts'

/** A definition with the function that does its work. */
export interface BoundHandler {
  readonly definition: JobDefinition
  readonly run: (input: unknown, job: JobContext) => unknown
  /** The path of the file that it was loaded from, where that is known: an isolate loads it from there. */
  readonly file?: string
}

/** Binds `run` to a definition: `export default handle(resize, async (input, job) => { … })`. */
export function handle<Input, Parsed, Result>(
  definition: JobDefinition<Input, Parsed, Result>,
  run: Handler<Parsed, NoInfer<Result>, NoInfer<Result>>,
): BoundHandler {
  // The worker gives `run` what the definition's schema gave back: a Parsed.
  return { definition: definition as JobDefinition, run: run as BoundHandler['run'] }
}

/** A bound handler out of either form. Throws when a definition has no `run`. */
export function bind(item: BoundHandler | JobDefinition<never, unknown, unknown>): BoundHandler {
  if (typeof item !== 'object' || item === null || !('definition' in item || 'retry' in item)) {
    throw new MillraceError('HANDLER_MISSING', `a handler is ${item === null ? 'null' : `of type ${typeof item}`}`, {
      hint: 'Pass what handle(…) or defineJob({ …, run }) returned.',
    })
  }
  if ('definition' in item) return item
  if (item.run === undefined) {
    throw new MillraceError('HANDLER_MISSING', `the definition of ${item.name} has no handler`, {
      fields: { name: item.name },
      hint: 'Bind one with handle(definition, async (input, job) => …), or give defineJob a `run`.',
    })
  }
  // As above: the schema's output goes into the function that was declared to take it.
  return { definition: item as unknown as JobDefinition, run: item.run as BoundHandler['run'] }
}
